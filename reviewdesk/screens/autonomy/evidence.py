"""What people decided about a tool's calls, and how it was called lately."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from agents.models import Agent, ToolApproval
from agents.tools.contract import ToolContract
from reviewdesk.kpis.estimates import Estimate, rate
from reviewdesk.screens.autonomy.matrix import since_when
from traces.models import Session, Span

MIN_DECIDED = 5
_SHOWN = 8
_SECOND = 1_000_000_000

_LATENCY = """
SELECT count(*), percentile_cont(ARRAY[0.5, 0.9]) WITHIN GROUP (
    ORDER BY extract(epoch FROM approval.decided_at - approval.created_at)
)
FROM agents_toolapproval AS approval JOIN agents_run AS run ON run.id = approval.run_id
WHERE run.agent_id = %(agent)s AND run.kind = 'live' AND approval.tool = %(tool)s
    AND approval.kind = 'approval' AND approval.decided_by_id IS NOT NULL
    AND NOT approval.is_canary AND approval.decided_at >= %(since)s
"""


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
class Latency:
    """How long calls waited for the person who decided them, over the last `DAYS` days.

    Attributes:
        median: None where nobody decided one.
        p90: Nine in ten were decided sooner; None like `median`.
    """

    n: int
    median: timedelta | None
    p90: timedelta | None


@dataclass(frozen=True)
class Call:
    """One call as its session recorded it."""

    at: datetime
    session: Session
    arguments: dict[str, Any]
    status: str
    problem: str
    duration_ns: int


def decisions_of(agent: Agent, contract: ToolContract) -> Decisions:
    """Return the decisions since the tool's contract is what it is. One query."""
    statuses = ToolApproval.Status
    approval = Q(kind=ToolApproval.Kind.APPROVAL)
    suggestion = Q(kind=ToolApproval.Kind.SUGGESTION)
    wanted = {
        "num_approved": approval & Q(status=statuses.APPROVED),
        "num_edited": approval & Q(status=statuses.EDITED),
        "num_rejected": approval & Q(status__in=[statuses.REJECTED, statuses.RESPONDED]),
        "num_expired": approval & Q(status=statuses.EXPIRED),
        "num_waiting": Q(status=statuses.WAITING),
        "num_good": suggestion & Q(status=statuses.APPROVED),
        "num_bad": suggestion & Q(status=statuses.REJECTED),
    }
    found = ToolApproval.objects.filter(
        run__agent=agent, tool=contract.name, tool_version=contract.version, is_canary=False
    ).aggregate(**{name: Count("pk", filter=which) for name, which in wanted.items()})
    num_judged = found["num_good"] + found.pop("num_bad")
    decided = found["num_approved"] + found["num_edited"] + found["num_rejected"]
    return Decisions(
        **found,
        unedited=rate(found["num_approved"], decided, min_n=MIN_DECIDED),
        good_suggestions=rate(found["num_good"], num_judged, min_n=MIN_DECIDED),
    )


def latency_of(agent: Agent, tool: str, *, now: datetime) -> Latency:
    """Return how long people took to decide. One query; expired calls nobody decided."""
    values: dict[str, Any] = {"agent": agent.pk, "tool": tool, "since": since_when(now)}
    with connection.cursor() as cursor:
        cursor.execute(_LATENCY, values)
        num, seconds = cursor.fetchone()
    if not num:
        return Latency(0, None, None)
    return Latency(num, timedelta(seconds=seconds[0]), timedelta(seconds=seconds[1]))


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
