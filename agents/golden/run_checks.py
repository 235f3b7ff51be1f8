"""Checks of what a run takes: steps, time and money. Pure."""

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
    return outcome.num_steps <= check["limit"], f"{outcome.num_steps} steps"
