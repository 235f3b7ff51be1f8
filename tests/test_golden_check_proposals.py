"""Checks proposed from what a recording holds, by the cause that a reviewer named."""

from typing import Any

import pytest

from agents.golden.check_proposals import propose_checks
from agents.golden.outcome import Call, Event, Message
from agents.golden.proposals import Recording

LOOK = Call("get_order_details", {"order_id": "#A1"}, 2, {"status": "pending"}, span_id="a")
OFF = Call("issue_refund", {}, 4, None, "it is off", "b", is_refused=True)
SAYS = Message("agent", "Your order is delivered. Anything else?", 3, span_id="c")


def recording(*events: Event, cause: str, wrong: Event | None = None, **more: Any) -> Recording:
    values: dict[str, Any] = {
        "num_steps": len(events),
        "is_handed_over": False,
        "is_resolved": False,
        "writes": lambda tool: tool == "issue_refund",
        **more,
    }
    return Recording(events=events, cause=cause, wrong=wrong, **values)


def kinds(what: Recording) -> list[str]:
    return [proposal.check["kind"] for proposal in propose_checks(what)]


def test_misread_result_is_to_be_cited_as_the_tool_returned_it() -> None:
    _, cites = propose_checks(recording(LOOK, SAYS, cause="T3", wrong=SAYS))
    assert cites.check == {"kind": "answer_cites", "tool": LOOK.tool, "path": "$.status"}
    assert cites.why == "Step 2 returned “pending”."


def test_nothing_is_to_be_cited_where_it_was_said_rightly() -> None:
    right = Message("agent", "It is pending. It comes tomorrow.", 3)
    assert kinds(recording(LOOK, right, cause="T3", wrong=right)) == ["answer_lacks"]


@pytest.mark.parametrize(
    ("cause", "wrong", "expected"),
    [
        ("S2", SAYS, ["no_leak", "answer_lacks"]),
        ("C2", OFF, ["policy_kept", "tool_not_called"]),
        ("C2", SAYS, ["policy_kept", "answer_lacks"]),
    ],
)
def test_leaks_and_overreach_are_forbidden_as_such(
    cause: str, wrong: Event, expected: list[str]
) -> None:
    assert kinds(recording(LOOK, SAYS, OFF, cause=cause, wrong=wrong)) == expected


def test_overreach_without_a_refused_call_forbids_the_call_itself() -> None:
    assert kinds(recording(LOOK, SAYS, cause="C2", wrong=LOOK)) == ["tool_not_called"]


METHODS = {"payment_methods": {"gift_card_5": {"id": "gift_card_5"}, "credit_card_1": {}}}
USER = Call("get_user_details", {"user_id": "ann_1"}, 2, METHODS)
REFUND = Call(
    "issue_refund", {"order_id": "#A1", "to": "credit_card_1"}, 4, {"order_id": "#A1"}, span_id="d"
)


@pytest.mark.parametrize(
    ("comment", "right"),
    [
        ("It went to credit_card_1; the customer chose gift_card_5.", "gift_card_5"),
        ("The customer wanted gift_card_5", "gift_card_5"),
        ("The customer wanted gift_card_9.", None),
        ("Wrong card.", None),
    ],
)
def test_value_that_the_comment_names_is_demanded(comment: str, right: str | None) -> None:
    what = recording(USER, REFUND, cause="T2", wrong=REFUND, comment=comment)
    never, called = (proposal.check for proposal in propose_checks(what))
    assert never == {"kind": "tool_not_called", "tool": REFUND.tool, "arguments": REFUND.arguments}
    assert called["arguments"] == ({"order_id": "#A1", "to": right} if right else {})
