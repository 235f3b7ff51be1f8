"""Promoting a session: what is proposed from recording and label, and what is saved."""

from typing import Any

import pytest

from agents.errors import GoldenError
from agents.golden.edit import archive_test, edit_test
from agents.golden.promote import agent_of, promote_session, promoted_test
from agents.golden.proposals import ADDED_YES
from agents.golden.proposed import MAX_TURNS, propose_test
from agents.models import Agent, GoldenTest
from tests.factories import (
    customer_span,
    make_label,
    make_session,
    make_user,
    model_span,
    tool_span,
)
from tests.golden import ASKS_FIRST, CALLS_CANCEL, make_hasty_session, make_test
from tests.shop import CANCEL, LOOK, ORDER, make_shop_agent
from traces.models import Label, Session

pytestmark = pytest.mark.django_db


def hasty(cause: str = "T5", **answers: Any) -> tuple[Agent, Session, Label]:
    agent, _ = make_shop_agent()
    session, span_id = make_hasty_session(agent)
    label = make_label(
        session,
        outcome="harmful",
        primary_cause=cause,
        first_wrong_span_id=span_id,
        **{"severity": "critical", **answers},
    )
    return agent, session, label


def promote(
    agent: Agent | None, session: Session, label: Label | None, **overrides: Any
) -> GoldenTest:
    values: dict[str, Any] = {
        "title": "Asks before it cancels",
        "checks": [ASKS_FIRST, CALLS_CANCEL],
        "severity": "critical",
        "tags": ["T5", "cancel"],
        "reason": "It cancelled without a yes.",
        "by": make_user(),
    }
    return promote_session(session=session, label=label, agent=agent, **{**values, **overrides})


def kinds(session: Session, label: Label | None) -> list[str]:
    return [each.check["kind"] for each in propose_test(session=session, label=label).checks]


def test_skipped_confirmation_proposes_question_call_and_state() -> None:
    _, session, label = hasty()
    proposed = propose_test(session=session, label=label)
    assert [each.check["kind"] for each in proposed.checks] == [
        "confirmed_before",
        "tool_called",
        "final_state",
    ]
    assert proposed.checks[0].check == ASKS_FIRST
    assert proposed.checks[2].check["equals"] == "cancelled"
    assert (proposed.severity, proposed.tags) == ("critical", ("T5",))


def test_unasked_call_that_failed_is_not_demanded_again() -> None:
    agent, _ = make_shop_agent()
    spans = [customer_span("Cancel #T1"), tool_span(*CANCEL, error="It has shipped", at=1)]
    session = make_session(agent.project, spans=spans)
    span_id = spans[1].span_id
    label = make_label(session, primary_cause="T5", first_wrong_span_id=span_id)
    proposed = propose_test(session=session, label=label)
    assert [each.check["kind"] for each in proposed.checks] == [
        "confirmed_before",
        "tool_not_called",
    ]
    assert proposed.checks[1].why == "Step 1 called it in vain: It has shipped"
    assert proposed.title == "Cancel pending order #T1"


def test_customer_that_was_never_asked_says_yes_in_the_test() -> None:
    _, session, label = hasty()
    proposed = propose_test(session=session, label=label)
    assert proposed.messages == [{"role": "user", "content": "Cancel #T1 please"}]
    assert [(turn.content, turn.is_added) for turn in proposed.turns] == [(ADDED_YES, True)]
    assert proposed.left_out == ("Thank you.",)
    assert proposed.whole_input["turns"] == [ADDED_YES, "Thank you."]


def test_recorded_reads_before_the_first_write_are_fixtures() -> None:
    _, session, label = hasty()
    (fixture,) = propose_test(session=session, label=label).fixtures
    assert (fixture.tool, fixture.arguments, fixture.result) == (*LOOK, ORDER)


def test_unknown_tools_are_fixtures_and_reads_after_a_write_are_not() -> None:
    agent, _ = make_shop_agent()
    spans = [
        customer_span("Hello"),
        tool_span(*CANCEL, result=ORDER, at=1),
        tool_span(*LOOK, result={**ORDER, "status": "cancelled"}, at=2),
        tool_span("ask_the_oracle", {"about": "weather"}, result="rain", at=3),
        model_span("It will rain.", at=4),
    ]
    session = make_session(agent.project, spans=spans)
    fixtures = propose_test(session=session, label=None).fixtures
    assert [fixture.tool for fixture in fixtures] == ["ask_the_oracle"]


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        ("T2", ["tool_not_called", "tool_called"]),
        ("C1", ["tool_not_called"]),
        ("P1", ["tool_not_called"]),
        ("P2", ["at_most_steps"]),
        ("P4", ["handed_over"]),
        ("H1", ["handed_over"]),
        ("K2", ["answer_lacks"]),
        ("S3", ["no_failed_calls"]),
    ],
)
def test_cause_decides_what_is_proposed(cause: str, expected: list[str]) -> None:
    _, session, label = hasty(cause)
    assert kinds(session, label) == expected


def test_wrong_arguments_are_excluded_as_they_were_recorded() -> None:
    _, session, label = hasty("T2")
    unmarked = make_label(session, outcome="harmful", primary_cause="T2")
    for each in (label, unmarked):
        proposed = propose_test(session=session, label=each)
        excluded, called = proposed.checks
        wrong = {"kind": "tool_not_called", "tool": CANCEL[0], "arguments": CANCEL[1]}
        assert excluded.check == wrong
        assert called.why.endswith("left empty, any will do. The recording passes this one.")
        assert proposed.lets_mistake_pass([called.check])
        assert not proposed.lets_mistake_pass([excluded.check, called.check])


def test_state_that_right_writes_left_is_proposed_beside_the_mistake() -> None:
    _, session, label = hasty("K2")
    said = session.spans.filter(kind="model").order_by("start_ns").last()
    label.first_wrong_span_id = said.span_id if said else ""
    assert kinds(session, label) == ["answer_lacks", "tool_called", "final_state"]
    label.first_wrong_span_id = ""
    assert kinds(session, label) == ["answer_lacks", "tool_called", "final_state"]


def test_order_is_proposed_only_where_the_recording_breaks_it() -> None:
    agent, _ = make_shop_agent()
    spans = [
        customer_span("Cancel #T1"),
        tool_span(*CANCEL, result=ORDER, at=1),
        tool_span(*LOOK, result=ORDER, at=2),
    ]
    session = make_session(agent.project, spans=spans)
    label = make_label(session, primary_cause="P1", first_wrong_span_id=spans[1].span_id)
    (proposal,) = propose_test(session=session, label=label).checks
    assert proposal.check == {"kind": "tools_in_order", "tools": [LOOK[0], CANCEL[0]]}


def test_what_a_session_that_stopped_early_did_is_not_enough() -> None:
    _, session, label = hasty("P3")
    said = session.spans.filter(kind="model").order_by("start_ns").last()
    label.first_wrong_span_id = said.span_id if said else ""
    proposed = propose_test(session=session, label=label)
    assert [each.check["kind"] for each in proposed.checks] == ["tool_called", "final_state"]
    assert proposed.lets_mistake_pass([each.check for each in proposed.checks])


def test_only_the_last_state_of_a_record_is_proposed() -> None:
    agent, _ = make_shop_agent()
    home = {"order_id": "#T1", "address1": "9 Elm Row"}
    moved = {**ORDER, "address": {"address1": "9 Elm Row"}}
    spans = [
        customer_span("Send #T1 to 9 Elm Row. No, cancel it."),
        tool_span("modify_pending_order_address", home, result=moved, at=1),
        tool_span(*CANCEL, result={**moved, "status": "cancelled"}, at=2),
    ]
    session = make_session(agent.project, spans=spans)
    label = make_label(session, outcome="resolved")
    checks = [each.check for each in propose_test(session=session, label=label).checks]
    states = [(each["path"], each["equals"]) for each in checks if each["kind"] == "final_state"]
    assert states == [("status", "cancelled"), ("address.address1", "9 Elm Row")]


def test_label_on_the_models_step_means_the_call_it_made() -> None:
    agent, session, label = hasty()
    spans = session.spans.filter(kind="model").order_by("start_ns")
    label.first_wrong_span_id = spans[1].span_id
    assert kinds(session, label) == ["confirmed_before", "tool_called", "final_state"]
    assert agent_of(session) == agent


def test_resolved_session_is_held_as_it_was() -> None:
    _, session, _ = hasty()
    label = make_label(session, outcome="resolved")
    assert kinds(session, label) == ["tool_called", "final_state", "handed_over"]


def test_messages_in_a_row_are_one_turn_and_a_greeting_is_kept() -> None:
    agent, _ = make_shop_agent()
    spans = [
        model_span("Hi, how can I help?"),
        customer_span("Hello", at=1),
        customer_span("Where is #T1?", at=2),
        model_span("Which name?", at=3),
        customer_span("Tia", at=4),
        customer_span("Tia Test", at=5),
        model_span("On its way.", at=6),
        customer_span("Great ###STOP###", at=7),
    ]
    session = make_session(agent.project, spans=spans, source=Session.Source.TAU2)
    proposed = propose_test(session=session, label=None)
    assert [m["role"] for m in proposed.messages] == ["assistant", "user", "user"]
    assert [turn.content for turn in proposed.turns] == ["Tia\n\nTia Test", "Great"]


def test_promoted_test_keeps_where_it_comes_from() -> None:
    agent, session, label = hasty()
    by = make_user()
    test = promote(agent, session, label, by=by)
    assert (test.source_session, test.source_label) == (session, label)
    assert test.source_span_id == label.first_wrong_span_id
    assert (test.promoted_by, test.slug) == (by, "asks-before-it-cancels")
    assert test.tags == ["t5", "cancel"]
    assert [fixture["tool"] for fixture in test.fixtures] == ["get_order_details"]


def test_promoting_twice_gives_the_same_test() -> None:
    agent, session, label = hasty()
    first = promote(agent, session, label)
    again = promote(agent, session, label, title="Another title")
    assert again == first
    assert again.title == "Asks before it cancels"
    assert promoted_test(session=session) == first


def test_archived_test_lets_the_session_be_promoted_again() -> None:
    agent, session, label = hasty()
    first = promote(agent, session, label)
    archive_test(test=first, reason="Wrong checks.", by=make_user())
    second = promote(agent, session, label)
    assert (second != first, second.slug) == (True, "asks-before-it-cancels-2")


def test_imported_session_needs_an_agent_of_its_project() -> None:
    agent, _ = make_shop_agent()
    stranger, _ = make_shop_agent()
    session, _ = make_hasty_session(agent, source=Session.Source.TAU2)
    for wrong in (None, stranger):
        with pytest.raises(GoldenError, match="one of this project"):
            promote(wrong, session, None)
    assert promote(agent, session, None).source_label is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"checks": []}, "at least one check"),
        ({"checks": [{**CALLS_CANCEL, "tool": "fly"}]}, "Check 1 .* no tool called 'fly'"),
        ({"title": "  "}, "Give the test a title"),
        ({"title": "x" * 301}, "301 characters; 300 at most"),
        ({"reason": ""}, "Say why"),
        ({"severity": "huge"}, "'huge'; it must be one of minor"),
        ({"tags": ["a" * 41]}, "At most 12 tags"),
        ({"run_input": {"messages": [{"role": "user", "content": " "}]}}, "text 'content'"),
    ],
)
def test_what_cannot_be_saved_is_refused_with_the_reason(
    overrides: dict[str, Any], message: str
) -> None:
    agent, session, label = hasty()
    with pytest.raises(GoldenError, match=message):
        promote(agent, session, label, **overrides)
    assert not GoldenTest.objects.exists()


def test_running_session_cannot_be_promoted() -> None:
    agent, _ = make_shop_agent()
    session, _ = make_hasty_session(agent, status=Session.Status.RUNNING)
    with pytest.raises(GoldenError, match="is running; it can be promoted when it has ended"):
        promote(agent, session, None)


def test_session_without_a_customer_cannot_be_promoted() -> None:
    agent, _ = make_shop_agent()
    session = make_session(agent.project, spans=[model_span("Nightly report.")])
    with pytest.raises(GoldenError, match="No customer says anything"):
        promote(agent, session, None)


def test_session_with_more_turns_than_the_form_takes_is_refused() -> None:
    talk = [
        span
        for n in range(MAX_TURNS + 2)
        for span in (customer_span(f"And {n}?", at=2 * n), model_span("Yes.", at=2 * n + 1))
    ]
    session = make_session(make_shop_agent()[0].project, spans=talk)
    with pytest.raises(GoldenError, match="speaks 501 times"):
        propose_test(session=session, label=None)


def test_edit_changes_the_hash_and_stays_in_the_audit_trail() -> None:
    agent, _ = make_shop_agent()
    test = make_test(agent)
    by = make_user()
    edited = edit_test(
        test=test, title="Better", checks=[ASKS_FIRST], severity="minor", tags=[],
        reason="The call is not the point.", by=by,
    )  # fmt: skip
    assert edited.content_hash != test.content_hash
    events = GoldenTest.pgh_event_model.objects.filter(pgh_obj=test).order_by("pgh_id")
    assert [event.title for event in events] == ["Test 1", "Better"]
    assert events.last().pgh_context.metadata["user"] == by.pk


def test_archived_test_can_be_neither_edited_nor_archived() -> None:
    agent, _ = make_shop_agent()
    test = archive_test(test=make_test(agent), reason="Obsolete.", by=make_user())
    with pytest.raises(GoldenError, match="is archived since"):
        archive_test(test=test, reason="Again.", by=make_user())
    with pytest.raises(GoldenError, match="is archived since"):
        edit_test(
            test=test, title="x", checks=[ASKS_FIRST], severity="minor", tags=[], reason="y",
            by=make_user(),
        )  # fmt: skip
