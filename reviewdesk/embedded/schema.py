"""Whether the database's tables fit the code, and the migrations that make them fit."""

import contextlib
import time
from collections.abc import Iterator

import psycopg
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from reviewdesk.embedded.errors import SchemaError

OLDEST_POSTGRESQL = 15
_LOCK = 7_310_002
_ASK_SECONDS = 0.1


def check_server() -> None:
    """Check that the database answers and is new enough.

    Raises:
        SchemaError: It is away, refuses us, or is older than PostgreSQL 15.
    """
    try:
        with _own_connection() as own:
            version = own.info.server_version // 10_000
    except psycopg.OperationalError as error:
        raise SchemaError(
            f"the database does not answer ({str(error).strip()}). Check DATABASE_URL, and that "
            "the server runs and lets this user in."
        ) from error
    if version < OLDEST_POSTGRESQL:
        raise SchemaError(
            f"DATABASE_URL leads to PostgreSQL {version}; reviewdesk needs {OLDEST_POSTGRESQL} or "
            "newer."
        )


def check_not_newer() -> None:
    """Refuse a database that a newer reviewdesk has migrated.

    Raises:
        SchemaError: Migrations are applied that this code does not have.
    """
    loader = MigrationLoader(connection)
    known = set(loader.disk_migrations or ())
    known |= {old for new in loader.replacements.values() for old in new.replaces}
    applied = loader.applied_migrations or {}
    unknown = sorted(key for key in applied if key[0] in loader.migrated_apps and key not in known)
    if unknown:
        app, name = unknown[-1]
        raise SchemaError(
            "A newer reviewdesk has used this database: it has the migration "
            f"{app}.{name}, which this one does not know. Start the newer reviewdesk, or restore "
            "a backup from before the update. Nothing was changed."
        )


def has_pending_migrations() -> bool:
    """Say whether the code has migrations that the database lacks."""
    loader = MigrationLoader(connection)
    return bool(set(loader.graph.nodes) - set(loader.applied_migrations or {}))


def migrate() -> bool:
    """Apply what is pending, one process at a time; say whether anything was.

    Raises:
        SchemaError: The database is newer than the code.
    """
    with _alone():
        check_not_newer()
        if not has_pending_migrations():
            return False
        call_command("migrate", verbosity=0, interactive=False)
    return True


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold an advisory lock on a connection of its own: migrating closes Django's.

    Asked for again and again, because a statement that waits for it has a snapshot, and whoever
    holds it may be making an index concurrently, which waits for all older snapshots to go.
    """
    with _own_connection() as own:
        while own.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK]).fetchone() != (True,):
            time.sleep(_ASK_SECONDS)
        yield


def _own_connection() -> "psycopg.Connection[tuple[object, ...]]":
    """Connect without the pool, which would try for twenty seconds before it says why."""
    parameters = {"connect_timeout": 10, **connection.get_connection_params()}
    return psycopg.connect(**parameters, autocommit=True)
