"""Checks of what the agent says. Pure."""

from agents.golden.judgements import Check, Found, folded, shorten
from agents.golden.kinds import Field, FieldKind, Group, check_kind
from agents.golden.outcome import Outcome

_TEXT = Field("text", "Text", FieldKind.TEXT, "Case and line breaks don't count.")


@check_kind(
    label="says a text",
    group=Group.ANSWERS,
    title="says “{text}”",
    fields=(_TEXT,),
)
def answer_contains(check: Check, outcome: Outcome) -> Found:
    """Pass if one of the agent's messages contains the text; case and spaces don't count."""
    for message in outcome.answers:
        if folded(check["text"]) in folded(message.content):
            return True, f"step {message.step}"
    if not outcome.answers:
        return False, "the agent said nothing"
    return False, f"the last answer was “{shorten(outcome.answers[-1].content)}”"


@check_kind(
    label="never says a text",
    group=Group.ANSWERS,
    title="never says “{text}”",
    fields=(_TEXT,),
    forbids=True,
)
def answer_lacks(check: Check, outcome: Outcome) -> Found:
    """Pass if none of the agent's messages contains the text; case and spaces don't count."""
    for message in outcome.answers:
        if folded(check["text"]) in folded(message.content):
            return False, f"step {message.step}: “{shorten(message.content)}”"
    return True, "not said"
