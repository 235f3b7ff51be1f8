"""Errors of the trace store; their messages are for people.

TracesError
├── BadRecordError      a session or span that cannot be stored
└── BadImportError      a file that cannot be imported, or not to its end
"""


class TracesError(Exception):
    """Anything that the trace store refuses."""


class BadRecordError(TracesError):
    """A session or span has a value that cannot be stored."""


class BadImportError(TracesError):
    """A file cannot be imported, or only a part of it."""
