"""Planted calls: known-bad requests among those that wait, to see whether people still read.

A planted call is copied from a real one of the project's last weeks, with its conversation, and
made wrong in one way. Its run never starts: the database refuses a claim of it, and the decision
about it is never consumed. Its session is left out wherever golden tests' are, and of what asks
for those too.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from agents.demo.faults import Fault, shop_faults
from agents.models import (
    Agent,
    AgentTool,
    ApprovalRules,
    Level,
    Run,
    Step,
    ToolApproval,
)
from agents.runtime.approval_rules import rules_of
from agents.runtime.decisions import make_approval
from agents.runtime.planted_talk import SourceCall, copy_talk, source_calls
from agents.tools.autonomy import database_now, effective_level
from agents.tools.executor import argument_problems
from agents.tools.registry import UnknownToolError, contract_for
from traces.models import Project, Session
from traces.recorder import set_status

_SOURCES_TRIED = 20
_WEEK_SECONDS = 7 * 24 * 3600
_NOT_BEFORE = timedelta(hours=1)
_AMOUNTS = ("amount", "amount_usd", "total", "total_usd")
_Status = ToolApproval.Status


def plant_canary(*, project: Project, rng: random.Random | None = None) -> ToolApproval | None:
    """Plant one wrong call into the project's inbox, or None where nothing fits.

    It needs a tool that asks people, and a real call of it in the last weeks to copy.
    """
    chance = rng or random.SystemRandom()
    now = database_now()
    for agent_tool in _asking_tools(project, now, chance):
        sources = source_calls(agent_tool.agent, agent_tool.name)
        for source in chance.sample(sources, min(len(sources), _SOURCES_TRIED)):
            fault = _fault(agent_tool.agent, source, sources, chance)
            if fault is not None:
                return _plant(agent_tool, source, fault)
    return None


def plan_canaries() -> None:
    """Give each project with a live agent the random time of its next planted call."""
    live = Agent.objects.exclude(live_version=None).values("project")
    for project in Project.objects.filter(pk__in=live):
        if rules_of(project.pk).canaries_per_week:
            ApprovalRules.objects.get_or_create(project=project)
    with transaction.atomic():
        unplanned = ApprovalRules.objects.select_for_update(skip_locked=True).filter(
            next_canary_at=None, canaries_per_week__gt=0
        )
        for rules in unplanned:
            _plan(rules, database_now())


def plant_due() -> int:
    """Plant the calls whose time has come, and choose the time of the next; return how many."""
    planted = 0
    due = ApprovalRules.objects.filter(next_canary_at__lte=database_now(), canaries_per_week__gt=0)
    for pk in list(due.values_list("pk", flat=True)):
        with transaction.atomic():
            rules = (
                ApprovalRules.objects.select_for_update(of=("self",), skip_locked=True)
                .select_related("project")
                .filter(pk=pk, next_canary_at__lte=database_now())
                .first()
            )
            if rules is None:
                continue
            _plan(rules, database_now())
            planted += plant_canary(project=rules.project) is not None
    return planted


def is_caught(approval: ToolApproval) -> bool | None:
    """Say whether people saw that a planted call was wrong; None while nobody has decided.

    An edit caught it if it changed everything that was wrong. Reads `approval.run.session`.
    """
    match approval.status:
        case _Status.REJECTED | _Status.RESPONDED:
            return True
        case _Status.APPROVED:
            return False
        case _Status.EDITED:
            right = approval.run.session.metadata.get("right_arguments", {})
            wrong = {key for key in approval.arguments if approval.arguments[key] != right.get(key)}
            decided: dict[str, Any] = approval.decided_arguments or {}
            return all(decided.get(key) != approval.arguments[key] for key in wrong)
    return None


def _plan(rules: ApprovalRules, now: datetime) -> None:
    """Choose the next time: gaps are exponential, so that nobody can tell when one comes."""
    seconds = random.SystemRandom().expovariate(rules.canaries_per_week / _WEEK_SECONDS)
    rules.next_canary_at = now + max(timedelta(seconds=seconds), _NOT_BEFORE)
    rules.save(update_fields=["next_canary_at"])


def _asking_tools(project: Project, now: datetime, chance: random.Random) -> Sequence[AgentTool]:
    """Return the project's tools that ask people now, in random order."""
    tools = AgentTool.objects.filter(agent__project=project, agent__live_version__isnull=False)
    tools = tools.exclude(level__in=[Level.OFF, Level.SUGGEST])
    asking = []
    for agent_tool in tools.select_related("agent__project", "agent__live_version").order_by("pk"):
        try:
            level = effective_level(agent_tool, now=now)
        except UnknownToolError:
            continue
        if level.level is Level.APPROVE:
            asking.append(agent_tool)
    chance.shuffle(asking)
    return asking


def _fault(
    agent: Agent, source: SourceCall, others: Sequence[SourceCall], chance: random.Random
) -> Fault | None:
    found = shop_faults(
        tool=source.tool, arguments=source.arguments, dataset=agent.dataset, rng=chance
    )
    found = found or _general_faults(source, others, chance)
    contract = contract_for(source.tool, agent.project_id)
    found = [
        fault
        for fault in found
        if fault.arguments != source.arguments and not argument_problems(contract, fault.arguments)
    ]
    return chance.choice(found) if found else None


def _general_faults(
    source: SourceCall, others: Sequence[SourceCall], chance: random.Random
) -> list[Fault]:
    """Return faults of calls that the shop does not know: too much money, somebody else's id."""
    faults = []
    for name in _AMOUNTS:
        amount = source.arguments.get(name)
        if isinstance(amount, int | float) and amount > 0:
            why = f"{name} is {amount * 10:g}, ten times what was agreed with the customer."
            faults.append(Fault({**source.arguments, name: amount * 10}, why))
    for name, value in source.arguments.items():
        elsewhere = [
            other.arguments[name]
            for other in others
            if name in other.arguments and other.customer != source.customer
        ]
        elsewhere = [each for each in elsewhere if each != value and isinstance(each, str)]
        if name.endswith("_id") and elsewhere:
            wrong = chance.choice(elsewhere)
            why = f"{name} {wrong} is another customer's, from another conversation."
            faults.append(Fault({**source.arguments, name: wrong}, why))
    return faults


@transaction.atomic
def _plant(agent_tool: AgentTool, source: SourceCall, fault: Fault) -> ToolApproval:
    agent, now = agent_tool.agent, database_now()
    if agent.live_version is None:
        raise ValueError(f"{agent} has no live version.")
    contract = contract_for(source.tool, agent.project_id)
    session, call = copy_talk(agent=agent, source=source, arguments=fault.arguments)
    run = Run.objects.create(
        id=session.pk,
        project_id=agent.project_id,
        agent=agent,
        version=agent.live_version,
        session=session,
        kind=Run.Kind.CANARY,
        status=Run.Status.WAITING,
        parked_for=Run.Parked.APPROVAL,
        input={"messages": [{"role": "user", "content": session.title or "-"}], "turns": []},
    )
    step = Step.objects.create(
        run=run,
        index=0,
        kind=Step.Kind.TOOL,
        status=Step.Status.WAITING,
        name=source.tool,
        call_id=str(call.attributes.get("call_id", "")),
        request={"arguments": fault.arguments},
        claim_token=0,
        span_id=call.span_id,
        start_ns=call.start_ns,
        started_at=now,
    )
    approval = make_approval(
        run=run,
        contract=contract,
        arguments=fault.arguments,
        level=effective_level(agent_tool, now=now),
        kind=ToolApproval.Kind.APPROVAL,
        now=now,
    )
    approval.step, approval.is_canary, approval.canary_why = step, True, fault.why[:300]
    approval.save()
    set_status(session=session, status=Session.Status.WAITING)
    return approval
