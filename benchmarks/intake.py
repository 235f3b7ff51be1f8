"""Benchmark 1: how many spans a second the desk takes in over OTLP/HTTP, each committed.

Four connections send requests of 100 spans (see `sending.py`). In the same run the same rows, as
spans of other sessions, go into the same table by COPY to a temporary table and
`INSERT … ON CONFLICT`, committed per 100, over as many connections: what PostgreSQL can do without
a web server, decoding, masking and sessions (which are inserted before the clock starts). Beside
it stands what a bare table of the same columns and key takes, without partitions and foreign key.
Prints all three, both ratios, of which the first is the criterion, and how fast one core decodes.

    python benchmarks/intake.py [--seconds 20] [--connections 4]
"""

import argparse
import time
from collections import Counter
from threading import Thread
from typing import Any

import psycopg
from desk import Desk, machine, print_result, running_desk, spread
from sending import SPANS, Sender, make_bodies, send_together

WARM_UP_SECONDS = 3.0
_COLUMNS = """session_id, span_id, parent_id, kind, name, start_ns, duration_ns, status,
    status_message, model, input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_usd,
    cost_from, heard, input, output, attributes, trace_id, emitter_id, otel, masked"""
_MOST_ROWS = 100_000
_COPIED_SESSIONS = """
INSERT INTO traces_session (
    id, project_id, source, external_id, status, status_reason, is_golden, agent_name,
    version_name, customer, title, started_at, first_ns, last_ns, working_ns, num_steps, num_spans,
    num_errors, tools, metadata, said)
SELECT copied.id, %s, source, external_id, status, '', FALSE, agent_name, version_name, customer,
    title, started_at, first_ns, last_ns, 0, 0, 0, 0, '[]', '{}', ''
FROM baseline_session AS copied JOIN traces_session AS session ON session.id = copied.old_id
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--connections", type=int, default=4)
    given = parser.parse_args()
    with running_desk() as desk:
        desk.use_django()
        project = desk.make_project()
        key = desk.make_key(project)
        senders = [Sender(desk.port, key, make_bodies(n)) for n in range(given.connections)]
        rate = _send(senders, given.seconds)
        answers = sum((sender.answers for sender in senders), Counter[int]())
        with desk.connect() as connection:
            stored = _wait_for_totals(connection)
            taken = sum(len(sender.acknowledged) for sender in senders) * SPANS
            facts = machine(connection)
        print(f"over HTTP        {rate:10,.0f} spans/s; answers: {dict(answers)}")
        print(f"acknowledged     {taken:10,} spans; in the database {stored:,}")
        baseline = _baseline(desk, given.connections)
        print(f"COPY + INSERT    {baseline:10,.0f} rows/s, same table; ratio {rate / baseline:.2f}")
        bare = _bare(desk, given.connections)
        print(f"  bare table     {bare:10,.0f} rows/s, no foreign key; ratio {rate / bare:.2f}")
        decoded = _decode_rate(senders[0].bodies)
        print(f"decoding         {decoded:10,.0f} spans/s on one core")
        seconds = [each for sender in senders for each in sender.seconds]
        print_result(
            "intake",
            facts,
            spans_per_second=round(rate),
            baseline_rows_per_second=round(baseline),
            ratio=round(rate / baseline, 3),
            bare_table_rows_per_second=round(bare),
            ratio_to_bare_table=round(rate / bare, 3),
            decoded_per_second=round(decoded),
            acknowledged=taken,
            stored=stored,
            answers={str(status): num for status, num in answers.items()},
            request_ms=spread(seconds),
        )


def _send(senders: list[Sender], seconds: float) -> float:
    """Send for so long after a warm-up; return acknowledged spans per second."""
    ends = time.monotonic() + WARM_UP_SECONDS + seconds
    threads = send_together(senders, lambda: time.monotonic() > ends)
    time.sleep(WARM_UP_SECONDS)
    began, before = time.monotonic(), sum(len(sender.acknowledged) for sender in senders)
    time.sleep(seconds)
    num = sum(len(sender.acknowledged) for sender in senders) - before
    took = time.monotonic() - began
    for thread in threads:
        thread.join()
    return num * SPANS / took


def _wait_for_totals(connection: "psycopg.Connection[tuple[Any, ...]]") -> int:
    """Let the refresher catch up, say how long that took, and return how many spans are stored."""
    began = time.monotonic()
    while _value(connection, "SELECT count(*) FROM traces_totalsdue"):
        time.sleep(0.1)
    print(f"totals           {time.monotonic() - began:10.1f} s behind at the end")
    num_spans: int = _value(connection, "SELECT count(*) FROM traces_span")
    counted = _value(connection, "SELECT sum(num_spans) FROM traces_session")
    assert counted == num_spans, f"totals count {counted} spans of {num_spans}"
    return num_spans


def _value(connection: "psycopg.Connection[tuple[Any, ...]]", query: str) -> Any:
    row = connection.execute(query).fetchone()
    return row[0] if row else None


def _baseline(desk: Desk, num_connections: int) -> float:
    """Return rows per second of plain PostgreSQL into the span table itself.

    The sessions are copies in a project of their own, without the web and nobody's totals due.
    """
    other = desk.make_project("baseline")
    with desk.connect() as connection:
        connection.execute(
            "CREATE TABLE baseline_session AS SELECT session_id AS old_id, gen_random_uuid() AS id "
            f"FROM (SELECT session_id FROM traces_span LIMIT {_MOST_ROWS}) AS span GROUP BY 1"
        )
        connection.execute(_COPIED_SESSIONS, [other.pk])
        query = (
            f"SELECT copied.id, {_COLUMNS.partition(',')[2]} FROM baseline_session AS copied "
            "JOIN traces_span AS span ON span.session_id = copied.old_id "
            f"ORDER BY copied.old_id LIMIT {_MOST_ROWS}"
        )
        batches = _batches(connection, query)
    return _rate(desk, "traces_span", batches, num_connections)


def _bare(desk: Desk, num_connections: int) -> float:
    """Return rows per second into a table of the same columns and key alone."""
    with desk.connect() as connection:
        connection.execute("CREATE TABLE baseline_span (LIKE traces_span INCLUDING ALL)")
        query = f"SELECT {_COLUMNS} FROM traces_span LIMIT {_MOST_ROWS}"
        batches = _batches(connection, query)
    return _rate(desk, "baseline_span", batches, num_connections)


def _rate(desk: Desk, table: str, batches: list[bytes], num_connections: int) -> float:
    """Return rows per second of all connections together; each row must be new."""
    with desk.connect() as connection:
        before = _value(connection, f"SELECT count(*) FROM {table}")
    share = [batches[n::num_connections] for n in range(num_connections)]
    threads = [Thread(target=_insert, args=(desk, table, each)) for each in share]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    with desk.connect() as connection:
        num_new: int = _value(connection, f"SELECT count(*) FROM {table}") - before
    assert num_new == len(batches) * SPANS, f"{num_new} rows are new in {table}"
    return num_new / took


def _batches(connection: "psycopg.Connection[tuple[Any, ...]]", query: str) -> list[bytes]:
    """Return rows in COPY's text form, 100 together."""
    with connection.cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT") as copy:
        lines = b"".join(copy).splitlines(keepends=True)
    whole = len(lines) - len(lines) % SPANS
    return [b"".join(lines[at : at + SPANS]) for at in range(0, whole, SPANS)]


def _insert(desk: Desk, table: str, batches: list[bytes]) -> None:
    with desk.connect() as connection:
        connection.execute(
            "CREATE TEMPORARY TABLE batch ON COMMIT DELETE ROWS AS "
            f"SELECT {_COLUMNS} FROM traces_span WITH NO DATA"
        )
        insert = (
            f"INSERT INTO {table} ({_COLUMNS}) SELECT {_COLUMNS} FROM batch ON CONFLICT DO NOTHING"
        )
        for batch in batches:
            with connection.transaction(), connection.cursor() as cursor:
                with cursor.copy(f"COPY batch ({_COLUMNS}) FROM STDIN") as copy:
                    copy.write(batch)
                cursor.execute(insert)


def _decode_rate(bodies: list[bytes]) -> float:
    """Return spans per second that one core decodes."""
    from traces.ingest.otlp import PROTOBUF_TYPE, decode_traces  # needs the setup

    began, num_spans = time.process_time(), 0
    while time.process_time() < began + 1:
        for body in bodies:
            num_spans += len(decode_traces(body, PROTOBUF_TYPE).spans)
    return num_spans / (time.process_time() - began)


if __name__ == "__main__":
    main()
