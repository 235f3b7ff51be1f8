"""Fill a home with invented sessions by COPY: by default 1,000,000 sessions with 10,000,000 spans.

    python benchmarks/spans.py --home /var/tmp/reviewdesk-bench [--sessions 1000000] [--seed 1]

The home stays, for `pages.py` and `browser.py`; one that is filled already is left as it is. Each
week's partition is copied with FREEZE into a table that is attached when it has its key: an index
that is built from sorted rows costs a third of one that grows row by row, and nothing has to be
vacuumed. Triggers and foreign keys are checked when the partition is attached, not row by row.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
from desk import Home, machine, print_result
from invented import (
    SESSION_COLUMNS,
    SPAN_COLUMNS,
    SPANS_EACH,
    TRACE_COLUMNS,
    Day,
    days_of,
    lines_of,
)

from reviewdesk.embedded.home import place_of, prepare_home
from reviewdesk.embedded.lease import Lease
from reviewdesk.embedded.place import SUPERUSER
from traces.partitions import bounds_ns, partition_name

_PIECE = 200
_COPIED = ("traces_session", "traces_trace")
Connection = psycopg.Connection[tuple[Any, ...]]


def main() -> None:
    """Fill the home, and say how fast that was."""
    arguments = _arguments()
    home = Home(arguments.home.absolute(), 8000)
    prepare_home(home.environment)
    with Lease(place_of(home.environment)):
        home.manage("migrate", "--verbosity=0")
        _fill(home, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="directory that is filled")
    parser.add_argument("--sessions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def _fill(home: Home, arguments: argparse.Namespace) -> None:
    with connect(home) as connection:
        if connection.execute("SELECT 1 FROM traces_session LIMIT 1").fetchone():
            print(f"{home.path} is filled already; remove it to fill it anew.")
            return
        began = time.monotonic()
        days = days_of(arguments.sessions, until=datetime.now(tz=UTC) - timedelta(minutes=5))
        weeks = [list(group) for _, group in groupby(days, _monday)]
        with _without_indexes(connection):
            _copy_weeks(home, connection, weeks, arguments)
        _say("copied", began)
        _clean(connection, "traces_session", "traces_trace", "traces_span")
        _say("analysed", began)
        furnish = [sys.executable, str(Path(__file__).with_name("furnish.py")), str(arguments.seed)]
        subprocess.run(furnish, env=home.variables, check=True)
        _clean(
            connection, "traces_label", "traces_queueitem", "traces_sessionday", "traces_toolday"
        )
        _say("furnished", began)
        _print(connection, arguments.sessions, time.monotonic() - began)


def _clean(connection: Connection, *tables: str) -> None:
    """Do what autovacuum would do some time later, in the middle of a measurement."""
    for table in tables:
        connection.execute(f"VACUUM (FREEZE, ANALYZE) {table}")


def _print(connection: Connection, num_sessions: int, seconds: float) -> None:
    size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    print_result(
        "spans",
        machine(connection),
        sessions=num_sessions,
        spans=num_sessions * SPANS_EACH,
        seconds=round(seconds, 1),
        spans_per_second=round(num_sessions * SPANS_EACH / seconds),
        gigabytes=round(size[0] / 1e9, 2) if size else None,
    )


def connect(home: Home) -> Connection:
    """Connect as the superuser, who may leave out triggers, in autocommit."""
    connection = home.connect(user=SUPERUSER)
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET maintenance_work_mem = '1GB'")
    return connection


def _make_project(connection: Connection) -> tuple[int, int]:
    """Make the project `benchmark` and who sent its spans; return their ids."""
    rows = connection.execute(
        "WITH project AS (INSERT INTO traces_project (slug, name, created_at) "
        "VALUES ('benchmark', 'Benchmark', now()) RETURNING id) "
        "INSERT INTO traces_emitter (project_id, digest, resource, scope) SELECT id, "
        """repeat('0', 64), '{"service.name": "shop"}', '{"name": "heron", "version": "1.4"}' """
        "FROM project RETURNING project_id, id"
    )
    project, emitter = rows.fetchone() or (0, 0)
    return project, emitter


def _monday(day: Day) -> Any:
    return day.day - timedelta(days=day.day.weekday())


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """Drop the copied tables' indexes but constraints', and make them again at the end."""
    found = connection.execute(
        "SELECT schemaname || '.' || indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) "
        "AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexname::regclass)",
        [list(_COPIED)],
    ).fetchall()
    for name, _ in found:
        connection.execute(f"DROP INDEX {name}")
    yield
    for _, definition in found:
        began = time.monotonic()
        connection.execute(definition)
        _say(definition.split(" ON ")[0].removeprefix("CREATE "), began)


def _copy_weeks(
    home: Home, connection: Connection, weeks: Sequence[list[Day]], arguments: argparse.Namespace
) -> None:
    project, emitter = _make_project(connection)
    for days in weeks:
        connection.execute(f"DROP TABLE IF EXISTS {partition_name(_monday(days[0]))}")
    largest_first = sorted(weeks, key=lambda days: -sum(day.num_sessions for day in days))
    with ProcessPoolExecutor(arguments.processes, get_context("spawn")) as pool:
        jobs = [
            pool.submit(copy_week, home, days, arguments.seed, project, emitter)
            for days in largest_first
        ]
        for job in jobs:
            print(job.result(), flush=True)
    for days in weeks:
        low, high = bounds_ns(_monday(days[0]))
        name = partition_name(_monday(days[0]))
        connection.execute(
            f"ALTER TABLE traces_span ATTACH PARTITION {name} FOR VALUES FROM ({low}) TO ({high})"
        )
        connection.execute(f"ALTER TABLE {name} DROP CONSTRAINT in_its_week")
        connection.execute(f"ALTER TABLE {name} OWNER TO reviewdesk")


def copy_week(home: Home, days: Sequence[Day], seed: int, project: int, emitter: int) -> str:
    """Copy the sessions of a week, and their spans into a table that is its partition to be."""
    began = time.monotonic()
    monday = _monday(days[0])
    name, (low, high) = partition_name(monday), bounds_ns(monday)
    num_sessions = 0
    with connect(home) as rows, connect(home) as spans, spans.transaction():
        spans.execute(f"CREATE TABLE {name} (LIKE traces_span INCLUDING ALL EXCLUDING INDEXES)")
        for day in days:
            made = lines_of(day, seed=seed, project=project, emitter=emitter)
            num_sessions += _copy_day(rows, spans, name, made)
        spans.execute(f"ALTER TABLE {name} ADD PRIMARY KEY (session_id, span_id, start_ns)")
        # Known to hold, so that attaching need not read the rows for it.
        spans.execute(
            f"ALTER TABLE {name} ADD CONSTRAINT in_its_week "
            f"CHECK (start_ns IS NOT NULL AND start_ns >= {low} AND start_ns < {high})"
        )
    rate = num_sessions * SPANS_EACH / (time.monotonic() - began)
    return f"{name}: {num_sessions:,} sessions, {rate:,.0f} spans/s"


def _copy_day(rows: Connection, spans: Connection, name: str, made: Iterator[Any]) -> int:
    """Copy a day's sessions in one transaction; return how many there were."""
    sessions, traces = [], []
    copy_spans = f"COPY {name} ({SPAN_COLUMNS}) FROM STDIN (FREEZE)"
    with spans.cursor().copy(copy_spans) as copy:
        piece: list[str] = []
        for lines in made:
            piece.append(lines.spans)
            sessions.append(lines.session)
            traces.append(lines.trace)
            if len(piece) == _PIECE:
                copy.write("".join(piece))
                piece.clear()
        copy.write("".join(piece))
    with rows.transaction():
        for table, columns, texts in (
            ("traces_session", SESSION_COLUMNS, sessions),
            ("traces_trace", TRACE_COLUMNS, traces),
        ):
            with rows.cursor().copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                for at in range(0, len(texts), _PIECE):
                    copy.write("".join(texts[at : at + _PIECE]))
    return len(sessions)


def _say(what: str, began: float) -> None:
    print(f"{what}: {time.monotonic() - began:.1f} s", flush=True)


if __name__ == "__main__":
    main()
