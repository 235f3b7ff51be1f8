"""The journal's entries: read in one query, each written in one with its span and what it used."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson
from psycopg.types.json import Jsonb

from agents.models import Run, Step
from agents.runtime.spending import COUNT, Used, added, count_values
from traces.prepared import Columns, prepared_cursor
from traces.recorder import ADD_SPANS, WRITE_SPAN, span_values, spans_json
from traces.records import SpanRecord

_KEY = ("run_id", "index")
_COLUMNS = tuple(field.attname for field in Step._meta.concrete_fields if not field.primary_key)
_JSON = ("request", "response")


@dataclass(frozen=True)
class Entry:
    """A step as it is, its span, and what it used of the day."""

    step: Step
    span: SpanRecord
    used: Used


class WriteEntry(Protocol):
    """What takes an entry: `write_entry`, or a play that keeps it in memory for a while."""

    def __call__(
        self,
        *,
        run: Run,
        step: Step,
        span: SpanRecord,
        used: Used | None = None,
        are_totals_due: bool = True,
    ) -> None:
        """Take a step as it is now; see `write_entry`."""


def read_entries(run: Run) -> list[Step]:
    """Return the steps of a run, by index. One query."""
    with prepared_cursor() as cursor:
        cursor.execute(_READ, [run.pk])
        steps = [_STEP.instance(iter(row)) for row in cursor.fetchall()]
    for step in steps:
        step.run = run
    return steps


def write_entry(
    *,
    run: Run,
    step: Step,
    span: SpanRecord,
    used: Used | None = None,
    are_totals_due: bool = True,
) -> None:
    """Write a step as it is now, its span, and what it used of the day; inside `fenced`.

    Counting takes the last locks of a transaction: what else it locks comes before.

    Args:
        run: Of the step.
        step: New, or written before; it has its key afterwards.
        span: Replaces the one of the same id.
        used: Added to the day's sums.
        are_totals_due: Not where another entry of the session follows at once.

    One statement.
    """
    values = {
        **{f"step_{name}": getattr(step, name) for name in _COLUMNS},
        **{f"step_{name}": _json(getattr(step, name)) for name in _JSON},
        **span_values(run.session, span),
        **count_values(run, used or {}),
        "are_totals_due": are_totals_due,
    }
    with prepared_cursor() as cursor:
        cursor.execute(_WRITE, values)
        (step.pk,) = cursor.fetchone()
    step._state.adding = False


def write_entries(*, run: Run, entries: Sequence[Entry], are_totals_due: bool) -> None:
    """Write entries that the journal has not yet, as `write_entry` would one by one.

    The steps have their keys afterwards. One statement.
    """
    used = Used()
    for entry in entries:
        used = added(used, entry.used)
    values = {
        "step_rows": _steps_json(entry.step for entry in entries),
        "span_rows": spans_json(run.session, [entry.span for entry in entries]),
        "session": run.session_id,
        **count_values(run, used),
        "are_totals_due": are_totals_due,
    }
    with prepared_cursor() as cursor:
        cursor.execute(_WRITE_NEW, values)
        keys = dict(cursor.fetchall())
    for entry in entries:
        entry.step.pk, entry.step._state.adding = keys[entry.step.index], False


def _steps_json(steps: Iterable[Step]) -> str:
    return orjson.dumps(
        [
            {
                name: orjson.Fragment(json.dumps(value)) if name in _JSON else value
                for name in _COLUMNS
                for value in (getattr(step, name),)
            }
            for step in steps
        ],
        default=str,
    ).decode()


def _json(value: object) -> Jsonb | None:
    return None if value is None else Jsonb(value)


_STEP = Columns(Step, "step")
_READ = f'SELECT {_STEP.sql} FROM agents_step step WHERE run_id = %s ORDER BY "index"'
_QUOTED = ", ".join(f'"{name}"' for name in _COLUMNS)
_WRITE_NEW = f"""
WITH step AS (
    INSERT INTO agents_step ({_QUOTED})
    SELECT {_QUOTED} FROM jsonb_populate_recordset(NULL::agents_step, %(step_rows)s::jsonb)
    RETURNING "index", id
), span AS ({ADD_SPANS}), due AS (
    INSERT INTO traces_totalsdue (session_id, added_at)
    SELECT %(session)s, now() WHERE %(are_totals_due)s
), {COUNT}
SELECT "index", id FROM step
"""
_WRITE = f"""
WITH step AS (
    INSERT INTO agents_step ({", ".join(f'"{name}"' for name in _COLUMNS)})
    VALUES ({", ".join(f"%(step_{name})s" for name in _COLUMNS)})
    ON CONFLICT ({", ".join(f'"{name}"' for name in _KEY)}) DO UPDATE SET
        {", ".join(f'"{name}" = excluded."{name}"' for name in _COLUMNS if name not in _KEY)}
    RETURNING id
), span AS ({WRITE_SPAN}), due AS (
    INSERT INTO traces_totalsdue (session_id, added_at)
    SELECT %(span_session_id)s, now() WHERE %(are_totals_due)s
), {COUNT}
SELECT id FROM step
"""
