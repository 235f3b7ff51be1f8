"""What can go wrong when versions and releases are made and decided, in words for people.

ReleaseError (agents.errors)
├── InvalidVersionError     the configuration cannot be run; names the field and the value
├── EvidenceError           what should prove the version does not
│   └── EvidenceVoidError       it did once; the release was made void
├── OwnReleaseError         author or requester would decide their own release
└── StaleReleaseError       somebody was faster; look again before you decide
"""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.errors import ReleaseError


@dataclass(frozen=True)
class Problem:
    """What is wrong with one field of a configuration.

    Attributes:
        field: A field of `VersionConfig`, `parameters.…` or `limits.…` with its name, or `note`.
        message: For people: names the value and the way out.
    """

    field: str
    message: str


class InvalidVersionError(ReleaseError):
    """A configuration that cannot be run.

    Attributes:
        problems: One or more, in the order of the fields.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(" ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


class EvidenceError(ReleaseError):
    """What should prove the version does not."""


class EvidenceVoidError(EvidenceError):
    """The evidence was changed after the request; the release is void now."""


class OwnReleaseError(ReleaseError):
    """Author or requester would decide their own release."""


class StaleReleaseError(ReleaseError):
    """Somebody was faster: the release or the live version is not what was looked at."""
