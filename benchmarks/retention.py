"""What deleting by age costs: a week's partition dropped whole, and the same row by row.

    .venv/bin/python benchmarks/retention.py [--sessions 5000]

Two projects have the same sessions of ten spans in two past weeks. In the first week nothing is
kept: its partition is dropped. In the second another project's session is kept, so that the spans
go row by row. The sessions' own rows (with labels, queue entries and search vectors) are deleted
one by one in both.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from desk import running_desk

SPANS_EACH = 10
MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


def main() -> None:
    """Fill a desk of its own, delete both weeks, and print how long each took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sessions", type=int, default=5_000)
    num: int = parser.parse_args().sessions
    with running_desk() as desk:
        desk.use_django()
        project, other = desk.make_project("due"), desk.make_project("kept")
        for week in (0, 1):
            _fill(project, num, MONDAY + timedelta(weeks=week))
        _fill(other, 1, MONDAY + timedelta(weeks=1))
        _measure(project, num)


def _fill(project: Any, num: int, start: datetime) -> None:
    from traces.ingest.store import store_sessions  # Django is set up by now
    from traces.records import SessionRecord, SpanRecord, to_ns

    first = to_ns(start)

    def records() -> Any:
        for session in range(num):
            spans = tuple(
                SpanRecord(
                    span_id=f"{span + 1:016x}",
                    kind="tool" if span % 2 else "model",
                    name="look_up" if span % 2 else "chat",
                    start_ns=first + session * 10_000_000 + span,
                    output={"content": "Your order is on its way to you. " * 18},
                )
                for span in range(SPANS_EACH)
            )
            yield SessionRecord(
                "otlp", f"{project.slug}-{start:%W}-{session}", "completed", "a", "v1", spans
            )

    store_sessions(project=project, records=records())


def _measure(project: Any, num: int) -> None:
    from agents.retention import kept_sessions
    from traces.retention import (
        apply_retention,
        drop_whole_weeks,
        set_retention,
    )

    policy = set_retention(
        project=project, keep_days=30, keeps_labelled=True, by=None, reason="Benchmark."
    )
    kept = kept_sessions()
    start = time.perf_counter()
    dropped = drop_whole_weeks(kept=kept)
    whole = time.perf_counter() - start
    start = time.perf_counter()
    deleted = apply_retention(policy=policy, kept=kept)
    by_row = time.perf_counter() - start
    print(f"{num:,} sessions of {SPANS_EACH} spans a week")
    print(f"partition dropped: {whole:6.2f} s  ({dropped.sessions / whole:,.0f} sessions/s)")
    print(f"row by row:        {by_row:6.2f} s  ({deleted / by_row:,.0f} sessions/s)")


if __name__ == "__main__":
    main()
