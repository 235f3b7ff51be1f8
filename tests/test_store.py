"""Bulk storing: whole sessions, once, whatever they hold and in whatever order they come."""

from dataclasses import replace
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from traces.errors import BadRecordError
from traces.ingest.store import StoreCounts, store_sessions
from traces.models import Project, Session, Span
from traces.records import SessionRecord, SpanRecord
from traces.redaction import masker_for

pytestmark = pytest.mark.django_db

MONDAY = 1_767_571_200_000_000_000
SECOND = 1_000_000_000


def make_span(index: int = 1, **overrides: object) -> SpanRecord:
    span = SpanRecord(
        span_id=f"{index:016x}",
        parent_id="" if index == 0 else f"{0:016x}",
        kind="model",
        name="small-model",
        start_ns=MONDAY + index * SECOND,
        duration_ns=SECOND // 2,
        output={"content": "How can I help?", "tool_calls": []},
    )
    return replace(span, **overrides)


def make_record(external_id: str = "one", **overrides: object) -> SessionRecord:
    record = SessionRecord(
        source="tau2",
        external_id=external_id,
        status="completed",
        agent_name="support",
        version_name="v1",
        spans=(
            make_span(0, kind="agent", name="support", duration_ns=9 * SECOND, output=None),
            make_span(1, kind="customer", output={"content": "My parcel  is\nlate. " * 20}),
            make_span(2, input_tokens=10, cost_usd=Decimal("0.25")),
            make_span(3, kind="tool", name="find_order", status="error"),
        ),
    )
    return replace(record, **overrides)


@pytest.fixture
def project() -> Project:
    return Project.objects.create(slug="shop", name="Shop")


def rows_of(project: Project) -> list[tuple[object, ...]]:
    sessions = Session.objects.filter(project=project).order_by("external_id")
    spans = Span.objects.filter(session__project=project).order_by("session_id", "span_id")
    return [*sessions.values_list(), *spans.values_list()]


def test_totals_come_from_all_spans(project: Project) -> None:
    store_sessions(project=project, records=[make_record()])
    session = Session.objects.get(project=project)
    assert (session.num_spans, session.num_steps, session.num_errors) == (4, 2, 1)
    assert (session.first_ns, session.last_ns) == (MONDAY, MONDAY + 9 * SECOND)
    assert session.working_ns == SECOND
    assert (session.input_tokens, session.output_tokens) == (10, None)
    assert session.cost_usd == Decimal("0.25")
    assert session.tools == ["find_order"]
    assert session.said.startswith("My parcel")
    assert session.said.endswith("How can I help?")


def test_title_is_the_customers_first_words_on_one_line(project: Project) -> None:
    store_sessions(project=project, records=[make_record()])
    title = Session.objects.get().title
    assert title.startswith("My parcel is late. My parcel")
    assert len(title) <= 140


def test_the_same_session_again_changes_nothing(project: Project) -> None:
    store_sessions(project=project, records=[make_record()])
    before = rows_of(project)
    again = make_record(status="failed", spans=(make_span(7),))
    assert store_sessions(project=project, records=[again]) == StoreCounts(0, 0, 1)
    assert rows_of(project) == before


def test_the_same_id_in_another_project_or_source_is_another_session(project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other")
    store_sessions(project=project, records=[make_record(), make_record(source="demo")])
    counts = store_sessions(project=other, records=[make_record()])
    assert counts == StoreCounts(1, 4, 0)
    assert Session.objects.count() == 3


def test_a_span_sent_twice_is_one_span(project: Project) -> None:
    record = make_record(spans=(make_span(1), make_span(1, name="later"), make_span(2)))
    assert store_sessions(project=project, records=[record]).spans == 2
    assert set(Span.objects.values_list("name", flat=True)) == {"small-model"}


def test_what_postgresql_cannot_store_is_replaced(project: Project) -> None:
    dirty = "nul \x00 half \ud83d"
    payload = {dirty: [dirty, float("nan")]}
    span = make_span(1, name=dirty, status_message=dirty, output=payload, attributes=payload)
    store_sessions(
        project=project, records=[make_record(spans=(span,), customer=dirty, metadata=payload)]
    )
    clean = "nul \ufffd half \ufffd"
    stored = Span.objects.get()
    assert stored.output == {clean: [clean, "nan"]}
    assert (stored.name, Session.objects.get().customer) == (clean, clean)


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"span_id": "xyz"}, "16 hex digits"),
        ({"kind": "dance"}, "unknown kind"),
        ({"duration_ns": -1}, "out of range"),
        ({"start_ns": 2**63 - 1}, "out of range"),
        ({"start_ns": -(2**63) + 1, "duration_ns": 2**63}, "out of range"),
        ({"parent_id": "root"}, "parent's id"),
        ({"input_tokens": 2**31}, "token count"),
        ({"cost_usd": Decimal("Infinity")}, "cost"),
    ],
)
def test_a_record_that_columns_cannot_hold_is_refused_whole(
    project: Project, overrides: dict[str, object], problem: str
) -> None:
    bad = make_record("bad", spans=(make_span(0), make_span(1, **overrides)))
    with pytest.raises(BadRecordError, match=problem):
        store_sessions(project=project, records=[make_record("good"), bad])
    assert rows_of(project) == []


@pytest.mark.parametrize(
    ("external_id", "problem"),
    [("x" * 201, "201 characters"), ("a\x00", "NUL"), ("a\ud800", "half a character")],
)
def test_an_id_that_would_be_stored_otherwise_is_refused(
    project: Project, external_id: str, problem: str
) -> None:
    with pytest.raises(BadRecordError, match=problem):
        store_sessions(project=project, records=[make_record(external_id)])


def test_totals_that_columns_cannot_hold_are_refused(project: Project) -> None:
    dear = [make_span(index, cost_usd=Decimal(600_000)) for index in range(2)]
    long = [make_span(index, start_ns=0, duration_ns=2**62) for index in range(2)]
    for spans in (dear, long):
        with pytest.raises(BadRecordError, match="out of range"):
            store_sessions(project=project, records=[make_record(spans=tuple(spans))])


def test_a_value_nested_too_deeply_is_refused(project: Project) -> None:
    deep: list[object] = []
    for _ in range(2_000):
        deep = [deep]
    with pytest.raises(BadRecordError, match="too deeply"):
        store_sessions(project=project, records=[make_record(metadata={"x": deep})])


def test_a_session_without_spans_is_refused(project: Project) -> None:
    with pytest.raises(BadRecordError, match="'empty' has no spans"):
        store_sessions(project=project, records=[make_record("empty", spans=())])


def test_spans_land_in_the_partition_of_their_week(project: Project) -> None:
    span = make_span(0, start_ns=MONDAY + 14 * 86_400 * SECOND)
    store_sessions(project=project, records=[make_record(spans=(make_span(0), span))])
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM traces_span ORDER BY start_ns")
        tables = [row[0] for row in cursor.fetchall()]
    assert tables == ["traces_span_2026w02", "traces_span_2026w04"]


def test_many_sessions_cost_as_many_queries_as_one(project: Project) -> None:
    store_sessions(project=project, records=[make_record("first")])
    masker_for(project)  # read once in two seconds
    with CaptureQueriesContext(connection) as one:
        store_sessions(project=project, records=[make_record("second")])
    with CaptureQueriesContext(connection) as many:
        store_sessions(project=project, records=[make_record(str(i)) for i in range(60)])
    assert len(many) == len(one)


def test_a_said_text_too_long_for_the_search_vector_is_cut(project: Project) -> None:
    letters = [chr(0x20000 + index) for index in range(30_000)]
    text = " ".join(f"{a}-{b}" for a, b in zip(letters, reversed(letters), strict=True)) * 3
    span = make_span(1, kind="customer", output={"content": text})
    store_sessions(project=project, records=[make_record(spans=(span,))])
    assert Session.objects.get().said


@given(orders=st.lists(st.permutations(range(4)), min_size=1, max_size=3))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_and_repetition_stores_the_same_rows(
    project: Project, orders: list[list[int]]
) -> None:
    records = [make_record(str(index)) for index in range(4)]
    Session.objects.all().delete()
    store_sessions(project=project, records=records)
    expected = rows_of(project)
    Session.objects.all().delete()
    for order in orders:
        store_sessions(project=project, records=[records[index] for index in order])
    assert rows_of(project) == expected
