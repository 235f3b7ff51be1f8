"""The pure parts of a session's page: values in short, the tree with its axis, the conversation."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reviewdesk.screens.sessions.chips import Detail
from reviewdesk.screens.sessions.talk import talk_of
from reviewdesk.screens.sessions.tree import WIDTH, Axis, Outline, lay_out
from reviewdesk.screens.sessions.values import (
    MAX_ROWS,
    MAX_SHORT,
    pairs_of,
    short_arguments,
    short_result,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"order_id": "#A1", "item_ids": ["1", "2"]}, "#A1 · 1, 2"),
        ({"item_ids": ["1", "2", "3"], "is_gift": True}, "3 items · yes"),
        ({}, ""),
        ({"note": "a\n b"}, "a b"),
        ("plain", "plain"),
    ],
)
def test_arguments_in_short_are_their_values(arguments, text):
    assert short_arguments(arguments) == text


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"id": "#A1", "status": "shipped", "items": [1, 2]}, "shipped · 2 items · #A1"),
        ({"items": [1]}, "1 item"),
        ("ok", "ok"),
        ([1, 2, 3], "3 items"),
        ({"a": {}}, "1 values"),
        (None, "none"),
    ],
)
def test_result_in_short_begins_with_its_status(result, text):
    assert short_result(result) == text


@given(JSON)
def test_any_value_fits_on_a_line_and_in_a_list(value):
    assert len(short_arguments(value)) <= MAX_SHORT
    assert len(short_result(value)) <= MAX_SHORT
    pairs = pairs_of(value)
    assert len(pairs.shown) <= MAX_ROWS
    assert pairs.num_more >= 0


def test_pairs_name_the_path_of_nested_values():
    value = {"who": {"name": "Mira O."}, "items": [{"a": {"b": 1}}], "tags": [], "id": "A-1"}
    assert [(pair.group, pair.name, pair.text, pair.is_code) for pair in pairs_of(value).shown] == [
        ("", "id", "A-1", True),
        ("", "who.name", "Mira O.", False),
        ("items 1", "a.b", "1", True),
        ("", "tags", "empty", False),
    ]


def test_deep_value_does_not_exhaust_the_stack():
    value = "x"
    for _ in range(5000):
        value = [value]
    assert pairs_of(value).shown[0].text == "x"


def outline(span_id, start, duration=0, kind="model", parent="", status="ok"):
    return Outline(span_id, parent, kind, span_id, start, duration, status)


def test_axis_leaves_waits_out():
    axis = Axis([(0, 10), (100, 110), (105, 120)])
    assert axis.length == 30
    assert [axis.place(at) for at in (0, 5, 50, 100, 110, 500)] == [0, 5, 10, 10, 20, 30]


def test_bars_share_one_axis_and_parents_come_first():
    spans = [
        outline("tool", 20, 10, "tool", parent="root"),
        outline("root", 0, 100, "agent"),
        outline("model", 0, 10, parent="root"),
    ]
    tree = lay_out(spans)
    assert [(row.span.span_id, row.depth) for row in tree.rows] == [
        ("root", 0),
        ("model", 1),
        ("tool", 1),
    ]
    assert [(row.bar_start, row.bar_width) for row in tree.rows[1:]] == [(0, 120), (120, 120)]
    assert tree.busy_ns == 20


def test_wait_for_a_person_is_left_out_of_a_calls_bar():
    spans = [outline("model", 0, 10), outline("tool", 10, 1000, "tool")]
    tree = lay_out(spans, {"tool": 1000})
    assert tree.busy_ns == 20
    assert tree.rows[1].bar_start == WIDTH / 2


def test_steps_stand_under_the_customers_message():
    spans = [
        outline("root", 0, 9, "agent"),
        outline("c", 1, 0, "customer", parent="root"),
        outline("m", 2, 1, parent="root"),
    ]
    assert [row.depth for row in lay_out(spans).rows] == [0, 1, 2]


def test_strange_trees_lose_no_span():
    spans = [
        outline("a", 0, 1, parent="b"),
        outline("b", 1, 1, parent="a"),
        outline("self", 2, 1, parent="self"),
        outline("orphan", 3, 1, parent="gone"),
    ]
    assert {row.span.span_id for row in lay_out(spans).rows} == {"a", "b", "self", "orphan"}
    assert lay_out([]).rows == []


@given(
    st.lists(
        st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 50), st.integers(0, 50)),
        unique_by=lambda row: row[0],
        max_size=12,
    )
)
def test_every_span_once_and_every_bar_within_the_row(rows):
    spans = [outline(str(i), start, length, parent=str(up)) for i, up, start, length in rows]
    tree = lay_out(spans)
    assert sorted(row.span.span_id for row in tree.rows) == sorted(s.span_id for s in spans)
    for row in tree.rows:
        assert 0 <= row.bar_start <= WIDTH
        assert row.bar_start + row.bar_width <= WIDTH + 3


def detail(span_id, kind, **more):
    values = {"name": kind, "start_ns": 0, "duration_ns": 0, "status": "ok"}
    return Detail(span_id=span_id, kind=kind, **{**values, **more})


def test_calls_between_two_sayings_stand_together():
    items = talk_of(
        [
            detail("root", "agent"),
            detail("c", "customer", said="Where is it?", start_ns=1_000_000_000),
            detail("m1", "model"),
            detail("t1", "tool", output={"result": "found"}),
            detail("t2", "tool", output={"error": "no such order"}, status="error"),
            detail("m2", "model", said="On its way.", start_ns=3_000_000_000),
        ],
        {},
    )
    assert [item.kind for item in items] == ["said", "calls", "said"]
    assert [(chip.state, chip.outcome) for chip in items[1].chips] == [
        ("ok", "found"),
        ("failed", "no such order"),
    ]
    assert items[1].anchors == ("m1",)
    assert items[2].after_ns == 2_000_000_000


def test_failed_model_call_is_told():
    items = talk_of([detail("m", "model", status="error", status_message="503 away")], {})
    assert (items[0].kind, items[0].is_error, items[0].text) == ("trouble", True, "503 away")


@pytest.mark.parametrize(
    ("more", "state", "note"),
    [
        ({"status": "waiting"}, "waiting", "Waits for approval by a person."),
        ({"output": {"result": "x", "is_suggestion": True}}, "suggested", "Proposed, not exec"),
        (
            {"status": "error", "attributes": {"decision": "expired"}},
            "expired",
            "Nobody decided in time",
        ),
        (
            {"status": "error", "attributes": {"is_policy_violation": True}},
            "failed",
            "The agent may not use this tool",
        ),
        ({"status": "running"}, "running", ""),
    ],
)
def test_state_of_a_call_is_told(more, state, note):
    (calls,) = talk_of([detail("t", "tool", **more)], {})
    assert calls.chips[0].state == state
    assert calls.chips[0].note.startswith(note)


def test_an_edited_call_shows_what_was_executed_beside_what_was_proposed():
    asked = {"arguments": {"order_id": "#A1", "reason": "proposed words"}}
    attributes = {"executed_arguments": {"order_id": "#A1", "reason": "decided words"}}
    (calls,) = talk_of([detail("t", "tool", input=asked, attributes=attributes)], {})
    (chip,) = calls.chips
    assert chip.short == "#A1 · decided words"
    assert [pair.text for pair in chip.arguments.shown] == ["#A1", "decided words"]
    assert [pair.text for pair in chip.proposed.shown] == ["#A1", "proposed words"]


def test_rev_changes_with_what_is_shown():
    before, after = (
        talk_of([detail("t", "tool", status=status)], {})[0].rev for status in ("running", "ok")
    )
    assert before != after
