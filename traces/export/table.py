"""The session list as CSV, for spreadsheets."""

import csv
import io
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet

from traces.export.reading import chunks_of
from traces.export.sight import EVERYTHING, Sight
from traces.labels import completed_labels, verdict_of
from traces.models import Label, Session

COLUMNS = (
    "id",
    "title",
    "status",
    "outcome",
    "cause",
    "severity",
    "num_labels",
    "agent",
    "version",
    "customer",
    "started_at",
    "ended_at",
    "duration_s",
    "steps",
    "errors",
    "tools",
    "models",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_usd",
    "source",
    "external_id",
)
# A spreadsheet takes a cell that begins so for a formula (OWASP, "CSV injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_SECOND = 1_000_000_000


def export_csv(sessions: QuerySet[Session], sight: Sight = EVERYTHING) -> Iterator[str]:
    """Yield the head and the sessions in their order, some rows at a time (two queries each).

    Outcome and cause are told to everybody, as in the list; severity as labels are.
    """
    yield _text([COLUMNS])
    for chunk in chunks_of(sessions):
        labels = completed_labels(chunk)
        yield _text([_row(each, labels.get(each.pk, []), sight) for each in chunk])


def _row(session: Session, labels: list[Label], sight: Sight) -> tuple[Any, ...]:
    verdict = verdict_of(labels)
    return (
        session.pk,
        session.title,
        session.status,
        verdict.outcome,
        verdict.cause,
        verdict_of(sight.labels_of(labels)).severity,
        verdict.num_labels,
        session.agent_name,
        session.version_name,
        session.customer,
        session.started_at.isoformat(),
        session.ended_at.isoformat() if session.ended_at else None,
        f"{(session.last_ns - session.first_ns) / _SECOND:.3f}",
        session.num_steps,
        session.num_errors,
        ", ".join(session.tools),
        ", ".join(session.model_names),
        session.input_tokens,
        session.output_tokens,
        session.cached_tokens,
        session.reasoning_tokens,
        None if session.cost_usd is None else f"{session.cost_usd:f}",
        session.source,
        session.external_id,
    )


def _text(rows: list[Any]) -> str:
    """Return the rows as CSV; what is unknown is an empty cell."""
    file = io.StringIO()
    csv.writer(file).writerows([[_cell(value) for value in row] for row in rows])
    return file.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value
