"""What can go wrong when a message is sent.

SendError
├── NotSentError    this attempt failed; another may not
└── GivenUpError    no attempt would do better
"""


class SendError(Exception):
    """Base of both; its text is for people and holds no secret."""


class NotSentError(SendError):
    """This attempt failed; another may succeed.

    Attributes:
        retry_after: Seconds that the receiver asked to wait, or None.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class GivenUpError(SendError):
    """The message cannot be sent, however often it is tried."""
