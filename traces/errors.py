"""Errors of the trace store; their messages are for people.

TracesError
├── BadRecordError      a session or span that cannot be stored
├── BadImportError      a file that cannot be imported, or not to its end
├── BadPayloadError     what was sent is not OTLP, or a part of it is not
├── TooLargeError       a request with more than is taken at once
├── UnsupportedTypeError a request of a type, or compressed in a way, that is not read
├── InvalidAnswersError a label's answers that cannot be saved or completed
├── LabelCompletedError a draft that would change a completed label
├── ErasureError        a person's data that cannot be deleted as asked
├── PriceError          a price that cannot be set, or costs that cannot be recomputed now
└── RetentionError      sessions that cannot be deleted as asked
"""


class TracesError(Exception):
    """Anything that the trace store refuses."""


class BadRecordError(TracesError):
    """A session or span has a value that cannot be stored."""


class BadImportError(TracesError):
    """A file cannot be imported, or only a part of it."""


class BadPayloadError(TracesError):
    """What was sent is not OTLP; of a part of it, a span or log record, that it cannot be read."""


class TooLargeError(TracesError):
    """A request has more than is taken at once."""


class UnsupportedTypeError(TracesError):
    """A request's body is of a type, or compressed in a way, that is not read."""


class InvalidAnswersError(TracesError):
    """Answers cannot be saved or completed; `by_question` says why, per question's key."""

    def __init__(self, by_question: dict[str, str]) -> None:
        self.by_question = by_question
        super().__init__(" ".join(by_question.values()))


class LabelCompletedError(TracesError):
    """A completed label is not changed by a draft; it has to be reopened first."""


class PriceError(TracesError):
    """A price cannot be set, or costs cannot be recomputed now; the message says why."""


class RetentionError(TracesError):
    """Sessions cannot be deleted as asked; the message says why."""


class ErasureError(TracesError):
    """A person's data cannot be deleted as asked; the message says why."""
