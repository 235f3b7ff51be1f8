"""Who may do what in the demo: levels that were granted, proposals, undone calls, a demotion."""

from datetime import datetime, timedelta

import pghistory
import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import connection

from agents.demo.batches import (
    Batch,
    address_calls,
    decide_batch,
    item_calls,
    payment_calls,
    store_batch,
    undo_batch,
)
from agents.models import (
    Agent,
    AgentTool,
    Demotion,
    Level,
    LevelProposal,
    Run,
    UndoableCall,
    Version,
)
from agents.tools.autonomy import give_tool
from agents.tools.demotion import demote_by_rule
from agents.tools.proposals import propose_raise
from agents.tools.registry import contract_for
from agents.tools.undo import undo_call

USER, ORDER = "modify_user_address", "modify_pending_order_address"
PAYMENT, ITEMS = "modify_pending_order_payment", "modify_pending_order_items"
_NEEDED = "Needed for the work of the support desk."
_TRIAL = "A trial for one quarter; every failure is reviewed."
# What the past has granted: the level, and why.
GRANTED = {
    "cancel_pending_order": (Level.AUTONOMOUS, _TRIAL),
    "exchange_delivered_order_items": (Level.AUTONOMOUS, _TRIAL),
    "return_delivered_order_items": (Level.AUTONOMOUS, _TRIAL),
    ORDER: (Level.ACT_WITH_UNDO, "It asks before it acts, and a wrong address can be put back."),
    PAYMENT: (Level.APPROVE, _NEEDED),
    ITEMS: (Level.ACT_WITH_UNDO, "Variants are rarely wrong, and can be put back."),
    USER: (Level.APPROVE, _NEEDED),
}


def give_tools(*, agent: Agent, names: list[str], by: AbstractBaseUser) -> None:
    """Give the demo's agent its tools: reads at `autonomous`, writes at `approve`."""
    for name in names:
        is_read = contract_for(name).is_read
        level = Level.AUTONOMOUS if is_read else Level.APPROVE
        give_tool(agent=agent, name=name, level=level, reason=_NEEDED, by=by)


def grant_levels(*, agent: Agent, by: AbstractBaseUser, now: datetime) -> None:
    """Set the levels that the demo's past has granted; nothing is a candidate any more."""
    _allow_reset()
    with pghistory.context(user=by.pk, action="level", reason=_TRIAL):
        for row in AgentTool.objects.filter(agent=agent, name__in=GRANTED):
            row.level, row.reason = GRANTED[row.name]
            row.contract_version = contract_for(row.name).version
            row.candidate_since, row.candidate_why = None, ""
            row.changed_by_id = by.pk
            row.save()
    with pgtrigger.ignore("agents.AgentTool:update_update"):
        rows = AgentTool.objects.filter(agent=agent, name__in=[ORDER, ITEMS])
        rows.update(changed_at=now - timedelta(days=9))


def fill_authority(
    *,
    agent: Agent,
    support: AbstractBaseUser,
    reviewer: AbstractBaseUser,
    engineer: AbstractBaseUser,
    lead: AbstractBaseUser,
    now: datetime,
) -> None:
    """Judge batches of calls, demote one tool by rule, and propose two raises."""
    live = agent.versions.get(pk=agent.live_version_id or 0)
    _demote_items(agent, live, support, now)
    _judge(agent, live, Batch(*_ADDRESSES, address_calls(72), now - timedelta(days=4)), support, 1)
    _judge(agent, live, Batch(*_PAYMENTS, payment_calls(60), now - timedelta(days=3)), reviewer, 0)
    _judge(agent, live, Batch(*_ITEMS, item_calls(27), now - timedelta(days=2)), support, 0)
    _propose(agent, USER, engineer, "71 of 72 were right; the one edit changed a spelling.", now)
    _propose(agent, PAYMENT, lead, "Every call was right for two weeks.", now)


def undo_one(*, agent: Agent, by: AbstractBaseUser) -> None:
    """Take back the first of today's calls that were made with undo."""
    calls = UndoableCall.objects.filter(
        run__agent=agent, run__kind=Run.Kind.LIVE, status=UndoableCall.Status.OPEN
    )
    call = calls.order_by("pk").first()
    if call is not None:
        undo_call(call=call, by=by, reason="The customer wrote again: the old address was right.")


def _demote_items(agent: Agent, live: Version, by: AbstractBaseUser, now: datetime) -> None:
    """Let two calls have been undone within a day, as the rule found them six days ago."""
    at = now - timedelta(days=6)
    batch = Batch(*_UNDONE, item_calls(2), now - timedelta(hours=3))
    run = store_batch(agent=agent, version=live, batch=batch, by=by)
    undo_batch(run=run, tool=ITEMS, by=by, reason="The wrong colour was sent.")
    demote_by_rule()
    with pgtrigger.ignore("agents.AgentTool:update_update", "agents.UndoableCall:update_update"):
        AgentTool.objects.filter(agent=agent, name=ITEMS).update(changed_at=at, candidate_since=at)
        run.undoable_calls.update(created_at=at - timedelta(hours=2), undone_at=at)
    Demotion.objects.filter(agent_tool__agent=agent).update(created_at=at)


def _judge(
    agent: Agent, live: Version, batch: Batch, by: AbstractBaseUser, num_edited: int
) -> None:
    run = store_batch(agent=agent, version=live, batch=batch, by=by)
    decide_batch(run=run, tool=batch.tool, by=by, num_edited=num_edited)


def _propose(agent: Agent, tool: str, by: AbstractBaseUser, reason: str, now: datetime) -> None:
    row = agent.tools.get(name=tool)
    proposal = propose_raise(agent_tool=row, to_level=Level.ACT_WITH_UNDO, reason=reason, by=by)
    with pgtrigger.ignore("agents.LevelProposal:update_update"):
        LevelProposal.objects.filter(pk=proposal.pk).update(proposed_at=now - timedelta(hours=7))


def _allow_reset() -> None:
    """Let this transaction write levels that nobody granted: the demo's past never was."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL reviewdesk.authority_reset = 'demo'")


_ADDRESSES = (
    "batch-addresses",
    USER,
    "Please add the apartment numbers from the post office's list to these customers' addresses.",
    "All 72 addresses are completed; one apartment number was spelt out on your wish.",
)
_PAYMENTS = (
    "batch-payments",
    PAYMENT,
    "The card processor is away today. Please move these orders to another payment method.",
    "The 60 orders are paid by another method of their customers now.",
)
_ITEMS = (
    "batch-items",
    ITEMS,
    "A supplier has run out. Please replace the items on the list by the variants we agreed on.",
    "The 27 orders on the list hold the other variants now.",
)
_UNDONE = (
    "batch-colours",
    ITEMS,
    "Please replace the two sold-out colours by what the customers chose instead.",
    "Both orders hold the other colour now.",
)
