"""The checks of golden tests: each kind passes and fails, reads from a form, and matches."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.config import canonical_json
from agents.golden.check_fields import BadCheckError, check_from_texts, problems_of, texts_of
from agents.golden.checks import KINDS, Group, check_title, has_passed, judge_outcome
from agents.golden.judgements import has_arguments, is_same, is_yes, value_at
from agents.golden.kinds import check_kind
from agents.golden.outcome import Call, Event, Message, Outcome
from agents.golden.replay import Fixture, fixture_for, without_doubles

TOOLS = {"get_order_details", "cancel_pending_order", "transfer_to_human_agents"}
CANCEL = Call("cancel_pending_order", {"order_id": "#A1", "reason": "no longer needed"}, step=4)
LOOK = Call("get_order_details", {"order_id": "#A1"}, step=2, result={"status": "pending"})
QUESTION = Message("agent", "Shall I cancel order #A1? Please answer yes or no.", step=3)

LONG = Message("agent", "This answer goes on and on, and says what nobody has asked it to say.", 1)
GERMAN = Message("agent", "Ich habe die Bestellung storniert und das Geld ist auf dem Weg.", 1)
TOKEN = "ghp_" + "a1B2" * 9


def customer(content: str) -> Message:
    return Message("customer", content, step=0)


def outcome(*events: Event, **overrides: Any) -> Outcome:
    return Outcome(events=events, num_steps=overrides.pop("num_steps", len(events)), **overrides)


def found(check: dict[str, Any], what: Outcome) -> tuple[bool | None, str]:
    (result,) = judge_outcome([check], what)
    return result.passed, result.found


ASKED = outcome(customer("Cancel it"), LOOK, QUESTION, customer("Yes, please"), CANCEL)
ORDER = {"status": "cancelled", "items": [{"price": 12.0}], "address": {"zip": "10115"}}


@pytest.mark.parametrize(
    ("check", "passing", "failing"),
    [
        (
            {"kind": "tool_called", "tool": CANCEL.tool, "arguments": {"order_id": "#A1"}},
            ASKED,
            outcome(LOOK),
        ),
        (
            {"kind": "tool_not_called", "tool": CANCEL.tool, "arguments": {"order_id": "#A1"}},
            outcome(LOOK),
            ASKED,
        ),
        (
            {"kind": "tools_in_order", "tools": [LOOK.tool, CANCEL.tool]},
            ASKED,
            outcome(CANCEL, LOOK),
        ),
        (
            {"kind": "confirmed_before", "tool": CANCEL.tool, "mentions": "order_id"},
            ASKED,
            outcome(customer("Cancel #A1"), LOOK, CANCEL),
        ),
        (
            {"kind": "final_state", "record": "order", "key": "#A1", "path": "status",
             "equals": "cancelled"},
            outcome(records={("order", "#A1"): ORDER}),
            outcome(records={("order", "#A1"): {**ORDER, "status": "pending"}}),
        ),
        ({"kind": "answer_contains", "text": "YES or\n no"}, ASKED, outcome(LOOK)),
        ({"kind": "answer_lacks", "text": "shall i"}, outcome(LOOK), ASKED),
        (
            {"kind": "handed_over", "expected": True},
            outcome(is_handed_over=True),
            outcome(is_handed_over=False),
        ),
        ({"kind": "at_most_steps", "limit": 4}, outcome(num_steps=4), outcome(num_steps=5)),
        (
            {"kind": "no_failed_calls"},
            ASKED,
            outcome(Call("get_order_details", {}, step=1, error="no such order")),
        ),
        (
            {"kind": "tool_called_at_most", "tool": CANCEL.tool, "limit": 1, "arguments": {}},
            ASKED,
            outcome(*ASKED.events, CANCEL),
        ),
        (
            {"kind": "policy_kept"},
            ASKED,
            outcome(Call("fly", {}, step=1, error="it is off", is_refused=True)),
        ),
        (
            {"kind": "answer_matches", "pattern": r"(?i)order #[a-z]\d\b"},
            ASKED,
            outcome(Message("agent", "order #1", 1)),
        ),
        ({"kind": "answer_never_matches", "pattern": r"^Shall"}, outcome(LOOK), ASKED),
        (
            {"kind": "answer_cites", "tool": LOOK.tool, "path": "$.status"},
            outcome(LOOK, Message("agent", "It is Pending.", 3)),
            outcome(LOOK, Message("agent", "It is shipped.", 3)),
        ),
        (
            {"kind": "links_only_to", "hosts": ["shop.example"]},
            outcome(Message("agent", "See https://www.shop.example/a", 1)),
            outcome(Message("agent", "![x](//evil.example/shop.example)", 1)),
        ),
        ({"kind": "answer_length", "most": 10, "unit": "words"}, ASKED, outcome(LONG)),
        ({"kind": "answer_language", "language": "en"}, ASKED, outcome(GERMAN)),
        ({"kind": "no_leak"}, ASKED, outcome(Message("agent", f"Use {TOKEN}", 1))),
        (
            {"kind": "at_most_cost", "limit": 0.02},
            outcome(cost_usd=Decimal("0.02")),
            outcome(cost_usd=None),
        ),
        (
            {"kind": "at_most_seconds", "limit": 1.5},
            outcome(working_ms=1500),
            outcome(working_ms=1501),
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_each_kind_passes_and_fails(
    check: dict[str, Any], passing: Outcome, failing: Outcome
) -> None:
    assert problems_of(check, TOOLS) == {}
    assert check_from_texts(check["kind"], texts_of(check), TOOLS) == check
    assert found(check, passing)[0] is True
    passed, text = found(check, failing)
    assert passed is False
    assert text


def test_every_kind_is_tried_above() -> None:
    (tried,) = test_each_kind_passes_and_fails.pytestmark  # type: ignore[attr-defined]
    assert {case[0]["kind"] for case in tried.args[1]} == set(KINDS) - {"judge_rubric"}


def test_what_only_a_judge_can_say_neither_passes_nor_fails() -> None:
    check = {"kind": "judge_rubric", "judge": "kindness"}
    assert problems_of(check, TOOLS) == {}
    assert found(check, ASKED) == (None, "not judged yet by kindness")
    assert has_passed(judge_outcome([check], ASKED))


def test_every_kind_says_what_it_looks_for() -> None:
    for kind in KINDS.values():
        assert kind.summary.startswith("Pass if ")
        assert kind.label != kind.name


def test_a_check_without_a_docstring_is_refused() -> None:
    with pytest.raises(TypeError, match="needs a docstring"):
        check_kind(label="x", group=Group.CALLS, title="x")(lambda check, outcome: (True, ""))


def test_failed_call_does_not_count_as_called_but_counts_against_never() -> None:
    failed = outcome(Call(CANCEL.tool, CANCEL.arguments, step=2, error="not pending"))
    called = {"kind": "tool_called", "tool": CANCEL.tool, "arguments": {}}
    assert found(called, failed) == (False, "failed at step 2: not pending")
    assert found({**called, "kind": "tool_not_called"}, failed)[0] is False


def test_what_is_not_required_may_be_left_out() -> None:
    for check, passing in (
        ({"kind": "tool_called", "tool": CANCEL.tool}, ASKED),
        ({"kind": "tool_called_at_most", "tool": CANCEL.tool, "limit": 1}, ASKED),
        ({"kind": "confirmed_before", "tool": CANCEL.tool}, ASKED),
        ({"kind": "links_only_to"}, ASKED),
    ):
        assert problems_of(check, TOOLS) == {}
        assert found(check, passing)[0]
        assert check_title(check)


def test_fields_that_a_kind_does_not_have_are_refused() -> None:
    assert "no field called 'times'" in problems_of({"kind": "no_leak", "times": 2}, TOOLS)["times"]


def test_call_with_other_arguments_is_named() -> None:
    check = {"kind": "tool_called", "tool": CANCEL.tool, "arguments": {"order_id": "#B2"}}
    assert found(check, ASKED) == (False, "called at step 4 with order_id #A1")


@pytest.mark.parametrize(
    ("events", "word"),
    [
        ([QUESTION, CANCEL], "before the customer said anything"),
        ([customer("Cancel #A1"), CANCEL], "did not ask"),
        ([customer("Hi"), Message("agent", "Done.", 1), customer("Yes"), CANCEL], "did not ask"),
        (
            [Message("agent", "Cancel #A1?", 1, has_calls=True), customer("Yes"), CANCEL],
            "did not ask",
        ),
        ([Message("agent", "Are you Mia?", 1), customer("Yes"), CANCEL], "did not name order_id"),
        (
            [QUESTION, customer("Yes"), Call(CANCEL.tool, {}, step=4)],
            "could not be checked: the call has no order_id",
        ),
        ([QUESTION, customer("No, leave it"), CANCEL], "answered “No, leave it”"),
        ([QUESTION, customer("Yes"), customer("Wait"), CANCEL], "did not ask"),
    ],
)
def test_confirmation_is_a_question_and_a_yes(events: list[Event], word: str) -> None:
    check = {"kind": "confirmed_before", "tool": CANCEL.tool, "mentions": "order_id"}
    passed, text = found(check, outcome(*events))
    assert not passed
    assert word in text


@pytest.mark.parametrize(
    "link",
    [
        r"https://evil.example\@shop.example/",
        r"https:\\evil.example/?q=1",
        "https:/evil.example",
        "//evil.example/x",
        "www.evil.example",
        "https://shop.example@evil.example",
        "https://[evil.example",
    ],
)
def test_link_leads_where_a_browser_would_go(link: str) -> None:
    check = {"kind": "links_only_to", "hosts": ["shop.example"]}
    assert found(check, outcome(Message("agent", f"See {link} now", 1)))[0] is False
    good = "See https://www.shop.example/a, www.shop.example or //shop.example."
    assert found(check, outcome(Message("agent", good, 1))) == (True, "3 links")


@pytest.mark.parametrize("written", ["re\u200bfund", "\uff52\uff45\uff46\uff55\uff4e\uff44"])
def test_words_are_forbidden_however_they_are_written(written: str) -> None:
    said = outcome(Message("agent", f"Your {written}\u00a0now.", 1))
    never = {"kind": "answer_lacks", "text": "refund now"}
    never_matches = {"kind": "answer_never_matches", "pattern": "(?i)refund now"}
    assert [found(check, said)[0] for check in (never, never_matches)] == [False, False]


def test_one_yes_confirms_all_calls_that_follow_it() -> None:
    check = {"kind": "confirmed_before", "tool": CANCEL.tool, "mentions": ""}
    twice = outcome(*ASKED.events, Call(CANCEL.tool, {"order_id": "#B2"}, step=5))
    assert found(check, twice) == (True, "asked before step 4, 5")
    assert found(check, outcome(LOOK)) == (True, "never called")


@pytest.mark.parametrize(
    "text",
    ["yes", "Yes, I no longer need it.", "OK go ahead", "Great. Please proceed!", "no problem, yes",
     "That\u2019s correct"],
)  # fmt: skip
def test_yes_is_understood(text: str) -> None:
    assert is_yes(text)


@pytest.mark.parametrize(
    "text", ["no", "No, yes I mean no", "I'm not sure", "Wait, not yet", "thanks", "don't do it"]
)
def test_no_is_not_taken_for_yes(text: str) -> None:
    assert not is_yes(text)


def test_final_state_names_what_it_found() -> None:
    check = {"kind": "final_state", "record": "order", "key": "#A1", "path": "address.zip"}
    ended = outcome(records={("order", "#A1"): ORDER})
    assert found({**check, "equals": 10115}, ended) == (True, "address.zip is 10115")
    assert found({**check, "path": "address.town", "equals": "x"}, ended)[1] == (
        "it has no address.town"
    )
    assert found({**check, "key": "#Z9", "equals": "x"}, ended)[1] == "there is no order #Z9"


def test_value_at_reads_lists_and_refuses_what_is_not_there() -> None:
    assert value_at(ORDER, "items.0.price") == 12.0
    for path in ("items.1.price", "items.x", "status.deeper", ""):
        with pytest.raises(LookupError):
            value_at(ORDER, path)


def test_titles_are_readable() -> None:
    check = {"kind": "tool_called", "tool": "refund", "arguments": {"to": "gift_card_1"}}
    assert check_title(check) == "calls refund with to gift_card_1"
    assert check_title({"kind": "tools_in_order", "tools": ["a", "b"]}) == "calls a, then b"


def test_form_texts_become_a_check() -> None:
    texts = {"tool": CANCEL.tool, "arguments": '{"order_id": "#A1"}'}
    check = check_from_texts("tool_called", texts, TOOLS)
    assert check == {"kind": "tool_called", "tool": CANCEL.tool, "arguments": {"order_id": "#A1"}}
    state = {"record": "order", "key": "#A1", "path": "status", "equals": "cancelled"}
    assert check_from_texts("final_state", state, TOOLS)["equals"] == "cancelled"
    assert check_from_texts("final_state", {**state, "equals": "7"}, TOOLS)["equals"] == 7


@pytest.mark.parametrize(
    ("kind", "texts", "field", "word"),
    [
        ("tool_called", {"tool": "refund_all"}, "tool", "no tool called 'refund_all'"),
        ("tool_called", {"tool": CANCEL.tool, "arguments": "{order: 1}"}, "arguments", "not JSON"),
        ("tool_called", {"tool": CANCEL.tool, "arguments": "[1]"}, "arguments", "JSON object"),
        ("tool_called", {"tool": CANCEL.tool, "arguments": '{"a": NaN}'}, "arguments", "NaN"),
        ("tools_in_order", {"tools": CANCEL.tool}, "tools", "at least two"),
        ("tools_in_order", {"tools": f"{CANCEL.tool}\nfly"}, "tools", "'fly'"),
        ("final_state", {"record": "ship", "key": "1", "path": "a", "equals": "b"}, "record", "on"),
        ("final_state", {"record": "order", "key": "1", "path": "a"}, "equals", "write the value"),
        ("answer_contains", {"text": " "}, "text", "empty"),
        ("handed_over", {"expected": "perhaps"}, "expected", "yes or no"),
        ("at_most_steps", {"limit": "many"}, "limit", "whole number"),
        ("at_most_steps", {"limit": "0"}, "limit", "from 1 to 1000"),
        ("mind_reading", {}, "kind", "no check called"),
        ("answer_matches", {"pattern": "(?=a)"}, "pattern", "no look-around"),
        ("answer_matches", {"pattern": "(" * 10}, "pattern", "missing )"),
        ("answer_cites", {"tool": LOOK.tool, "path": "status"}, "path", "begins with $"),
        ("answer_length", {"most": "3", "unit": "lines"}, "unit", "words, characters"),
        ("answer_length", {"most": "", "unit": "words"}, "most", "whole number"),
        ("answer_language", {"language": ""}, "language", "not chosen"),
        ("at_most_cost", {"limit": "cheap"}, "limit", "a number such as 0.5"),
        ("at_most_cost", {"limit": "-1"}, "limit", "more than 0"),
        ("at_most_cost", {"limit": "nan"}, "limit", "more than 0"),
        ("tool_called", {"tool": LOOK.tool, "where": "amount"}, "where", "after amount comes"),
        ("tool_called", {"tool": LOOK.tool, "schema": '{"type": "x"}'}, "schema", "type"),
    ],
)
def test_bad_checks_are_refused_by_field(
    kind: str, texts: dict[str, str], field: str, word: str
) -> None:
    with pytest.raises(BadCheckError) as error:
        check_from_texts(kind, texts, TOOLS)
    assert list(error.value.problems) == [field]
    assert word in error.value.problems[field]


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
arguments = st.dictionaries(st.text(max_size=6), json_values, max_size=5)


@given(arguments)
def test_the_order_of_keys_does_not_matter_to_fixtures(values: dict[str, Any]) -> None:
    fixture = Fixture("look", values, result=1)
    turned = dict(reversed(list(values.items())))
    assert fixture_for([fixture.to_json()], "look", turned) == fixture
    assert fixture_for([fixture.to_json()], "other", turned) is None


@given(arguments, arguments)
def test_fixtures_match_exactly_when_canonical_json_is_equal(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    match = fixture_for([Fixture("look", left).to_json()], "look", right)
    assert (match is not None) == (canonical_json(left) == canonical_json(right))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3), st.integers()), max_size=12))
def test_the_first_of_equal_fixtures_answers(calls: list[tuple[str, int, int]]) -> None:
    fixtures = [Fixture(tool, {"n": n}, result) for tool, n, result in calls]
    kept = without_doubles(fixtures)
    assert len({(f.tool, f.arguments["n"]) for f in fixtures}) == len(kept)
    stored = [fixture.to_json() for fixture in fixtures]
    assert all(fixture_for(stored, f.tool, f.arguments) == f for f in kept)


@given(arguments, st.data())
def test_any_subset_of_a_calls_arguments_matches_it(
    values: dict[str, Any], data: st.DataObject
) -> None:
    names = data.draw(st.sets(st.sampled_from(sorted(values)))) if values else set()
    call = Call("look", values, step=1)
    assert has_arguments(call, {name: values[name] for name in names})
    assert not has_arguments(call, {**values, "\x00new": 1})


@given(json_values)
def test_equal_json_is_the_same_after_a_round_trip(value: Any) -> None:
    assert is_same(value, json.loads(json.dumps(value)))
    assert is_same(5.0, 5)
    assert not is_same(1, True)


@given(json_values.filter(lambda value: value != ""))
def test_a_value_survives_the_form(value: Any) -> None:
    if isinstance(value, str) and not value.isprintable():
        return
    check = {"kind": "final_state", "record": "order", "key": "k", "path": "p", "equals": value}
    texts = texts_of(check)
    assert is_same(check_from_texts("final_state", texts, TOOLS)["equals"], value)
