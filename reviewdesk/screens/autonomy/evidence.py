"""What people decided about a tool's calls, and how it was called lately."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q

from agents.models import Agent, ToolApproval
from agents.tools.contract import ToolContract
from reviewdesk.kpis.estimates import Estimate, rate
from reviewdesk.screens.autonomy.calls import calls_since
from reviewdesk.screens.autonomy.matrix import DAYS, since_when
from traces.models import Session, Span

MIN_DECIDED = 5
_SHOWN = 8
_SECOND = 1_000_000_000


@dataclass(frozen=True)
class Decisions:
    """How people decided the calls of a tool, at its present contract.

    Attributes:
        unedited: Share of calls approved as proposed, among those that a person decided.
        good_suggestions: Share of proposals called good, among those that were judged.
    """

    num_approved: int
    num_edited: int
    num_rejected: int
    num_expired: int
    num_waiting: int
    num_good: int
    unedited: Estimate
    good_suggestions: Estimate

    @property
    def num_decided(self) -> int:
        """Return how many calls a person decided; expired ones nobody did."""
        return self.num_approved + self.num_edited + self.num_rejected


@dataclass(frozen=True)
class Call:
    """One call as its session recorded it."""

    at: datetime
    session: Session
    arguments: dict[str, Any]
    status: str
    problem: str
    duration_ns: int


@dataclass(frozen=True)
class Day:
    """The calls of one day (UTC)."""

    day: date
    num_done: int
    num_failed: int

    @property
    def num_calls(self) -> int:
        """Return all of them."""
        return self.num_done + self.num_failed


def decisions_of(agent: Agent, contract: ToolContract) -> Decisions:
    """Return the decisions since the tool's contract is what it is. One query."""
    statuses = ToolApproval.Status
    approval = Q(kind=ToolApproval.Kind.APPROVAL)
    suggestion = Q(kind=ToolApproval.Kind.SUGGESTION)
    wanted = {
        "num_approved": approval & Q(status=statuses.APPROVED),
        "num_edited": approval & Q(status=statuses.EDITED),
        "num_rejected": approval & Q(status=statuses.REJECTED),
        "num_expired": approval & Q(status=statuses.EXPIRED),
        "num_waiting": Q(status=statuses.WAITING),
        "num_good": suggestion & Q(status=statuses.APPROVED),
        "num_bad": suggestion & Q(status=statuses.REJECTED),
    }
    found = ToolApproval.objects.filter(
        run__agent=agent, tool=contract.name, tool_version=contract.version
    ).aggregate(**{name: Count("pk", filter=which) for name, which in wanted.items()})
    num_judged = found["num_good"] + found.pop("num_bad")
    decided = found["num_approved"] + found["num_edited"] + found["num_rejected"]
    return Decisions(
        **found,
        unedited=rate(found["num_approved"], decided, min_n=MIN_DECIDED),
        good_suggestions=rate(found["num_good"], num_judged, min_n=MIN_DECIDED),
    )


def last_calls(agent: Agent, tool: str, *, now: datetime) -> list[Call]:
    """Return the latest calls with their sessions, newest first. Two queries.

    They are among those of the newest sessions that called the tool, which an index finds: none
    has spans by time, and these pages would pay for it with every span that comes in.
    """
    sessions = (
        Session.objects.filter(
            project=agent.project_id,
            agent_name=agent.slug,
            is_golden=False,
            started_at__gte=since_when(now),
            tools__contains=[tool],
        )
        .defer("said", "said_vector", "metadata")
        .order_by("-started_at", "-pk")
    )
    newest = {session.pk: session for session in sessions[:_SHOWN]}
    spans = (
        Span.objects.filter(
            session__in=newest,
            kind=Span.Kind.TOOL,
            name=tool,
            start_ns__gte=min((each.first_ns for each in newest.values()), default=0),
        )
        .defer("output", "attributes", "otel")
        .order_by("-start_ns")[:_SHOWN]
    )
    return [_call(span, newest[span.session_id]) for span in spans]


def calls_by_day(agent: Agent, tool: str, *, now: datetime) -> list[Day]:
    """Return the calls of sessions that began on each of the last `DAYS` days, oldest first."""
    since = since_when(now)
    rows = calls_since(agent.project, since, now=now, agent=agent.slug, tool=tool)
    counts = {day: (calls, failed) for _, _, day, calls, failed in rows}
    days = [since.date() + timedelta(days=number) for number in range(DAYS)]
    return [_day(day, *counts.get(day, (0, 0))) for day in days]


def _day(day: date, num_calls: int, num_failed: int) -> Day:
    return Day(day, num_calls - num_failed, num_failed)


def _call(span: Span, session: Session) -> Call:
    payload = span.input if isinstance(span.input, dict) else {}
    arguments = payload.get("arguments")
    return Call(
        at=datetime.fromtimestamp(span.start_ns // _SECOND, tz=UTC),
        session=session,
        arguments=arguments if isinstance(arguments, dict) else {},
        status=span.status,
        problem=span.status_message,
        duration_ns=span.duration_ns,
    )


def totals(days: Sequence[Day]) -> tuple[int, int]:
    """Return all calls and the failed ones of these days."""
    return sum(day.num_calls for day in days), sum(day.num_failed for day in days)
