"""Lowering a level by rule: nobody has to be there for what went wrong to have a consequence.

Each rule looks at what happened since the level was last set, so that what people knew when they
raised it is not held against it; and each cause lowers once (`Demotion`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pghistory
from django.db import transaction
from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.urls import reverse

from agents.models import (
    AgentTool,
    Demotion,
    Incident,
    Level,
    Run,
    ToolApproval,
    ToolGuard,
    UndoableCall,
)
from agents.outbox import tell
from agents.tools.autonomy import database_now, lower_in_transaction
from agents.tools.evidence import CRITICAL, acted
from agents.tools.registry import contracts_named
from agents.tools.standing import freeze_authority
from traces.models import Label

MAX_REJECTIONS = 3
MAX_UNDONE = 2
WINDOW = timedelta(days=1)
ACTING = (Level.ACT_WITH_UNDO, Level.AUTONOMOUS)


@dataclass(frozen=True)
class _Cause:
    """Why a tool is to be lowered.

    Attributes:
        agent_tool: Its id.
        source: Names the cause, the same whenever it is found.
        why: For people.
        is_one_step: One level lower, instead of to `approve`.
    """

    agent_tool: int
    rule: Demotion.Rule
    source: str
    why: str
    is_one_step: bool = False


def demote_by_rule() -> int:
    """Lower what the rules say; return how many levels were lowered. For the sweeper.

    Five queries where nothing is to be done, each over what happened within a day.
    """
    now = database_now()
    causes = [
        *_rejected(now),
        *_undone(now),
        *_behind_open_breakers(),
        *_in_incidents(now),
        *_labelled(now),
    ]
    return sum(_demote(cause) for cause in causes)


def _rejected(now: datetime) -> Iterator[_Cause]:
    rejections = ToolApproval.objects.filter(
        Q(leaves_at=None) | Q(leaves_at__lte=now),
        run__agent_id=OuterRef("agent_id"),
        run__kind=Run.Kind.LIVE,
        tool=OuterRef("name"),
        kind=ToolApproval.Kind.APPROVAL,
        status=ToolApproval.Status.REJECTED,
        is_canary=False,
        decided_at__gte=Greatest(OuterRef("changed_at"), now - WINDOW),
    )
    found = AgentTool.objects.filter(level__in=[Level.APPROVE, *ACTING]).annotate(
        num=_count_of(rejections), latest=Subquery(rejections.order_by("-pk").values("pk")[:1])
    )
    for row in found.filter(num__gte=MAX_REJECTIONS):
        why = f"{row.num} calls were rejected within a day"
        yield _Cause(row.pk, Demotion.Rule.REJECTION, f"approval:{row.latest}", why, True)


def _undone(now: datetime) -> Iterator[_Cause]:
    undone = UndoableCall.objects.filter(
        agent_tool=OuterRef("pk"),
        status=UndoableCall.Status.UNDONE,
        undone_at__gte=Greatest(OuterRef("changed_at"), now - WINDOW),
    )
    found = AgentTool.objects.filter(level__in=ACTING).annotate(
        num=_count_of(undone), latest=Subquery(undone.order_by("-pk").values("pk")[:1])
    )
    for row in found.filter(num__gte=MAX_UNDONE):
        why = f"{row.num} calls were undone within a day"
        yield _Cause(row.pk, Demotion.Rule.UNDO, f"undo:{row.latest}", why)


def _behind_open_breakers() -> Iterator[_Cause]:
    guards = ToolGuard.objects.filter(
        project=OuterRef("agent__project"),
        tool=OuterRef("name"),
        breaker=ToolGuard.Breaker.OPEN,
        opened_at__gte=OuterRef("changed_at"),
    )
    found = AgentTool.objects.filter(level__in=ACTING).annotate(
        opened_at=Subquery(guards.values("opened_at")[:1])
    )
    for row in found.filter(opened_at__isnull=False):
        source = f"breaker:{row.opened_at.isoformat()}"
        why = f"its circuit breaker opened at {row.opened_at:%H:%M} UTC"
        yield _Cause(row.pk, Demotion.Rule.BREAKER, source, why)


def _in_incidents(now: datetime) -> Iterator[_Cause]:
    """Yield tools that an incident names and holds down; a wider one is a limit alone."""
    named = Incident.objects.filter(status=Incident.Status.OPEN, opened_at__gte=now - WINDOW)
    for incident in named.exclude(tool="").exclude(ceiling=""):
        found = AgentTool.objects.filter(
            Q(agent_id=incident.agent_id) if incident.agent_id else Q(),
            agent__project_id=incident.project_id,
            name=incident.tool,
            level__in=ACTING,
            changed_at__lte=incident.opened_at,
        )
        why = f"incident {incident.number} is open: {incident.title}"
        for row in found:
            if Level(incident.ceiling).rank < Level(row.level).rank:
                yield _Cause(row.pk, Demotion.Rule.INCIDENT, f"incident:{incident.pk}", why)


def _labelled(now: datetime) -> Iterator[_Cause]:
    """Yield what acted in sessions labelled critical: the tool that is blamed, else all writes."""
    labels = Label.objects.filter(CRITICAL, completed_at__gte=now - WINDOW)
    for label in labels.values("pk", "session_id", "completed_at", "first_wrong_span_id"):
        run = Run.objects.filter(session_id=label["session_id"], kind=Run.Kind.LIVE).first()
        if run is None:
            continue
        tools = run.agent.tools.filter(level__in=ACTING, changed_at__lte=label["completed_at"])
        for row in tools:
            steps = acted(run.agent_id, row.name).filter(run=run)
            spans = set(steps.values_list("span_id", flat=True))
            if spans and _is_to_blame(row, run, spans, label["first_wrong_span_id"]):
                why = "a session in which it acted was labelled critical or harmful"
                yield _Cause(row.pk, Demotion.Rule.LABEL, f"label:{label['pk']}", why)


def _is_to_blame(row: AgentTool, run: Run, spans: set[str], first_wrong: str) -> bool:
    if first_wrong in spans:
        return True
    blames_a_call = run.steps.filter(kind="tool", span_id=first_wrong).exists()
    contract = contracts_named([row.name], run.project_id).get(row.name)
    return not blames_a_call and contract is not None and not contract.is_read


def _demote(cause: _Cause) -> bool:
    known = Demotion.objects.filter(
        agent_tool_id=cause.agent_tool, rule=cause.rule, source=cause.source
    )
    if known.exists():
        return False
    why = f"By rule ({cause.rule.label}): {cause.why}."
    with (
        transaction.atomic(),
        pghistory.context(action="demotion", reason=why, source=cause.source),
    ):
        freeze_authority()
        row = (
            AgentTool.objects.select_for_update(of=("self",))
            .select_related("agent__project")
            .filter(pk=cause.agent_tool)
            .first()
        )
        if row is None or known.exists():
            return False
        before = Level(row.level)
        after = before.below if cause.is_one_step else Level.APPROVE
        if after.rank >= before.rank or after is Level.OFF:
            return False
        demotion = Demotion.objects.create(
            agent_tool=row, rule=cause.rule, source=cause.source, why=cause.why[:500],
            from_level=before, to_level=after,
        )  # fmt: skip
        lower_in_transaction(row, after, why, None)
        if not cause.is_one_step:
            row.candidate_since, row.candidate_why = database_now(), cause.why[:300]
            row.save(update_fields=["candidate_since", "candidate_why"])
        _tell(row, demotion)
    return True


def _tell(row: AgentTool, demotion: Demotion) -> None:
    agent = row.agent
    payload = {
        "title": (
            f"{row.name} of {agent} went from {demotion.get_from_level_display()} to "
            f"{demotion.get_to_level_display()}: {demotion.why}."
        ),
        "url": reverse("autonomy:tool", args=[agent.project.slug, agent.slug, row.name]),
        "demotion": demotion.pk,
    }
    tell(
        project=agent.project, event="level_demoted", payload=payload, key=f"demotion:{demotion.pk}"
    )


def _count_of(rows: QuerySet[Any]) -> Any:
    counted = rows.order_by().values(one=F("pk") * 0).annotate(num=Count("pk"))
    return Coalesce(Subquery(counted.values("num")), 0)
