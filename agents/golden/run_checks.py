"""Checks of what a run takes: steps, time and money. Pure."""

from decimal import Decimal

from agents.golden.judgements import Check, Found
from agents.golden.kinds import Field, FieldKind, Group, check_kind
from agents.golden.outcome import Outcome


@check_kind(
    label="takes at most so many steps",
    group=Group.EFFORT,
    title="at most {limit} steps",
    fields=(Field("limit", "Steps", FieldKind.NUMBER, "Model calls and tool calls together."),),
)
def at_most_steps(check: Check, outcome: Outcome) -> Found:
    """Pass if model calls and tool calls together are not more than the limit."""
    num = outcome.num_steps
    return num <= check["limit"], "1 step" if num == 1 else f"{num} steps"


@check_kind(
    label="costs at most so much",
    group=Group.EFFORT,
    title="costs at most ${limit}",
    fields=(Field("limit", "US dollars", FieldKind.DECIMAL, "Of all model calls, such as 0.05."),),
)
def at_most_cost(check: Check, outcome: Outcome) -> Found:
    """Pass if the model calls together cost no more than this.

    A cost that is not known is no low cost: the check fails where a model has no price.
    """
    if outcome.cost_usd is None:
        return False, "the cost is not known: a model has no price"
    found = f"${outcome.cost_usd:.6f}".rstrip("0").rstrip(".")
    return outcome.cost_usd <= Decimal(str(check["limit"])), found


@check_kind(
    label="takes at most so many seconds",
    group=Group.EFFORT,
    title="at most {limit} seconds",
    fields=(
        Field(
            "limit",
            "Seconds",
            FieldKind.DECIMAL,
            "Of model and tool calls together; waits for people don't count.",
        ),
    ),
)
def at_most_seconds(check: Check, outcome: Outcome) -> Found:
    """Pass if model and tool calls together took no longer; waits for people don't count."""
    if outcome.working_ms is None:
        return False, "it is not known how long it took"
    seconds = outcome.working_ms / 1000
    return seconds <= check["limit"], f"{seconds:.1f} seconds"
