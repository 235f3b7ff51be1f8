"""Why a run ends before its next step: cancelled, lost too often, or over a limit."""

from agents.config import VersionConfig
from agents.models import Run, Step
from agents.runtime.claim import MAX_RECOVERIES
from agents.runtime.ending import end_run
from agents.runtime.journal import totals


def ends_early(run: Run, steps: list[Step], config: VersionConfig) -> bool:
    """End the run where it was cancelled, lost too often, or is over a limit; say if so."""
    if run.cancel_requested_at:
        end_run(run, Run.Status.CANCELLED, error=run.error)
    elif run.num_recoveries > MAX_RECOVERIES:
        text = f"given up: its worker was lost {run.num_recoveries} times"
        end_run(run, Run.Status.FAILED, failure=Run.Failure.LOST, error=text)
    elif text := _limit_passed(run, steps, config):
        end_run(run, Run.Status.FAILED, failure=Run.Failure.LIMIT, error=text)
    else:
        return False
    return True


def _limit_passed(run: Run, steps: list[Step], config: VersionConfig) -> str:
    limits = config.limits
    num_steps = sum(
        step.kind != Step.Kind.CUSTOMER and step.status in {Step.Status.DONE, Step.Status.FAILED}
        for step in steps
    )
    tokens, cost = totals(steps)
    seconds = run.session.working_ns / 1e9
    if num_steps >= limits.max_steps:
        return f"over its limit of {limits.max_steps} steps"
    if tokens >= limits.max_tokens:
        return f"over its limit of {limits.max_tokens:,} tokens: {tokens:,} used"
    if cost >= limits.max_cost_usd:
        return f"over its limit of ${limits.max_cost_usd:.2f}: ${cost:.4f} used"
    if seconds >= limits.max_seconds:
        return f"over its limit of {limits.max_seconds} s of work: {seconds:.0f} s used"
    return ""
