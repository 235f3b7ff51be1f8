"""The operating system's account under which the embedded PostgreSQL runs.

PostgreSQL refuses to run as root. An ordinary user runs it himself; root runs it under an
unprivileged account (`REVIEWDESK_ACCOUNT`, by default `nobody`).
"""

import os
import pwd
from dataclasses import dataclass

from reviewdesk.embedded.errors import AccountError


@dataclass(frozen=True)
class Account:
    """An account by number and name."""

    uid: int
    gid: int
    name: str

    @property
    def is_own(self) -> bool:
        """Say whether this process runs under the account already."""
        return self.uid == os.geteuid()


def server_account(name: str) -> Account:
    """Return the account that the server runs under.

    Args:
        name: The account that root chose; without meaning for an ordinary user.

    Raises:
        AccountError: The account is unknown or is root's.
    """
    if os.geteuid() != 0:
        return _own_account()
    try:
        entry = pwd.getpwnam(name)
    except KeyError as error:
        raise AccountError(
            f"REVIEWDESK_ACCOUNT is {name!r}, which is no account of this machine. PostgreSQL "
            "cannot run as root; name an unprivileged account, such as nobody."
        ) from error
    if entry.pw_uid == 0:
        raise AccountError(
            f"REVIEWDESK_ACCOUNT is {name!r}, which is root. PostgreSQL cannot run as root; name "
            "an unprivileged account, such as nobody."
        )
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def _own_account() -> Account:
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise AccountError(
            f"User id {os.geteuid()} has no name on this machine (no entry in /etc/passwd), which "
            "PostgreSQL needs to recognise who connects. Add one, or run reviewdesk as another "
            "user."
        ) from error
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
