"""What can go wrong with people and projects, in words for the person who asked.

PeopleError
├── LastAdminError     the project would be left without anybody to manage it
└── MemberError        a member cannot be added, changed or removed so
    └── KnownAccountError  an account exists already: the admin must say that they know it
"""


class PeopleError(Exception):
    """Base of the errors of people and projects; its text is for people."""


class LastAdminError(PeopleError):
    """The project would be left without an admin."""


class MemberError(PeopleError):
    """A member cannot be added, changed or removed so."""


class KnownAccountError(MemberError):
    """An account exists already; whoever adds it must say that they know it."""
