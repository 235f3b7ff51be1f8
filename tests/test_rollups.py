"""Sums per day: what they hold, when they hold, and that pages say the same with them."""

from datetime import date, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from agents.models import Agent
from reviewdesk.kpis.measure import measure_weeks
from reviewdesk.kpis.period import Period
from reviewdesk.screens.autonomy.calls import calls_since
from reviewdesk.screens.autonomy.evidence import last_calls
from tests.factories import make_agent, make_project, make_session, model_span, tool_span
from traces.counted import masked_since, unpriced_since
from traces.ingest.store import store_sessions
from traces.models import (
    CountedDay,
    DayDue,
    MaskedDay,
    Project,
    Session,
    SessionDay,
    Span,
    ToolDay,
    UnpricedDay,
)
from traces.rollups import count_days, stretches_of, uncounted

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 20)


@pytest.fixture
def project() -> Project:
    """Make a project with sessions on three days, of two agents, one with a failed call."""
    project = make_project()
    for days, agent, error in ((0, "one", ""), (0, "two", "no"), (3, "one", ""), (20, "one", "no")):
        spans = [model_span("Hello."), tool_span("look_up", error=error, at=1)]
        make_session(project, spans, started_at=noon(days), agent_name=agent)
    return project


def noon(days: int) -> datetime:
    return datetime(2026, 11, 20, 12, tzinfo=timezone.get_default_timezone()) - timedelta(days)


def week_sums(project: Project, agent: str = "") -> list[tuple[object, ...]]:
    weeks = measure_weeks(project=project, period=Period(TODAY), agent=agent)
    return [(w.num_sessions, w.num_ended, w.num_with_errors, w.cost) for w in weeks]


def test_weeks_are_the_same_with_and_without_sums(project):
    before = week_sums(project), week_sums(project, "one")
    assert count_days() == 3
    assert SessionDay.objects.count() == 4
    assert (week_sums(project), week_sums(project, "one")) == before


def test_calls_are_the_same_with_and_without_sums(project):
    before = sorted(calls_since(project, noon(25), now=noon(0)))
    count_days()
    assert ToolDay.objects.count() == 4
    assert sorted(calls_since(project, noon(25), now=noon(0))) == before
    assert sum(failed for *_, failed in before) == 2


def test_change_makes_only_its_day_due(project):
    count_days()
    Session.objects.filter(started_at=noon(3)).update(status=Session.Status.RUNNING)
    assert list(DayDue.objects.values_list("day", flat=True)) == [noon(3).date()]
    assert week_sums(project)[-1][:2] == (3, 2)
    count_days()
    assert week_sums(project)[-1][:2] == (3, 2)


def test_change_of_what_is_not_counted_makes_no_day_due(project):
    count_days()
    Session.objects.update(title="Another title", metadata={"a": 1})
    assert not DayDue.objects.exists()


def test_session_that_moves_makes_both_days_due(project):
    count_days()
    Session.objects.filter(started_at=noon(3)).update(started_at=noon(4))
    assert set(DayDue.objects.values_list("day", flat=True)) == {noon(3).date(), noon(4).date()}


def test_deleted_session_is_not_counted_any_more(project):
    count_days()
    Session.objects.filter(started_at=noon(20)).delete()
    count_days()
    assert not SessionDay.objects.filter(day=noon(20).date()).exists()
    assert sum(sums[0] for sums in week_sums(project)) == 3


def test_golden_runs_are_not_counted(project):
    Session.objects.filter(agent_name="two").update(is_golden=True)
    count_days()
    assert not SessionDay.objects.filter(agent_name="two").exists()
    assert not ToolDay.objects.filter(agent_name="two").exists()


def test_days_are_counted_newest_first_and_as_many_as_asked(project):
    assert count_days(limit=1) == 1
    assert list(CountedDay.objects.values_list("day", flat=True)) == [TODAY]
    assert count_days() == 2
    assert count_days() == 0


def test_day_of_a_project_that_is_gone_is_forgotten():
    DayDue.objects.create(project_id=4711, day=TODAY)
    assert count_days() == 1
    assert not DayDue.objects.exists()


def test_stored_sessions_are_noted_once_a_day_and_statement():
    project = make_project()
    store_sessions(project=project, records=[])
    assert not DayDue.objects.exists()
    make_session(project, started_at=noon(1))
    assert set(DayDue.objects.values_list("project_id", "day")) == {(project.pk, noon(1).date())}


def test_stretches_join_neighbouring_days():
    days = [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 3)]
    assert [stretch.days for stretch in stretches_of(days)] == [days[:3], days[3:]]
    assert stretches_of([]) == []


def test_masked_values_are_the_same_with_and_without_sums(project):
    Session.objects.filter(agent_name="one").update(masked={"email": 2, "card": 1})
    before = masked_since(project.pk, noon(25).date())
    assert before == {"email": 6, "card": 3}
    count_days()
    assert MaskedDay.objects.count() == 6
    assert masked_since(project.pk, noon(25).date()) == before


def test_unpriced_calls_are_the_same_with_and_without_sums(project):
    Span.objects.filter(session__agent_name="one", kind="model").update(cost_usd=None)
    since = noon(25).date()
    assert unpriced_since(project.pk, since, today=TODAY) == {"desk-model": 3}
    count_days()
    assert UnpricedDay.objects.count() == 3
    assert unpriced_since(project.pk, since, today=TODAY) == {"desk-model": 3}


def test_changed_day_holds_where_sums_may_lag(project):
    count_days()
    Session.objects.filter(started_at=noon(0)).update(agent_name="three")
    day = TODAY, TODAY + timedelta(days=1)
    assert len(uncounted(project.pk, *day)) == 1
    assert uncounted(project.pk, *day, may_lag=True) == []


def test_weeks_take_as_many_queries_for_many_days_as_for_few(
    project, django_assert_max_num_queries
):
    with django_assert_max_num_queries(4) as taken:
        week_sums(project)
    count_days()
    for days in range(30, 40):
        make_session(project, started_at=noon(days))
    with django_assert_max_num_queries(5):
        week_sums(project)
    assert len(taken) == 4


def test_last_calls_are_the_newest_of_the_agents_tool():
    agent: Agent = make_agent()
    now = timezone.now()
    for hours in range(12):
        spans = [tool_span("look_up", arguments={"n": hours}), tool_span("other", at=1)]
        make_session(
            agent.project, spans, started_at=now - timedelta(hours=hours + 1), agent_name=agent.slug
        )
    calls = last_calls(agent, "look_up", now=now)
    assert [call.arguments["n"] for call in calls] == list(range(8))
    with connection.execute_wrapper(lambda *_: pytest.fail("a query")):
        assert calls[0].session.title is not None
