"""Why a run goes no further now: cancelled, lost too often, over a limit, or stopped."""

from agents.config import VersionConfig
from agents.models import Run, Step
from agents.runtime.budgets import count, day_limit_passed, run_limit_passed
from agents.runtime.dead import end_as_dead, is_dead
from agents.runtime.ending import end_run, park_run
from agents.runtime.journal import Action
from agents.tools.contract import ToolContract
from agents.tools.executor import may_ask_real
from agents.tools.stops import name_of, stop_for


def ends_early(run: Run, steps: list[Step], config: VersionConfig, action: Action) -> bool:
    """End the run where it was cancelled, lost too often, or is over a limit; say if so."""
    if ends_lost(run):
        return True
    if text := run_limit_passed(run, steps, config, action) or day_limit_passed(run):
        end_run(run, Run.Status.OVER_BUDGET, failure=Run.Failure.LIMIT, error=text)
        count(run, over_budget=1)
        return True
    return False


def ends_lost(run: Run) -> bool:
    """End the run where it was cancelled or lost too often; say if so."""
    if run.cancel_requested_at:
        end_run(run, Run.Status.CANCELLED, error=run.error)
    elif is_dead(run):
        end_as_dead(run)
    else:
        return False
    return True


def is_stopped(run: Run, contract: ToolContract | None) -> bool:
    """Park the run where a kill switch holds its next call (None: of the model); say if so.

    Call it in a transaction that began with the authority lock. A golden test's calls change
    nothing but its own copy of the shop: a stop of the model holds them, and one of a tool only
    where the test lets that be asked outside.
    """
    if contract is not None and run.kind == Run.Kind.GOLDEN:
        stays_inside = contract.is_inside or not may_ask_real(run, contract)
        if stays_inside:
            return False
    switch = stop_for(run, contract) if run.is_any_stop_on else None
    if switch is None:
        return False
    reason = f"stopped before its next step: {name_of(switch)} is stopped ({switch.reason})"
    park_run(run, Run.Parked.STOP, reason)
    return True
