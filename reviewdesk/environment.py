"""The environment variables that reviewdesk honours, read once and checked.

A bad value stops the start with a sentence that names the variable, the value and the way out.
"""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from agents.tools.secrets import is_name
from reviewdesk.mail_server import BadMailUrlError, MailServer, read_mail_url

CHECKOUT = Path(__file__).resolve().parent.parent
MAX_SOCKET_PATH = 107


class BadEnvironmentError(ValueError):
    """A variable has a value that cannot be used; the message says which and what to do."""


@dataclass(frozen=True)
class Environment:
    """What the process was started with.

    Attributes:
        port: TCP port of the web server on 127.0.0.1.
        home: Directory of all data, the database's too unless it is external.
        has_demo: Whether a first start loads the demo.
        database_url: libpq URL of an external PostgreSQL, or empty for the embedded one.
        broker_url: URL of an external broker, or empty for the one inside PostgreSQL.
        openai_api_key: Key for the OpenAI-compatible endpoint, or empty.
        openai_base_url: Base URL of that endpoint, or empty for the client's default.
        account: Account of the embedded PostgreSQL when reviewdesk runs as root.
        demo_model_url: Base URL of the scripted demo model, given by the supervisor, or empty.
        secrets_folder: Where a secret may lie as a file of its name, a project's in a folder of
            the project's slug.
        shared_secrets: Names of the desk's secrets that every project may use.
        tool_modules: Modules to import at the start: they register function tools.
        mail: The server that takes the desk's mail, if any.
        desk_url: Where people reach the desk, for links in mail and webhooks; no slash at the end.
    """

    port: int
    home: Path
    has_demo: bool
    database_url: str
    broker_url: str
    openai_api_key: str
    openai_base_url: str
    account: str
    demo_model_url: str
    secrets_folder: Path
    shared_secrets: frozenset[str]
    tool_modules: tuple[str, ...]
    mail: MailServer
    desk_url: str

    @property
    def is_embedded(self) -> bool:
        """Say whether reviewdesk runs its own PostgreSQL."""
        return not self.database_url

    @property
    def home_id(self) -> str:
        """Return eight hex digits that tell this home from others on the machine."""
        return hashlib.sha256(str(self.home).encode()).hexdigest()[:8]


def read_environment(variables: Mapping[str, str] = os.environ) -> Environment:
    """Read and check the variables.

    Raises:
        BadEnvironmentError: A value cannot be used.
    """
    home = Path(variables.get("REVIEWDESK_HOME", "") or CHECKOUT / ".reviewdesk")
    home = home.expanduser().absolute()
    port = _port(variables.get("REVIEWDESK_PORT", "") or "8000")
    return Environment(
        port=port,
        home=home,
        has_demo=_flag("REVIEWDESK_DEMO", variables.get("REVIEWDESK_DEMO", "") or "1"),
        database_url=_database_url(variables.get("DATABASE_URL", "")),
        broker_url=_url(
            "BROKER_URL", variables.get("BROKER_URL", ""), ("redis", "rediss", "amqp", "amqps")
        ),
        openai_api_key=variables.get("OPENAI_API_KEY", ""),
        openai_base_url=_url(
            "OPENAI_BASE_URL", variables.get("OPENAI_BASE_URL", ""), ("http", "https")
        ),
        account=variables.get("REVIEWDESK_ACCOUNT", "") or "nobody",
        demo_model_url=variables.get("REVIEWDESK_DEMO_MODEL_URL", ""),
        secrets_folder=Path(variables.get("REVIEWDESK_SECRETS", "") or home / "secrets"),
        shared_secrets=_secret_names(variables.get("REVIEWDESK_SHARED_SECRETS", "")),
        tool_modules=_modules(variables.get("REVIEWDESK_TOOLS", "")),
        mail=_mail(variables.get("MAIL_URL", "")),
        desk_url=_url(
            "REVIEWDESK_URL", variables.get("REVIEWDESK_URL", ""), ("http", "https")
        ).rstrip("/")
        or f"http://127.0.0.1:{port}",
    )


def database_parameters(url: str) -> dict[str, str]:
    """Return the libpq parameters of a `postgresql://` URL."""
    return {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}


def _port(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 65535:
        raise BadEnvironmentError(
            f"REVIEWDESK_PORT is {value!r}; it must be a number from 1 to 65535, such as 8000."
        )
    return int(value)


def _mail(value: str) -> MailServer:
    try:
        return read_mail_url(value)
    except BadMailUrlError as error:
        raise BadEnvironmentError(f"MAIL_URL {error}.") from None


def _modules(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise BadEnvironmentError(
                f"REVIEWDESK_TOOLS names {name!r}, which is no module; write modules by their "
                "dotted names with commas between, such as warehouse.tools."
            )
    return names


def _secret_names(value: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in value.split(",") if name.strip())
    for name in sorted(names):
        if not is_name(name):
            raise BadEnvironmentError(
                f"REVIEWDESK_SHARED_SECRETS names {name!r}, which can be no secret's name; write "
                "letters, digits and single underscores, with commas between, such as CARRIER_KEY."
            )
    return names


def _flag(name: str, value: str) -> bool:
    if value not in {"0", "1"}:
        raise BadEnvironmentError(f"{name} is {value!r}; it must be 1 (yes) or 0 (no).")
    return value == "1"


def _database_url(value: str) -> str:
    if not value:
        return ""
    try:
        found = conninfo_to_dict(value)
    except psycopg.ProgrammingError:
        found = {}
    # A password's own @ ends it too early, so that its rest would be taken for the host.
    where = f"{found.get('host', '')}{found.get('port', '')}"
    is_url = value.startswith(("postgresql://", "postgres://"))
    if not is_url or not found.get("dbname") or "@" in where:
        # Neither the value nor what psycopg says of it is told: both may hold the password.
        raise BadEnvironmentError(
            "DATABASE_URL must be a PostgreSQL URL with a database name, like "
            "postgresql://user:password@host:5432/database, with special characters of the "
            "password percent-encoded (@ as %40)."
        )
    return value


def _url(name: str, value: str, schemes: tuple[str, ...]) -> str:
    if not value:
        return ""
    try:
        parts = urlsplit(value)
        is_good = parts.scheme in schemes and bool(parts.netloc)
    except ValueError:
        is_good = False
    if not is_good:
        # Of the value only its scheme is told: the rest may hold a password.
        scheme = re.match(r"[A-Za-z][\w+.-]*(?=://)", value)
        found = f"starts with {scheme[0] + '://'!r}" if scheme else "is no URL"
        allowed = ", ".join(f"{scheme}://" for scheme in schemes)
        raise BadEnvironmentError(
            f"{name} {found}; it must be a URL that names a host and starts with one of {allowed}"
        )
    return value
