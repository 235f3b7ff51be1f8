"""The journal's entries: read in one query, each written in one with its span and what it used."""

from psycopg.types.json import Jsonb

from agents.models import Run, Step
from agents.runtime.spending import COUNT, Used, count_values
from traces.prepared import Columns, prepared_cursor
from traces.recorder import WRITE_SPAN, span_values
from traces.records import SpanRecord

_KEY = ("run_id", "index")
_COLUMNS = tuple(field.attname for field in Step._meta.concrete_fields if not field.primary_key)
_JSON = ("request", "response")


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


def _json(value: object) -> Jsonb | None:
    return None if value is None else Jsonb(value)


_STEP = Columns(Step, "step")
_READ = f'SELECT {_STEP.sql} FROM agents_step step WHERE run_id = %s ORDER BY "index"'
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
