"""Spans that come one by one end in their session, whatever order they come in."""

import json
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from tests.factories import NOON_NS, SECOND, make_label, make_project, make_span, make_user
from traces.ingest.append import append_spans
from traces.models import Emitter, Label, Project, Queue, QueueItem, Session, Span, Trace
from traces.partitions import make_weeks, partition_name
from traces.records import EmitterRecord, IncomingSpan
from traces.refresh import drain

pytestmark = pytest.mark.django_db

TRACE = "a" * 32
OTHER = "b" * 32
_SAID = {"session_key", "customer", "agent_name", "version_name", "title", "metadata"}


def arriving(number: int = 1, at: int = 0, **overrides: Any) -> IncomingSpan:
    """Make a span that arrives: fields of `IncomingSpan`; all others are the record's."""
    said = {name: overrides.pop(name) for name in list(overrides) if name in _SAID}
    values = {
        "kind": "tool",
        "name": f"step-{number}",
        "span_id": f"{number:016x}",
        "trace_id": TRACE,
        **overrides,
    }
    return IncomingSpan(make_span(at=at, **values), **said)


def test_spans_of_a_trace_make_a_session() -> None:
    project = make_project()
    counts = append_spans(project=project, spans=[arriving(1), arriving(2, at=1)])
    assert (counts.spans, counts.repeated, counts.rejected) == (2, 0, 0)
    session = Session.objects.get(project=project)
    assert (session.source, session.external_id, session.spans.count()) == ("otlp", TRACE, 2)


def test_no_spans_are_no_session() -> None:
    project = make_project()
    assert append_spans(project=project, spans=[]).spans == 0
    assert not Session.objects.filter(project=project).exists()


def test_span_sent_again_is_one_span() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1)])
    counts = append_spans(project=project, spans=[arriving(1), arriving(2), arriving(2)])
    assert (counts.spans, counts.repeated) == (1, 2)
    assert Span.objects.filter(session__project=project).count() == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_span_that_ran_is_completed_in_either_order(order: tuple[int, int]) -> None:
    project = make_project()
    spans = [
        arriving(1, status="running"),
        arriving(1, status="ok", duration_ns=SECOND, output={"result": 7}),
    ]
    for number in order:
        append_spans(project=project, spans=[spans[number]])
    span = Span.objects.get(session__project=project)
    assert (span.status, span.duration_ns, span.output) == ("ok", SECOND, {"result": 7})


def test_span_that_ended_stays_as_it_was_sent_first() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1, name="first")])
    append_spans(project=project, spans=[arriving(1, name="second")])
    assert Span.objects.get(session__project=project).name == "first"


def test_same_trace_in_two_projects_is_two_sessions() -> None:
    for project in (make_project(), make_project()):
        append_spans(project=project, spans=[arriving(1)])
        assert Session.objects.filter(project=project, external_id=TRACE).count() == 1


def test_late_session_key_moves_spans() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1, at=5)])
    append_spans(project=project, spans=[arriving(2, at=9, session_key="talk-7")])
    append_spans(project=project, spans=[arriving(3, at=11)])
    session = Session.objects.get(project=project)
    assert (session.external_id, session.spans.count()) == ("talk-7", 3)
    assert session.first_ns == NOON_NS + 5 * SECOND


def test_smaller_key_wins_whichever_comes_first() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1, session_key="b")])
    append_spans(project=project, spans=[arriving(2, session_key="a")])
    append_spans(project=project, spans=[arriving(3, session_key="c")])
    assert Session.objects.get(project=project).external_id == "a"


def test_session_keeps_the_other_trace_when_one_moves_away() -> None:
    project = make_project()
    both = [arriving(1, session_key="b"), arriving(2, at=3, trace_id=OTHER, session_key="b")]
    append_spans(project=project, spans=both)
    append_spans(project=project, spans=[arriving(4, at=9, session_key="a")])
    drain()
    left = Session.objects.get(project=project, external_id="b")
    assert (left.num_spans, left.first_ns) == (1, NOON_NS + 3 * SECOND)
    assert Session.objects.get(project=project, external_id="a").num_spans == 2


def test_traces_of_one_key_share_a_session() -> None:
    project = make_project()
    spans = [arriving(1, session_key="talk"), arriving(1, trace_id=OTHER, session_key="talk")]
    counts = append_spans(project=project, spans=spans)
    session = Session.objects.get(project=project)
    assert Trace.objects.filter(session=session).count() == 2
    assert (counts.spans, counts.repeated) == (1, 1), "the same span id and start in both"


def test_labels_and_queue_items_go_along_with_the_spans() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1)])
    old = Session.objects.get(project=project)
    label = make_label(old, first_wrong_span_id=f"{1:016x}", outcome="harmful")
    item = QueueItem.objects.create(
        queue=Queue.objects.create(project=project, name="Look"), session=old
    )
    append_spans(project=project, spans=[arriving(2, session_key="talk")])
    session = Session.objects.get(project=project)
    label.refresh_from_db()
    item.refresh_from_db()
    assert label.session_id == item.session_id == session.pk != old.pk
    assert label.outcome == "harmful"


def test_completed_label_replaces_the_same_persons_draft() -> None:
    project = make_project()
    author = make_user("reviewer", project)
    append_spans(project=project, spans=[arriving(1)])
    make_label(Session.objects.get(project=project), author, outcome="harmful")
    append_spans(project=project, spans=[arriving(1, trace_id=OTHER, session_key="talk")])
    new = Session.objects.get(project=project, external_id="talk")
    make_label(new, author, outcome="resolved", is_completed=False)
    append_spans(project=project, spans=[arriving(3, session_key="talk")])
    assert [label.outcome for label in Label.objects.filter(session=new)] == ["harmful"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"trace_id": ""}, "it has no trace id"),
        ({"trace_id": "xyz"}, "its trace's id 'xyz' is not 32 hex digits"),
        ({"span_id": "12"}, "its id is not 16 hex digits"),
        ({"session_key": "k" * 201}, "of its session: its id has 201 characters"),
        ({"session_key": "a\x00b"}, "holds a NUL"),
        ({"start_ns": 2**63}, "out of range"),
        ({"start_ns": 2**63 - 5, "duration_ns": 10}, "out of range"),
        ({"duration_ns": -1}, "out of range"),
        ({"cached_tokens": 2**31}, "token count 2147483648 is out of range"),
        ({"input": json.loads("[" * 900 + "]" * 900)}, "nested too deeply"),
        ({"emitter": EmitterRecord({"a": json.loads("[" * 900 + "]" * 900)})}, "nested too deep"),
    ],
)
def test_bad_span_is_named_and_the_rest_is_stored(overrides: dict[str, Any], words: str) -> None:
    project = make_project()
    counts = append_spans(project=project, spans=[arriving(1), arriving(2, **overrides)])
    assert (counts.spans, counts.rejected) == (1, 1)
    assert words in counts.problems[0]
    assert "'step-2'" in counts.problems[0]


@pytest.mark.parametrize("start_ns", [-(10**18), 0, 1, 4_102_444_800 * SECOND, 2**63 - 1])
def test_strange_times_are_stored(start_ns: int) -> None:
    project = make_project()
    assert append_spans(project=project, spans=[arriving(start_ns=start_ns)]).spans == 1
    drain()
    session = Session.objects.get(project=project)
    assert (session.first_ns, session.num_spans) == (start_ns, 1)


def test_durations_that_overflow_together_are_cut() -> None:
    project = make_project()
    spans = [arriving(number, start_ns=0, duration_ns=2**62) for number in (1, 2, 3)]
    append_spans(project=project, spans=spans)
    drain()
    assert Session.objects.get(project=project).working_ns == 2**63 - 1


def test_nul_half_characters_and_nan_are_stored_as_text() -> None:
    project = make_project()
    odd = {"text": "a\x00b\ud800", "number": float("nan"), "nul\x00": [None]}
    span = arriving(name="n\x00", input=odd, attributes=odd, customer="c\x00", metadata=odd)
    assert append_spans(project=project, spans=[span]).spans == 1
    drain()
    stored = Span.objects.get(session__project=project)
    assert stored.input == {"text": "a�b�", "number": "nan", "nul�": [None]}
    assert Session.objects.get(project=project).metadata == stored.input


def test_five_megabytes_are_stored() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(output={"result": "x" * 5_000_000})])
    drain()
    assert len(Span.objects.get(session__project=project).output["result"]) == 5_000_000


def test_emitter_is_stored_once() -> None:
    project = make_project()
    for number in (1, 2):
        emitter = EmitterRecord({"service.name": "shop"}, {"name": "lib", "version": "1"})
        append_spans(project=project, spans=[arriving(number, emitter=emitter)])
    emitted = Emitter.objects.get(project=project)
    assert (emitted.resource, emitted.scope["name"]) == ({"service.name": "shop"}, "lib")
    assert set(Span.objects.values_list("emitter_id", flat=True)) == {emitted.pk}


def test_many_emitters_take_no_more_queries_than_two(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1)])
    senders = [EmitterRecord({"host.name": f"host-{number}"}) for number in range(300)]
    spans = [arriving(number + 2, emitter=each) for number, each in enumerate(senders)]
    with django_assert_max_num_queries(30):
        append_spans(project=project, spans=spans)
    stored = dict(Emitter.objects.filter(project=project).values_list("pk", "resource"))
    for span in Span.objects.exclude(emitter_id=None):
        assert stored[span.emitter_id or 0] == {"host.name": f"host-{int(span.span_id, 16) - 2}"}


def test_root_says_who_the_agent_is_whatever_comes_first() -> None:
    project = make_project()
    child = arriving(2, at=0, parent_id=f"{1:016x}", agent_name="billing", title="Bills")
    root = arriving(1, at=1, agent_name="triage")
    for span in (child, root):
        append_spans(project=project, spans=[span])
        drain()
    session = Session.objects.get(project=project)
    assert (session.agent_name, session.title) == ("triage", "Bills")


def test_trace_stays_with_the_source_that_brought_it_first() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(1)], source=Session.Source.LANGFUSE)
    append_spans(project=project, spans=[arriving(2, session_key="talk")])
    session = Session.objects.get(project=project)
    assert (session.source, session.external_id) == ("langfuse", "talk")
    assert session.spans.count() == 2


def test_as_many_queries_for_many_spans() -> None:
    project = make_project()
    append_spans(project=project, spans=[arriving(999)])
    for size in (1, 50):
        spans = [
            arriving(number, trace_id=f"{size:016x}{number:016x}") for number in range(1, size + 1)
        ]
        counter = _Counter()
        with connection.execute_wrapper(counter):
            append_spans(project=project, spans=spans)
        assert counter.num <= 8


class _Counter:
    """Counts queries, those that Django's own counting leaves out too."""

    def __init__(self) -> None:
        self.num = 0

    def __call__(self, execute: Any, *arguments: Any) -> Any:
        self.num += 1
        return execute(*arguments)


# --- Whatever order: the same sessions, spans and totals -------------------------------------


def scenario() -> list[IncomingSpan]:
    """Make three traces: two are one talk, which only some spans name; one names two keys."""
    root, third = f"{1:016x}", "c" * 32
    said = {"output": {"content": "Done."}, "input_tokens": 5, "output_tokens": 2}
    return [
        arriving(1, at=1, kind="agent", name="shop", agent_name="shop", customer="c-1"),
        arriving(2, at=2, parent_id=root, kind="model", model="m", heard="Where is it?", **said),
        arriving(3, at=3, parent_id=root, status="error", session_key="talk"),
        arriving(4, at=0, trace_id=OTHER, kind="agent", name="shop", title="First", customer="c-2"),
        arriving(5, at=9, trace_id=OTHER, parent_id=f"{4:016x}", session_key="talk"),
        arriving(6, at=4, trace_id=third, session_key="talk", metadata={"tag": 1}),
        arriving(7, at=5, trace_id=third, parent_id=f"{6:016x}", session_key="other"),
        arriving(8, at=-9, trace_id=third, parent_id=f"{6:016x}", agent_name="sub", status="ok"),
    ]


def outcome(project: Project) -> list[Any]:
    """Return all that is to be the same."""
    names = [
        field.name
        for field in Session._meta.concrete_fields
        if field.name not in {"id", "project", "received_at", "said_vector"}
    ]
    sessions = list(Session.objects.filter(project=project).order_by("external_id").values(*names))
    spans = Span.objects.filter(session__project=project).order_by("span_id")
    return [*sessions, *spans.values_list("session__external_id", "span_id", "start_ns", "status")]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_order_split_and_repetition_change_nothing(data: Any) -> None:
    expected_project = make_project()
    append_spans(project=expected_project, spans=scenario())
    drain()
    repeated = data.draw(st.lists(st.sampled_from(range(8)), max_size=4))
    order = data.draw(st.permutations([*range(8), *repeated]))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(order) - 1))))
    drains = data.draw(st.booleans())
    project, spans = make_project(), scenario()
    for low, high in pairwise([0, *cuts, len(order)]):
        append_spans(project=project, spans=[spans[number] for number in order[low:high]])
        if drains:
            drain()
    drain()
    assert outcome(project) == outcome(expected_project)


# --- At the same time ------------------------------------------------------------------------


def together(project: Project, requests: Sequence[Sequence[IncomingSpan]]) -> list[int]:
    """Append all requests at once, a connection each; return how many new spans each had."""
    gate = threading.Barrier(len(requests))
    found: list[int] = []
    problems: list[BaseException] = []

    def append(spans: Sequence[IncomingSpan]) -> None:
        try:
            gate.wait(10)
            found.append(append_spans(project=project, spans=spans).spans)
        except BaseException as error:  # noqa: BLE001  # any of them fails the test
            problems.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=append, args=(each,)) for each in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    return found


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_same_spans_at_the_same_time_are_stored_once() -> None:
    project = make_project()
    traces = [f"{number:032x}" for number in range(1, 21)]
    for _ in range(5):
        spans = [
            arriving(10 * talk + number, trace_id=trace, session_key=f"talk-{talk % 7}")
            for talk, trace in enumerate(traces)
            for number in range(3)
        ]
        found = together(project, [spans, spans[::-1], spans[20:] + spans[:20], spans])
        assert len(found) == 4
    assert Span.objects.filter(session__project=project).count() == 60


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_keys_learned_at_the_same_time_end_in_one_session() -> None:
    for _ in range(10):
        project = make_project()
        requests = [
            [arriving(10 * key + number, session_key=f"key-{key}" if key else "", trace_id=trace)]
            for key in range(3)
            for number, trace in enumerate((TRACE, OTHER), 1)
        ]
        assert sum(together(project, requests)) == 6
        drain()
        session = Session.objects.get(project=project)
        assert (session.external_id, session.num_spans) == ("key-1", 6)


def test_week_that_comes_takes_its_spans_from_the_default_partition() -> None:
    project = make_project()
    start_ns = NOON_NS + 3 * 365 * 86_400 * SECOND
    append_spans(project=project, spans=[arriving(1, start_ns=start_ns), arriving(2, start_ns=1)])
    assert _partition_of(start_ns) == "traces_span_default"
    monday = datetime.fromtimestamp(start_ns // SECOND, tz=UTC).date()
    monday -= timedelta(days=monday.weekday())
    assert make_weeks([monday]) == 1
    assert _partition_of(start_ns) == partition_name(monday)
    assert _partition_of(1) == "traces_span_default"
    assert append_spans(project=project, spans=[arriving(1, start_ns=start_ns)]).repeated == 1


def _partition_of(start_ns: int) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass FROM traces_span WHERE start_ns = %s", [start_ns])
        return str(cursor.fetchone()[0])
