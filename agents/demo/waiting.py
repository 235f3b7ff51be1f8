"""The demo's inbox: a call that needs two people, one that was escalated, planted ones."""

import random
from collections.abc import Collection, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser

from agents.demo.customers import CustomerTask, everyday_tasks
from agents.demo.records import shop_records
from agents.models import Agent, Run, ToolApproval
from agents.models.approval_rules import PLANTED_PER_WEEK
from agents.runtime.approval_rules import set_rules
from agents.runtime.approvals import approve_call, escalate_call, reject_call
from agents.runtime.canaries import plant_canary
from agents.runtime.loop import advance
from agents.runtime.start import start_run

_SEED = 11
_NUM_TASKS = 200
_TWO_PEOPLE_FROM_USD = Decimal(100)
_RETURN = "return_delivered_order_items"
# What people did with the planted calls of the last weeks: one was missed.
_SEEN = (True, True, False, True, True)


def fill_inbox(
    *,
    agent: Agent,
    by: AbstractBaseUser,
    reviewers: Sequence[AbstractBaseUser],
    lead: AbstractBaseUser,
    known: Collection[str],
) -> None:
    """Let calls of different kinds wait, and plant some; nothing of them is decided for good.

    Args:
        agent: With a live version, a model that answers, and returns at `approve`.
        by: Support: starts the runs, escalates one call.
        reviewers: One agrees to the call that needs two people; both met planted calls.
        lead: Sets from which amount two people are needed.
        known: First messages that were said already.
    """
    set_rules(
        project=agent.project,
        two_people_from_usd=_TWO_PEOPLE_FROM_USD,
        canaries_per_week=PLANTED_PER_WEEK,
        reason="Most refunds of this shop are under $100.",
        by=lead,
    )
    tasks = everyday_tasks(shop_records(), _NUM_TASKS, seed=_SEED)
    returns = [task for task in tasks if task.first not in known and _refund_of(task)]
    dear = [task for task in returns if _refund_of(task) >= _TWO_PEOPLE_FROM_USD]
    if dear and (approval := _waiting(_run(agent, by, dear[0]))):
        approve_call(approval=approval, by=reviewers[0], message="The order and the card fit.")
    cheap = [task for task in returns if _refund_of(task) < _TWO_PEOPLE_FROM_USD]
    if cheap and (approval := _waiting(_run(agent, by, cheap[0]))):
        note = "The customer wrote twice about this order; is this the second refund?"
        escalate_call(approval=approval, by=by, note=note)
    _plant(agent, reviewers)


def _plant(agent: Agent, reviewers: Sequence[AbstractBaseUser]) -> None:
    rng = random.Random(_SEED)  # noqa: S311
    for number, is_seen in enumerate(_SEEN):
        approval = plant_canary(project=agent.project, rng=rng)
        person, other = reviewers[number % 2], reviewers[(number + 1) % 2]
        if approval is None:
            return
        if is_seen:
            message = f"This does not fit the conversation: {approval.canary_why}"
            reject_call(approval=approval, by=person, message=message, hold=timedelta(0))
            continue
        approve_call(approval=approval, by=person)
        if approval.num_needed > 1:
            approve_call(approval=approval, by=other)
    plant_canary(project=agent.project, rng=rng)


def _run(agent: Agent, by: AbstractBaseUser, task: CustomerTask) -> Run:
    run = start_run(
        agent=agent,
        run_input=task.run_input,
        customer=task.customer,
        started_by=by,
        metadata={"task": task.key},
    )
    advance(run.pk)
    return run


def _waiting(run: Run) -> ToolApproval | None:
    return run.approvals.filter(status=ToolApproval.Status.WAITING).first()


def _refund_of(task: CustomerTask) -> Decimal:
    """Return what the task's return would refund; 0 where it is no single return."""
    writes = task.expectation.writes
    if len(writes) != 1 or writes[0][0] != _RETURN:
        return Decimal(0)
    arguments: dict[str, Any] = writes[0][1]
    order = shop_records()["order"][arguments["order_id"]]
    prices = {item["item_id"]: Decimal(str(item["price"])) for item in order["items"]}
    return sum((prices[item_id] for item_id in arguments["item_ids"]), Decimal(0))
