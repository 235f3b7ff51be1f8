"""Costs computed anew, after a price was learned or corrected. A reported cost is never touched."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from traces.errors import PriceError
from traces.models import Project, Repricing, Session
from traces.pricing import PriceTable, price_table
from traces.records import from_ns
from traces.totals import refresh_totals

BATCH_SESSIONS = 200

# Which spans: computed before; of unknown cost though model and tokens are known; and those of our
# own runs from before costs said where they are from. `first` prunes older partitions.
_SPANS = """
SELECT span.session_id, span.span_id, span.start_ns, span.model, span.input_tokens,
    span.output_tokens, span.cached_tokens, span.reasoning_tokens, span.cost_usd, span.cost_from
FROM traces_span AS span JOIN traces_session AS session ON session.id = span.session_id
WHERE span.session_id = ANY(%s) AND span.start_ns >= %s AND span.model <> ''
    AND (span.cost_from = 'computed' OR span.cost_from = '' AND (
        span.cost_usd IS NULL AND span.input_tokens IS NOT NULL AND span.output_tokens IS NOT NULL
        OR span.cost_usd IS NOT NULL AND session.source = 'runtime'))
"""
_UPDATE = """
UPDATE traces_span SET cost_usd = %s, cost_from = %s
WHERE session_id = %s AND span_id = %s AND start_ns = %s AND cost_from <> 'reported'
"""
# Costs have eight decimals; what differs by less is the same.
_UNIT = Decimal("0.00000001")


@dataclass(frozen=True)
class RepricingCounts:
    """What was looked at and what changed.

    Attributes:
        sessions: Looked at.
        spans: With another cost now.
        before_usd: Known cost of these spans before.
        after_usd: And after.
    """

    sessions: int = 0
    spans: int = 0
    before_usd: Decimal = Decimal(0)
    after_usd: Decimal = Decimal(0)

    def __add__(self, other: "RepricingCounts") -> "RepricingCounts":
        """Return both together."""
        return RepricingCounts(
            self.sessions + other.sessions,
            self.spans + other.spans,
            self.before_usd + other.before_usd,
            self.after_usd + other.after_usd,
        )


def start_repricing(*, project: Project, since: date, by: AbstractBaseUser | None) -> Repricing:
    """Ask for the costs of all sessions since a day; the scheduler computes them.

    Raises:
        PriceError: One is under way already.
    """
    try:
        with transaction.atomic():
            return Repricing.objects.create(
                project=project,
                since=since,
                by_id=by.pk if by else None,
                num_sessions=_sessions(project, since).count(),
            )
    except IntegrityError:
        raise PriceError(
            "Costs are being recomputed already; ask again when that has finished."
        ) from None


def advance_repricings(*, seconds: float = 1.0) -> int:
    """Go on with what was asked for, about this long; return how many sessions were looked at.

    A batch is a transaction with the row of the repricing locked: interrupted, it goes on where
    it was, and two processes never do the same.
    """
    until = timezone.now().timestamp() + seconds
    num_done = 0
    while timezone.now().timestamp() < until:
        done = _advance_one()
        if done is None:
            break
        num_done += done
    return num_done


def reprice(*, project: Project, since: date, is_dry_run: bool = False) -> RepricingCounts:
    """Compute the costs of all sessions since a day now, in batches; or only say what would be."""
    counts, after = RepricingCounts(), None
    while batch := _batch(_sessions(project, since), after):
        with transaction.atomic():
            counts += _reprice_batch(project, batch, is_dry_run=is_dry_run)
        after = (batch[-1].started_at, batch[-1].pk)
    return counts


def _advance_one() -> int | None:
    """Do a batch; None where nothing is under way."""
    with transaction.atomic():
        found = Repricing.objects.select_for_update(skip_locked=True, of=("self",))
        job = found.select_related("project").filter(finished_at=None).order_by("pk").first()
        if job is None:
            return None
        after = (job.last_started_at, job.last_id) if job.last_started_at and job.last_id else None
        batch = _batch(_sessions(job.project, job.since), after)
        if batch:
            counts = _reprice_batch(job.project, batch)
            job.num_done += counts.sessions
            job.num_changed += counts.spans
            job.last_started_at, job.last_id = batch[-1].started_at, batch[-1].pk
        if len(batch) < BATCH_SESSIONS:
            job.finished_at = timezone.now()
        job.save()
    return len(batch)


def _sessions(project: Project, since: date) -> QuerySet[Session]:
    start = datetime(since.year, since.month, since.day, tzinfo=UTC)
    sessions = Session.objects.filter(project=project, started_at__gte=start)
    return sessions.exclude(source=Session.Source.DEMO)


def _batch(sessions: QuerySet[Session], after: tuple[datetime, uuid.UUID] | None) -> list[Session]:
    if after is not None:
        started_at, pk = after
        sessions = sessions.filter(started_at__gte=started_at).filter(
            Q(started_at__gt=started_at) | Q(pk__gt=pk)
        )
    only = sessions.only("pk", "started_at", "first_ns").order_by("started_at", "pk")
    return list(only[:BATCH_SESSIONS])


def _reprice_batch(
    project: Project, batch: Sequence[Session], *, is_dry_run: bool = False
) -> RepricingCounts:
    table = price_table(project)
    ids = [session.pk for session in batch]
    counts = RepricingCounts(sessions=len(batch))
    changes: list[list[Any]] = []
    with connection.cursor() as cursor:
        cursor.execute(_SPANS, [ids, min(session.first_ns for session in batch)])
        for row in cursor.fetchall():
            before, cost = row[8], _cost(table, row)
            if cost == before and (row[9] == "computed" or cost is None):
                continue
            changes.append([cost, "" if cost is None else "computed", *row[:3]])
            counts += RepricingCounts(
                0, int(cost != before), before or Decimal(0), cost or Decimal(0)
            )
        if changes and not is_dry_run:
            cursor.executemany(_UPDATE, changes)
    if changes and not is_dry_run:
        refresh_totals(sorted({change[2] for change in changes}))
    return counts


def _cost(table: PriceTable, row: Sequence[Any]) -> Decimal | None:
    """Return the span's cost, rounded as it is stored; what nobody knows a price of is unknown."""
    _, _, start_ns, model, input_tokens, output_tokens, cached, reasoning, *_ = row
    cost = table.cost(
        model=model,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_tokens=cached,
        reasoning_tokens=reasoning,
        at=from_ns(start_ns).date(),
    )
    return None if cost is None else cost.quantize(_UNIT)
