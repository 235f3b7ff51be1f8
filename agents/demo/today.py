"""The demo's day: runs by the real runtime, some decided by a person, some still waiting."""

from collections.abc import Collection
from datetime import timedelta

from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import F

from agents.demo.customers import CustomerTask, everyday_tasks
from agents.demo.records import shop_records
from agents.models import Agent, Run, ToolApproval
from agents.runtime.approvals import approve_call, edit_call, reject_call
from agents.runtime.loop import advance
from agents.runtime.start import start_run

_SEED = 3
_NUM_TASKS = 200


def run_today(*, agent: Agent, by: AbstractBaseUser, known: Collection[str]) -> None:
    """Run today's customers in this process; of their returns three are decided, two wait.

    Args:
        agent: With a live version, a model that answers, and returns at `approve`.
        by: Support: starts the runs and decides calls.
        known: First messages that past customers said; today's say others.
    """
    tasks = everyday_tasks(shop_records(), _NUM_TASKS, seed=_SEED)
    fresh = [task for task in tasks if task.first not in known]
    _approve(_run(agent, by, _take(fresh, "return_two_items")), by)
    to_gift_card = _take(fresh, "return_to_gift_card")
    _edit(_run(agent, by, to_gift_card), to_gift_card, by)
    _reject(_run(agent, by, _take(fresh, "return_to_gift_card")), by)
    for scenario in ("return_to_gift_card", "where_is_it", "return_one_item"):
        _run(agent, by, _take(fresh, scenario))


def run_scenario(
    *, agent: Agent, by: AbstractBaseUser, known: Collection[str], scenario: str, number: int
) -> list[Run]:
    """Run `number` more of today's customers with this wish in this process."""
    tasks = everyday_tasks(shop_records(), _NUM_TASKS, seed=_SEED)
    fresh = [task for task in tasks if task.first not in known]
    return [_run(agent, by, _take(fresh, scenario)) for _ in range(number)]


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


def _take(tasks: list[CustomerTask], scenario: str) -> CustomerTask:
    """Take a task out of the list; its customer says at once who it is, so says less later."""
    chosen = [task for task in tasks if task.scenario == scenario]
    task = min(chosen, key=lambda each: len(each.turns))
    tasks.remove(task)
    return task


def _waiting(run: Run, *, minutes: int) -> ToolApproval:
    """Return the call that waits, as if it had done so for some minutes: nobody decides at once."""
    waiting = run.approvals.filter(status=ToolApproval.Status.WAITING)
    waiting.update(created_at=F("created_at") - timedelta(minutes=minutes))
    return waiting.get()


def _approve(run: Run, by: AbstractBaseUser) -> None:
    approve_call(approval=_waiting(run, minutes=4), by=by)
    advance(run.pk)


def _edit(run: Run, task: CustomerTask, by: AbstractBaseUser) -> None:
    _, arguments = task.expectation.writes[0]
    message = "The customer wants it on the gift card."
    approval = _waiting(run, minutes=11)
    edit_call(approval=approval, by=by, arguments=arguments, message=message)
    advance(run.pk)


def _reject(run: Run, by: AbstractBaseUser) -> None:
    message = "The customer asked for the gift card; ask again where the refund goes."
    approval = _waiting(run, minutes=7)
    reject_call(approval=approval, by=by, message=message, hold=timedelta(0))
    advance(run.pk)
