"""What became of a tool's calls, day by day: of sums per day and of what people decided.

Calls belong to the day (UTC) on which their session began. Sums may lag by a minute.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from django.db.models import Count
from django.db.models.functions import TruncDate

from agents.models import Agent, Run, Step, ToolApproval, UndoableCall
from reviewdesk.screens.autonomy.calls import calls_since
from reviewdesk.screens.autonomy.matrix import DAYS, since_when


class Fate(StrEnum):
    """What became of a call; every call has one. Charts stack them in this order."""

    ALONE = "alone"
    APPROVED = "approved"
    PROPOSED = "proposed"
    EDITED = "edited"
    UNDONE = "undone"
    REJECTED = "rejected"
    FAILED = "failed"

    @property
    def words(self) -> str:
        """Return what people read."""
        return _WORDS[self]


_WORDS = {
    Fate.ALONE: "run alone",
    Fate.APPROVED: "approved unedited",
    Fate.PROPOSED: "proposed only",
    Fate.EDITED: "edited",
    Fate.UNDONE: "undone",
    Fate.REJECTED: "rejected",
    Fate.FAILED: "failed or expired",
}


@dataclass(frozen=True)
class Day:
    """The calls of one day (UTC)."""

    day: date
    counts: Mapping[Fate, int]

    @property
    def num_calls(self) -> int:
        """Return all of them."""
        return sum(self.counts.values())

    def row(self) -> list[int]:
        """Return the counts in the order of `Fate`."""
        return [self.counts.get(fate, 0) for fate in Fate]


def calls_by_day(agent: Agent, tool: str, *, now: datetime) -> list[Day]:
    """Return the calls of sessions that began on each of the last `DAYS` days, oldest first.

    Four queries.
    """
    since = since_when(now)
    rows = calls_since(agent.project, since, now=now, agent=agent.slug, tool=tool)
    sums = {day: (calls, failed) for _, _, day, calls, failed in rows}
    decided, failed_after = _decided(agent, tool, since)
    undone = _undone(agent, tool, since)
    days = [since.date() + timedelta(days=number) for number in range(DAYS)]
    return [
        Day(
            day,
            fates(
                *sums.get(day, (0, 0)),
                decided=decided.get(day, Counter()),
                num_failed_decided=failed_after[day],
                num_undone=undone[day],
            ),
        )
        for day in days
    ]


def fates(
    num_calls: int,
    num_failed: int,
    *,
    decided: Mapping[Fate, int],
    num_failed_decided: int,
    num_undone: int,
) -> dict[Fate, int]:
    """Return what became of a day's calls; what nothing else is known of ran alone.

    Args:
        num_calls: All calls, as their spans tell.
        num_failed: Those whose span is an error; a rejected call's is.
        decided: Calls by what people made of them, those that failed afterwards left out.
        num_failed_decided: How many of `num_failed` stand in `decided`.
        num_undone: Calls that were made and taken back.
    """
    found = {fate: decided.get(fate, 0) for fate in Fate}
    found[Fate.UNDONE] = num_undone
    found[Fate.FAILED] = max(num_failed - num_failed_decided, 0)
    found[Fate.ALONE] = max(num_calls - sum(found.values()), 0)
    return found


def totals(days: Sequence[Day]) -> dict[Fate, int]:
    """Return the calls of all days by what became of them."""
    return {fate: sum(day.counts.get(fate, 0) for day in days) for fate in Fate}


def _decided(
    agent: Agent, tool: str, since: datetime
) -> tuple[dict[date, Counter[Fate]], Counter[date]]:
    """Return the decided calls by day, and how many of them have an error for a span."""
    rows = (
        ToolApproval.objects.filter(
            run__agent=agent,
            run__kind=Run.Kind.LIVE,
            tool=tool,
            is_canary=False,
            run__session__started_at__gte=since,
        )
        .annotate(day=TruncDate("run__session__started_at", tzinfo=UTC))
        .values("day", "kind", "status", "step__status")
        .annotate(num=Count("pk"))
        .order_by()
    )
    found: dict[date, Counter[Fate]] = {}
    failed: Counter[date] = Counter()
    for row in rows:
        fate, is_error = _fate(row["kind"], row["status"], row["step__status"])
        if fate is None:
            continue
        found.setdefault(row["day"], Counter())[fate] += row["num"]
        if is_error:
            failed[row["day"]] += row["num"]
    return found, failed


def _fate(kind: str, status: str, step: str) -> tuple[Fate | None, bool]:
    """Return what an approval's row tells of its call, and whether its span is an error."""
    statuses = ToolApproval.Status
    is_error = step == Step.Status.FAILED
    if kind == ToolApproval.Kind.SUGGESTION:
        return Fate.PROPOSED, is_error
    if status in {statuses.REJECTED, statuses.RESPONDED}:
        return Fate.REJECTED, is_error
    if is_error or status in {statuses.EXPIRED, statuses.VOID, statuses.WAITING}:
        return None, is_error
    return (Fate.EDITED if status == statuses.EDITED else Fate.APPROVED), False


def _undone(agent: Agent, tool: str, since: datetime) -> Counter[date]:
    rows = (
        UndoableCall.objects.filter(
            agent_tool__agent=agent,
            agent_tool__name=tool,
            status=UndoableCall.Status.UNDONE,
            run__session__started_at__gte=since,
        )
        .annotate(day=TruncDate("run__session__started_at", tzinfo=UTC))
        .values("day")
        .annotate(num=Count("pk"))
        .order_by()
    )
    return Counter({row["day"]: row["num"] for row in rows})
