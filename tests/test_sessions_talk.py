"""The conversation of received sessions: from what model calls heard, said and asked for."""

import pytest

from agents.golden.proposed import propose_test
from reviewdesk.screens.sessions.chips import Detail
from reviewdesk.screens.sessions.reading import read_session
from reviewdesk.screens.sessions.talk import talk_of
from reviewdesk.screens.sessions.tree import Outline
from reviewdesk.screens.sessions.words import Speakers, Turn
from tests.factories import make_project, make_span
from traces.ingest.store import store_sessions
from traces.models import Session
from traces.records import SessionRecord

LONG = "Where is the parcel that I ordered on Monday?"


def detail(span_id, kind="model", at=0, **more):
    values = {"name": kind, "start_ns": at, "duration_ns": 1, "status": "ok"}
    return Detail(span_id=span_id, kind=kind, **{**values, **more})


def user(text):
    return Turn("user", text)


def talk(*details, outlines=(), **more):
    return talk_of(details, {}, Speakers(outlines), **more)


def told(items):
    """Return who said what, and the calls' names and outcomes."""
    lines = []
    for item in items:
        if item.kind == "said":
            lines.append((item.who, item.text))
        else:
            lines += [(chip.name, chip.outcome) for chip in item.chips]
    return lines


def test_messages_sent_to_several_calls_stand_once():
    items = talk(
        detail("a", turns=(Turn("system", "Be kind."), user(LONG)), said="A moment."),
        detail("b", at=1, turns=(Turn("system", "Be kind."), user(LONG)), said="A moment."),
    )
    assert told(items) == [("Instructions", "Be kind."), ("Customer", LONG), ("Agent", "A moment.")]
    assert len({item.anchor for item in items}) == 3


def test_customer_may_say_the_same_short_word_twice():
    items = talk(
        detail("a", turns=(user("Yes"),), said="And the second?"),
        detail("b", at=1, turns=(user("Yes"),), said="Done."),
    )
    assert [text for _, text in told(items)] == ["Yes", "And the second?", "Yes", "Done."]


def test_second_agent_under_a_root_is_spoken_to_by_an_agent():
    outlines = [
        Outline("root", "", "agent", "flow", 0, 9, "ok"),
        Outline("first", "root", "agent", "writer", 0, 4, "ok"),
        Outline("second", "root", "agent", "critic", 4, 4, "ok"),
        Outline("a", "first", "model", "m", 1, 1, "ok"),
        Outline("b", "second", "model", "m", 5, 1, "ok"),
    ]
    items = talk(
        detail("a", at=1, turns=(user("Write a line."),), said="A line."),
        detail("b", at=5, turns=(user("Judge it."),), said="Good."),
        outlines=outlines,
    )
    assert [who for who, _ in told(items)] == ["Customer", "Agent", "To critic", "Agent"]


def test_call_without_a_span_is_a_chip_with_the_later_message_as_its_result():
    call = ("c1", "find_parcel", {"id": "P-7"}, "")
    items = talk(
        detail("a", turns=(user("Hello"),), calls=(call,)),
        detail("b", at=1, turns=(Turn("tool", "sent", call_id="c1"),), said="On its way."),
    )
    assert told(items) == [("Customer", "Hello"), ("find_parcel", "sent"), ("Agent", "On its way.")]


@pytest.mark.parametrize("attributes", [{"call_id": "c1"}, {}])
def test_call_and_its_span_are_one_chip(attributes):
    call = ("c1", "find_parcel", {"id": "P-7"}, "")
    tool = detail(
        "t",
        "tool",
        at=1,
        name="find_parcel",
        input={"arguments": {"id": "P-7"}},
        output={"result": "sent"},
        attributes=attributes,
    )
    assert told(talk(detail("a", calls=(call,)), tool)) == [("find_parcel", "sent")]


def test_call_that_nothing_answers_says_so():
    (calls,) = talk(detail("a", calls=(("", "finish", {}, ""),)))
    assert "nothing tells what came of it" in calls.chips[0].note


def test_agents_answer_stands_at_its_end_unless_a_call_said_it():
    root = detail("r", "agent", duration_ns=9, said="Sort it.", answer="Sorted.")
    assert told(talk(root, detail("a", at=1))) == [("Task", "Sort it."), ("Agent", "Sorted.")]
    said = talk(root, detail("a", at=1, turns=(user("Sort it."),), said="Sorted."))
    assert told(said) == [("Customer", "Sort it."), ("Agent", "Sorted.")]


def test_answer_of_an_agent_that_goes_on_is_left_to_the_later_window():
    root = detail("r", "agent", duration_ns=9, answer="Sorted.")
    assert talk(root, until_ns=5) == []


def test_reasoning_stands_with_what_it_led_to():
    (said,) = talk(detail("a", said="Sorted.", reasoning="By name?"))
    assert (said.text, said.reasoning) == ("Sorted.", "By name?")


def received(*spans):
    project = make_project()
    record = SessionRecord("otlp", "s1", "completed", "parcels", "", tuple(spans))
    store_sessions(project=project, records=[record])
    return Session.objects.get(project=project)


def model(at, messages, new, heard="", content=None, calls=()):
    return make_span(
        "model",
        "gpt-x",
        at=at,
        heard=heard,
        input={"messages": messages, "new": new},
        output={"content": content, "tool_calls": list(calls)},
    )


@pytest.fixture
def session(db):
    call = {"id": "c1", "name": "find_parcel", "arguments": {"id": "P-7"}}
    first = [{"role": "user", "content": LONG}]
    second = [*first, {"role": "assistant", "content": None, "tool_calls": [call]}]
    second.append({"role": "tool", "content": "sent", "tool_call_id": "c1"})
    return received(
        model(0, first, 0, LONG, calls=[call]),
        make_span(
            "tool",
            "find_parcel",
            at=2,
            input={"arguments": {"id": "P-7"}},
            output={"result": "sent"},
            attributes={"call_id": "c1"},
        ),
        model(4, second, 2, content="It is on its way."),
    )


def test_page_reads_only_new_messages_from_the_database(session):
    assert told(read_session(session).talk) == [
        ("Customer", LONG),
        ("find_parcel", "sent"),
        ("Agent", "It is on its way."),
    ]


def test_received_session_makes_a_golden_test_from_what_models_heard(session):
    proposed = propose_test(session=session, label=None)
    assert proposed.messages == [{"role": "user", "content": LONG}]
    assert [call.tool for call in proposed.recording.calls] == ["find_parcel"]
    assert [
        answer.content for answer in proposed.recording.events if hasattr(answer, "speaker")
    ] == [
        LONG,
        "It is on its way.",
    ]


@pytest.mark.django_db
def test_odd_inputs_break_no_page():
    odd = [{"messages": "x", "new": "y"}, {"messages": [1, None, {"role": 3}]}, [], "text", 5]
    spans = [make_span("model", "m", at=n, input=each, output=each) for n, each in enumerate(odd)]
    assert read_session(received(*spans)).talk is not None
