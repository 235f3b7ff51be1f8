"""The mail server that `MAIL_URL` names, e.g. `smtps://user:password@host?from=desk@example.com`."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

_PORTS = {"smtp": 25, "smtps": 465}
_STARTTLS_PORT = 587
_EXAMPLE = "smtps://user:password@mail.example.com?from=desk@example.com"


class BadMailUrlError(ValueError):
    """`MAIL_URL` cannot be used; the message follows its name and tells no part of the value."""


@dataclass(frozen=True)
class MailServer:
    """Where mail is handed over.

    Attributes:
        host: Empty: there is none, and nothing is mailed.
        sender: The address that mail comes from.
        is_tls: Encrypted from the first byte (`smtps://`).
        is_starttls: Encrypted after a greeting (`?starttls=1`).
    """

    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    sender: str = ""
    is_tls: bool = False
    is_starttls: bool = False


def read_mail_url(value: str) -> MailServer:
    """Return the server that a URL names; an empty one names none.

    Raises:
        BadMailUrlError: It cannot be used.
    """
    if not value:
        return MailServer()
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
        query = parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise BadMailUrlError(f"is no URL; it looks like {_EXAMPLE}") from None
    if parts.scheme not in _PORTS or not host or parts.path.strip("/"):
        raise BadMailUrlError(f"must name a host, with smtp:// or smtps://, like {_EXAMPLE}")
    if unknown := query.keys() - {"from", "starttls"}:
        raise BadMailUrlError(
            f"has the parameter {sorted(unknown)[0]!r}; there are from and starttls"
        )
    return _checked(parts.scheme, host, port, _login(parts.username, parts.password), query)


def _login(user: str | None, password: str | None) -> tuple[str, str]:
    return unquote(user or ""), unquote(password or "")


def _checked(
    scheme: str, host: str, port: int | None, login: tuple[str, str], query: dict[str, list[str]]
) -> MailServer:
    user, password = login
    sender = query.get("from", [user])[-1]
    if sender.count("@") != 1 or not sender.isprintable() or " " in sender:
        raise BadMailUrlError("needs the address that mail comes from: ?from=desk@example.com")
    starttls = query.get("starttls", ["0"])[-1]
    if starttls not in {"0", "1"} or (starttls == "1" and scheme == "smtps"):
        raise BadMailUrlError("takes starttls=1 with smtp:// alone; smtps:// is encrypted anyway")
    is_encrypted = scheme == "smtps" or starttls == "1"
    if password and not is_encrypted and not _is_this_machine(host):
        raise BadMailUrlError(
            "would send its password in the clear; use smtps://, or smtp:// with starttls=1"
        )
    return MailServer(
        host=host,
        port=port or (_STARTTLS_PORT if starttls == "1" else _PORTS[scheme]),
        user=user,
        password=password,
        sender=sender,
        is_tls=scheme == "smtps",
        is_starttls=starttls == "1",
    )


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
