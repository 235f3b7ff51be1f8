"""Limits of a run and budgets of a day (UTC): whether one keeps a run from its next step.

A limit is looked at before each step. What a model call will cost is not known before it, so a
run may overshoot a limit by one step, and a budget by one step of each run in flight; a step that
has begun is never cut short for money. What was done stays.

A limit in dollars acts on the cost that is known; calls of unknown cost (a model without a price)
are held by the limits of tokens and steps, and the page of budgets names them.
"""

from collections.abc import Sequence
from typing import Any

from agents.config import VersionConfig, canonical_json
from agents.models import Run, Step
from agents.runtime.journal import Action, CallTool, totals
from agents.runtime.spending import amount_words, count, uses_today

__all__ = ["count", "day_limit_passed", "run_limit_passed"]

_ENDED = {Step.Status.DONE, Step.Status.FAILED}


def run_limit_passed(run: Run, steps: Sequence[Step], config: VersionConfig, action: Action) -> str:
    """Return which limit of its version keeps a run from its next step, or an empty string."""
    limits = config.limits
    num_steps = sum(step.kind != Step.Kind.CUSTOMER and step.status in _ENDED for step in steps)
    tokens, cost = totals(steps)
    seconds = run.session.working_ns / 1e9
    if num_steps >= limits.max_steps:
        return f"over its limit of {amount_words('steps', limits.max_steps)}"
    if tokens >= limits.max_tokens:
        return f"over its limit of {amount_words('tokens', limits.max_tokens)}: {tokens:,} used"
    if cost >= limits.max_cost_usd:
        least = "at least " if any(_is_unpriced(step) for step in steps) else ""
        return f"over its limit of ${limits.max_cost_usd:.2f}: {least}${cost:.4f} used"
    if seconds >= limits.max_seconds:
        most = amount_words("seconds", limits.max_seconds)
        return f"over its limit of {most}: {seconds:,.0f} s used"
    return _calls_passed(steps, config, action) if isinstance(action, CallTool) else ""


def day_limit_passed(run: Run) -> str:
    """Return which budget of the day keeps a run from its next step, or an empty string.

    The budgets are read again each time: one that was changed holds for runs in flight too. Golden
    tests count into the budgets, their simulated customers with them, but are held by their
    version's limits alone, so that a busy day cannot void the evidence for a release. Their
    judges wait (`agents.judges.spending`). One query, one more where runs are limited.
    """
    if run.kind != Run.Kind.LIVE:
        return ""
    for use in uses_today(project_id=run.project_id, agent_id=run.agent_id):
        if use.used < use.limit:
            continue
        # A run that has begun is one of those that are counted; it goes on.
        if use.measure == "runs" and run.steps.exists():
            continue
        whose = "its agent's" if use.agent_id else "the project's"
        text = f"over {whose} budget of {use.limit_words} a day (UTC)"
        return text if use.measure == "runs" else f"{text}: {use.used_words} used"
    return ""


def _calls_passed(steps: Sequence[Step], config: VersionConfig, action: CallTool) -> str:
    limits = config.limits
    calls = [step for step in steps if step.kind == Step.Kind.TOOL and step.index != action.index]
    if len(calls) >= limits.max_tool_calls:
        return f"over its limit of {amount_words('tool_calls', limits.max_tool_calls)}"
    asked = _canonical(action.arguments, action.raw_arguments)
    num_same = 1 + sum(
        step.name == action.name[:120]
        and asked
        == _canonical(step.request.get("arguments"), step.request.get("raw_arguments", ""))
        for step in calls
    )
    if num_same > limits.max_repeats:
        return (
            f"loop: {action.name} was called {num_same} times with the same arguments; "
            f"its limit is {limits.max_repeats}"
        )
    return ""


def _canonical(arguments: dict[str, Any] | None, raw: str) -> str:
    return raw if arguments is None else canonical_json(arguments)


def _is_unpriced(step: Step) -> bool:
    return (
        step.kind == Step.Kind.MODEL and step.status == Step.Status.DONE and step.cost_usd is None
    )
