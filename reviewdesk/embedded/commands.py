"""What happens around each `manage.py` command: its home, its database and its schema."""

import contextlib
import sys
from collections.abc import Iterator, Sequence

import django
from django.conf import settings

from reviewdesk.embedded.errors import EmbeddedError, SchemaError
from reviewdesk.embedded.home import place_of, prepare_home
from reviewdesk.embedded.lease import Lease
from reviewdesk.embedded.schema import (
    check_not_newer,
    check_server,
    has_pending_migrations,
    migrate,
)
from reviewdesk.environment import BadEnvironmentError, read_environment

_WITHOUT_DATABASE = frozenset(
    {
        "check",
        "collectstatic",
        "diffsettings",
        "findstatic",
        "help",
        "makemigrations",
        "model_server",
        "up",
        "version",
    }
)
_WITH_ANY_SCHEMA = frozenset({"migrate", "prepare", "showmigrations", "sqlmigrate"})
# For CI 1 means that the gate failed: what keeps it from running has a code of its own.
_CANNOT_START = {"gate": 3}
_HELP = frozenset({"-h", "--help", "--version"})


@contextlib.contextmanager
def ready_for(arguments: Sequence[str]) -> Iterator[None]:
    """Give the command what it needs while it runs, or end the process with the reason.

    The embedded PostgreSQL is started unless it runs, and stopped with its last user. Its tables
    are brought up to date; those of an external database are only checked, except by `up`.

    Args:
        arguments: The command line, as in `sys.argv`.
    """
    name = arguments[1] if len(arguments) > 1 else "help"
    with contextlib.ExitStack() as stack:
        try:
            _prepare(name, is_help=bool(_HELP & set(arguments[1:])), stack=stack)
            yield
        except (BadEnvironmentError, EmbeddedError) as error:
            sys.stderr.write(f"reviewdesk cannot start: {error}\n")
            sys.exit(_CANNOT_START.get(name, 1))


def _prepare(name: str, *, is_help: bool, stack: contextlib.ExitStack) -> None:
    environment = read_environment()
    if is_help or name in _WITHOUT_DATABASE:
        return
    prepare_home(environment)
    if environment.is_embedded:
        stack.enter_context(Lease(place_of(environment)))
    if name not in _WITH_ANY_SCHEMA:
        django.setup()
        _fit_schema()


def _fit_schema() -> None:
    check_server()
    check_not_newer()
    if not has_pending_migrations():
        return
    if not settings.ENVIRONMENT.is_embedded:
        raise SchemaError(
            "The database of DATABASE_URL lacks this reviewdesk's newest migrations. Run "
            "`manage.py migrate` first."
        )
    migrate()
