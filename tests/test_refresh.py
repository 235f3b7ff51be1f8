"""Totals of received sessions follow their spans, whoever asks for them."""

import itertools
import threading
import time
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone

from reviewdesk.embedded.refreshing import (
    LONGEST_LAG_SECONDS,
    PAUSE_SECONDS,
    refresh_until,
    rest_after,
)
from tests.factories import make_project, make_session
from tests.processes import wait_until
from tests.test_append import OTHER, arriving
from traces.ingest.append import append_spans
from traces.models import Project, Session, TotalsDue
from traces.quiet import NO_ROOT, OPEN_ROOT, close_quiet_sessions
from traces.records import IncomingSpan
from traces.refresh import Refresher, drain, lag, refresh_due
from traces.totals import refresh_totals

pytestmark = pytest.mark.django_db

CHILD = {"parent_id": "f" * 16}


def received(*spans: Any) -> Session:
    """Append these spans to a project of their own, refresh, and return the session."""
    project = make_project()
    append_spans(project=project, spans=spans)
    drain()
    return Session.objects.get(project=project)


def make_quiet(session: Session) -> None:
    Session.objects.filter(pk=session.pk).update(received_at=timezone.now() - timedelta(minutes=16))


def test_requests_of_one_session_are_answered_together() -> None:
    project = make_project()
    for number in range(1, 6):
        append_spans(project=project, spans=[arriving(number)])
    assert lag().num_due == TotalsDue.objects.count() == 5
    assert refresh_due() == 1
    assert lag().num_due == 0
    assert Session.objects.get(project=project).num_spans == 5


def test_lag_tells_the_age_of_the_oldest() -> None:
    assert lag().seconds == 0
    TotalsDue.objects.create(session_id=make_session().pk)
    TotalsDue.objects.update(added_at=timezone.now() - timedelta(seconds=90))
    assert 90 <= lag().seconds < 120


def test_refresher_rests_longer_while_spans_go_on_coming() -> None:
    assert rest_after(1.0) == PAUSE_SECONDS
    TotalsDue.objects.create(session_id=make_session().pk)
    assert rest_after(0.01) == PAUSE_SECONDS
    assert rest_after(1.0) == 4.0
    TotalsDue.objects.update(added_at=timezone.now() - timedelta(seconds=2))
    assert rest_after(1.0) == PAUSE_SECONDS


def test_refresher_rests_no_longer_where_totals_are_far_behind() -> None:
    long_ago = timezone.now() - timedelta(seconds=LONGEST_LAG_SECONDS + 1)
    TotalsDue.objects.create(session_id=make_session().pk)
    TotalsDue.objects.update(added_at=long_ago)
    TotalsDue.objects.create(session_id=make_session().pk)
    assert rest_after(1.0) == PAUSE_SECONDS


def call(number: int, parent: int, **overrides: Any) -> IncomingSpan:
    values = {"kind": "model", "name": "chat", "input_tokens": 100, "output_tokens": 10}
    values |= {"cost_usd": Decimal("0.02"), "cost_from": "reported"}
    return arriving(number, parent_id=f"{parent:016x}", **{**values, **overrides})


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_a_call_that_two_libraries_recorded_is_counted_once(order: tuple[int, ...]) -> None:
    project = make_project()
    spans = [call(2, 1), call(3, 2), call(4, 1, input_tokens=7, output_tokens=None, cost_usd=None)]
    for place in order:
        append_spans(project=project, spans=[spans[place]])
        drain()
    session = Session.objects.get(project=project)
    assert (session.input_tokens, session.output_tokens) == (107, 10)
    assert (session.cost_usd, session.num_spans) == (Decimal("0.02"), 3)


def test_of_a_call_and_those_within_it_the_larger_count_stands() -> None:
    # 100 beside 60 + 60 within it, and 100 beside 30: 120 + 100.
    spans = [call(2, 1), call(3, 2, input_tokens=60), call(4, 2, input_tokens=60)]
    spans += [call(5, 1), call(6, 5, input_tokens=30)]
    assert received(*spans).input_tokens == 220


def test_a_call_without_counts_takes_nothing_from_the_one_around_it() -> None:
    nothing = {"input_tokens": None, "output_tokens": None, "cost_usd": None, "cost_from": ""}
    session = received(call(2, 1), call(3, 2, **nothing))
    assert (session.input_tokens, session.cost_usd) == (100, Decimal("0.02"))
    assert received(call(2, 1, **nothing), call(3, 2, **nothing)).input_tokens is None
    assert received(call(2, 1, **nothing), call(3, 2)).input_tokens == 100


def test_calls_of_a_tool_that_a_call_made_are_counted() -> None:
    tool = arriving(3, parent_id=f"{2:016x}")
    assert received(call(2, 1), tool, call(4, 3)).input_tokens == 200


def test_a_call_that_names_itself_as_its_parent_is_counted() -> None:
    assert received(call(2, 2)).input_tokens == 100


def test_calls_of_different_traces_with_the_same_ids_are_counted() -> None:
    spans = [call(2, 1), call(3, 2, trace_id=OTHER, at=1)]
    both = [replace(span, session_key="talk") for span in spans]
    assert received(*both).input_tokens == 200


def test_due_session_that_is_deleted_is_forgotten() -> None:
    session = received(arriving(1))
    TotalsDue.objects.create(session_id=session.pk)
    session.delete()
    assert drain() == 0
    assert not TotalsDue.objects.exists()


@pytest.mark.parametrize(
    ("root", "status"),
    [("ok", "completed"), ("error", "failed"), ("running", "running")],
)
def test_status_is_the_roots(root: str, status: str) -> None:
    session = received(arriving(1, status=root), arriving(2, at=1, status="error", **CHILD))
    assert (session.status, session.status_reason) == (status, "")
    assert (session.ended_at is None) == (status == "running")


def test_session_without_a_root_runs() -> None:
    session = received(arriving(1, **CHILD))
    assert (session.status, session.ended_at) == ("running", None)


@pytest.mark.parametrize(
    ("span", "status", "reason"),
    [
        ({**CHILD}, "completed", NO_ROOT),
        ({**CHILD, "status": "error"}, "failed", NO_ROOT),
        ({"status": "running"}, "completed", OPEN_ROOT),
    ],
)
def test_quiet_session_is_closed_and_says_why(
    span: dict[str, Any], status: str, reason: str
) -> None:
    session = received(arriving(1, **span))
    make_quiet(session)
    assert close_quiet_sessions() == 1
    session.refresh_from_db()
    assert (session.status, session.status_reason) == (status, reason)
    assert session.ended_at is not None


def test_error_below_a_span_that_came_fails_no_quiet_session() -> None:
    session = received(arriving(1, **CHILD), arriving(2, parent_id=f"{1:016x}", status="error"))
    make_quiet(session)
    close_quiet_sessions()
    session.refresh_from_db()
    assert session.status == "completed"


def test_session_with_news_is_not_closed() -> None:
    session = received(arriving(1, **CHILD))
    assert close_quiet_sessions() == 0, "it is not quiet for long enough"
    make_quiet(session)
    append_spans(project=session.project, spans=[arriving(2, **CHILD)])
    assert close_quiet_sessions() == 0


def test_closed_session_stays_closed_until_another_span_comes() -> None:
    session = received(arriving(1, **CHILD))
    make_quiet(session)
    close_quiet_sessions()
    refresh_totals([session.pk])
    session.refresh_from_db()
    assert session.status_reason == NO_ROOT
    append_spans(project=session.project, spans=[arriving(2, **CHILD)])
    drain()
    session.refresh_from_db()
    assert (session.status, session.status_reason, session.ended_at) == ("running", "", None)


def test_other_sessions_keep_their_status() -> None:
    session = make_session(status="handed_over", status_reason="To Ines.", metadata={"a": 1})
    refresh_totals([session.pk])
    session.refresh_from_db()
    assert (session.status, session.status_reason) == ("handed_over", "To Ines.")
    assert (session.metadata, session.customer) == ({"a": 1}, "Mira Okafor")


def test_long_session_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    session = received(arriving(1))
    Session.objects.filter(pk=session.pk).update(num_spans=50_000)
    refresher = Refresher()
    TotalsDue.objects.create(session_id=session.pk)
    monkeypatch.setattr("traces.refresh.RESTS_TIMES_AS_LONG", 1_000)
    assert refresher.take_turn() == 1
    TotalsDue.objects.create(session_id=session.pk)
    assert refresher.take_turn() == 0
    assert drain() == 1, "whoever asks for it now gets it now"


def test_readyz_tells_the_lag(client: Client) -> None:
    TotalsDue.objects.create(session_id=make_session().pk)
    totals = client.get("/readyz").json()["totals"]
    assert totals["due"] == 1
    assert totals["seconds"] >= 0


def test_as_many_queries_for_many_sessions(django_assert_num_queries: Any) -> None:
    project = make_project()
    for size in (1, 20):
        spans = [
            arriving(number, trace_id=f"{size:016x}{number:016x}") for number in range(1, size + 1)
        ]
        append_spans(project=project, spans=spans)
        with django_assert_num_queries(14, exact=False):
            assert refresh_due() == size


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_session_that_is_being_written_is_left_for_later() -> None:
    session = received(arriving(1))
    TotalsDue.objects.create(session_id=session.pk)
    found: list[int] = []

    def refresh() -> None:
        found.append(refresh_due())
        connection.close()

    with transaction.atomic():
        Session.objects.select_for_update().get(pk=session.pk)
        thread = threading.Thread(target=refresh)
        thread.start()
        thread.join(30)
    assert (found, TotalsDue.objects.count()) == ([0], 1)
    assert drain() == 1


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_refresher_waits_for_whoever_makes_a_partition_and_holds_no_spans() -> None:
    session = received(arriving(1))
    TotalsDue.objects.create(session_id=session.pk)

    def refresh() -> None:
        refresh_due()
        connection.close()

    thread = threading.Thread(target=refresh)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE traces_session IN SHARE ROW EXCLUSIVE MODE")
        thread.start()
        wait_until(lambda: _holds_of_who_waits() is not None, 10)
        assert not [name for name in _holds_of_who_waits() or [] if name.startswith("traces_span")]
    thread.join(30)
    assert lag().num_due == 0


def _holds_of_who_waits() -> list[str] | None:
    """Return the tables that are locked by whoever waits for the sessions, None if nobody does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array(SELECT relation::regclass::text FROM pg_locks AS held "
            "WHERE held.pid = waits.pid AND granted AND relation IS NOT NULL) "
            "FROM pg_locks AS waits WHERE NOT granted AND relation = 'traces_session'::regclass"
        )
        row = cursor.fetchone()
    return row and row[0]


@pytest.mark.django_db(transaction=True)
def test_schedulers_thread_refreshes_within_two_seconds() -> None:
    project = make_project()
    stop = threading.Event()
    thread = threading.Thread(target=refresh_until, args=(stop,))
    thread.start()
    try:
        append_spans(project=project, spans=[arriving(1)])
        began = time.monotonic()
        wait_until(lambda: _num_spans(project) == 1, 10)
        assert time.monotonic() - began < 2
    finally:
        stop.set()
        thread.join(10)


def _num_spans(project: Project) -> int:
    return Session.objects.values_list("num_spans", flat=True).get(project=project)
