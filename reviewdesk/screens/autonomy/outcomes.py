"""The last calls of a tool that went wrong: labelled so, failed, rejected or undone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from agents.models import Agent, Run, ToolApproval, UndoableCall
from reviewdesk.screens.autonomy.matrix import since_when
from traces.models import Label, Session, Span

SHOWN = 8
_SESSIONS = 40
_SECOND = 1_000_000_000
_SEVERITIES = {
    "critical": ("bad solid", "alert-octagon"),
    "major": ("bad", "circle-x"),
    "minor": ("warn", "circle-half-2"),
}


@dataclass(frozen=True)
class Outcome:
    """One call, or a session with such a call, that went wrong.

    Attributes:
        pill: (kind, icon, word).
        text: What was said of it.
    """

    at: datetime
    pill: tuple[str, str, str]
    text: str
    session_id: Any


def bad_outcomes(agent: Agent, tool: str, *, now: datetime) -> list[Outcome]:
    """Return the latest bad outcomes of the last `DAYS` days, newest first. Seven queries."""
    since = since_when(now)
    found = [
        *_labelled(agent, tool, since),
        *_failed(agent, tool, since),
        *_rejected(agent, tool, since),
        *_undone(agent, tool, since),
    ]
    return sorted(found, key=lambda each: each.at, reverse=True)[:SHOWN]


def _labelled(agent: Agent, tool: str, since: datetime) -> Iterable[Outcome]:
    """Yield labelled sessions, unless the label blames another call."""
    labels = list(
        Label.objects.filter(
            Q(outcome="harmful") | Q(answers__severity__in=list(_SEVERITIES)),
            completed_at__gte=since,
            session__project=agent.project_id,
            session__agent_name=agent.slug,
            session__is_golden=False,
            session__tools__contains=[tool],
        )
        .exclude(outcome="resolved")
        .select_related("session")
        .defer("session__said", "session__said_vector", "session__metadata")
        .order_by("-completed_at", "-pk")[: 3 * SHOWN]
    )
    blamed = _blamed_calls(labels)
    seen = set()
    for label in labels:
        call = blamed.get((label.session_id, label.first_wrong_span_id))
        if label.session_id in seen or call not in (None, tool):
            continue
        seen.add(label.session_id)
        text = label.comment.strip() or label.session.title or "Session"
        assert label.completed_at is not None  # noqa: S101  for the type checker
        yield Outcome(label.completed_at, _label_pill(label), text, label.session_id)


def _blamed_calls(labels: list[Label]) -> dict[tuple[Any, str], str]:
    """Return the tool of each first wrong step that is a call. One query."""
    spans = Span.objects.filter(
        session__in={label.session_id for label in labels},
        span_id__in={label.first_wrong_span_id for label in labels} - {""},
        kind=Span.Kind.TOOL,
        start_ns__gte=min((label.session.first_ns for label in labels), default=0),
    )
    rows = spans.values_list("session_id", "span_id", "name")
    return {(session, span): name for session, span, name in rows}


def _label_pill(label: Label) -> tuple[str, str, str]:
    if label.outcome == "harmful":
        return "bad solid", "alert-octagon", "harmful"
    severity = str(label.answers.get("severity", ""))
    return (*_SEVERITIES[severity], severity)


def _failed(agent: Agent, tool: str, since: datetime) -> Iterable[Outcome]:
    """Yield failed calls of the newest sessions with errors; not those that people decided."""
    sessions = dict(
        Session.objects.filter(
            project=agent.project_id,
            agent_name=agent.slug,
            is_golden=False,
            started_at__gte=since,
            tools__contains=[tool],
            num_errors__gt=0,
        )
        .order_by("-started_at", "-pk")
        .values_list("pk", "first_ns")[:_SESSIONS]
    )
    decided = ToolApproval.objects.filter(run__session__in=sessions, tool=tool).exclude(
        status__in=[ToolApproval.Status.APPROVED, ToolApproval.Status.EDITED]
    )
    spans = (
        Span.objects.filter(
            session__in=sessions,
            kind=Span.Kind.TOOL,
            name=tool,
            status="error",
            start_ns__gte=min(sessions.values(), default=0),
        )
        .exclude(span_id__in=list(decided.values_list("step__span_id", flat=True)))
        .order_by("-start_ns")
        .values_list("start_ns", "status_message", "session_id")
    )
    for start_ns, message, session_id in spans[:SHOWN]:
        at = datetime.fromtimestamp(start_ns // _SECOND, tz=UTC)
        yield Outcome(at, ("bad", "alert-triangle", "failed"), message or "no message", session_id)


def _rejected(agent: Agent, tool: str, since: datetime) -> Iterable[Outcome]:
    rows = ToolApproval.objects.filter(
        run__agent=agent,
        run__kind=Run.Kind.LIVE,
        tool=tool,
        status=ToolApproval.Status.REJECTED,
        decided_at__gte=since,
        is_canary=False,
    ).order_by("-decided_at")
    for at, message, session_id in rows.values_list("decided_at", "message", "run__session_id")[
        :SHOWN
    ]:
        if at is not None:
            yield Outcome(at, ("warn", "ban", "rejected"), message, session_id)


def _undone(agent: Agent, tool: str, since: datetime) -> Iterable[Outcome]:
    rows = UndoableCall.objects.filter(
        agent_tool__agent=agent,
        agent_tool__name=tool,
        status=UndoableCall.Status.UNDONE,
        undone_at__gte=since,
    ).order_by("-undone_at")
    for at, reason, session_id in rows.values_list("undone_at", "reason", "run__session_id")[
        :SHOWN
    ]:
        if at is not None:
            yield Outcome(at, ("warn", "arrow-back-up", "undone"), reason, session_id)
