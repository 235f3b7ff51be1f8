"""What can keep the embedded PostgreSQL or the desk from starting.

EmbeddedError
├── HomeError       the home cannot be made or written
├── AccountError    no account that the server may run under
├── ServerError     PostgreSQL does not start
├── SchemaError     the database and the code do not fit together
└── PreparationError  migrating or loading the demo failed, and has said why
"""


class EmbeddedError(Exception):
    """Something keeps the desk from starting; the message says what and the way out."""


class HomeError(EmbeddedError):
    """The home cannot be made or written."""


class AccountError(EmbeddedError):
    """There is no account that the server may run under."""


class ServerError(EmbeddedError):
    """PostgreSQL does not start."""


class SchemaError(EmbeddedError):
    """The database is older or newer than the code."""


class PreparationError(EmbeddedError):
    """Migrating or loading the demo failed."""

    def __init__(self) -> None:
        super().__init__("it could not be prepared; the reason stands above.")
