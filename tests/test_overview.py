"""The Overview: statistics worked by hand, what is counted, and what the page says."""

import itertools
import math
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from agents.models import Incident, Step, ToolApproval
from reviewdesk.kpis.definitions import KPIS, TASK_SUCCESS
from reviewdesk.kpis.estimates import (
    Change,
    Estimate,
    Interval,
    Summary,
    change,
    mean,
    mean_difference,
    median,
    median_difference,
    rate,
    rate_difference,
)
from reviewdesk.kpis.measure import Week, measure_weeks, pooled
from reviewdesk.kpis.period import Period
from reviewdesk.kpis.tiles import tiles_of
from reviewdesk.people.roles import Role
from reviewdesk.screens.overview.plots import outcome_plot, rate_plot
from tests.factories import (
    add_member,
    client_as,
    make_agent,
    make_label,
    make_project,
    make_run,
    make_session,
    make_user,
    sample_spans,
    sign_in,
    tool_span,
)
from tests.test_releases import make_waiting
from traces.models import Session

TODAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def close(interval, low, high):
    return math.isclose(interval.low, low, abs_tol=5e-5) and math.isclose(
        interval.high, high, abs_tol=5e-5
    )


def test_rate_is_wilsons_interval():
    # 8 of 10, z = 1.96: (0.8 + 0.19207 ± 1.96 * sqrt(0.016 + 0.0096)) / 1.38415 = 0.4902, 0.9433
    found = rate(8, 10, min_n=1)
    assert found.value == 0.8
    assert close(found.interval, 0.4902, 0.9433)


def test_rate_of_nothing_or_everything_keeps_a_width():
    # 0 of 30: 0 to z²/(n + z²) = 3.8415 / 33.8415 = 0.1135
    assert close(rate(0, 30, min_n=30).interval, 0, 0.1135)
    assert close(rate(30, 30, min_n=30).interval, 0.8865, 1)


def test_too_little_data_is_no_number():
    found = rate(12, 12, min_n=30)
    assert (found.value, found.interval, found.num_missing) == (None, None, 18)
    assert rate(0, 0, min_n=0).value is None


def test_difference_of_rates_is_newcombes():
    # Newcombe (1998), table II, example (a), method 10: 56/70 - 48/80 is 0.0524 to 0.3339.
    assert close(rate_difference(56, 70, 48, 80), 0.0524, 0.3339)
    # (d), method 10: 9/10 - 3/10 is 0.1705 to 0.8090.
    assert close(rate_difference(9, 10, 3, 10), 0.1705, 0.8090)


def test_mean_is_students_interval():
    # 1, 2, 3, 4: mean 2.5, s = sqrt(5/3), t(0.975, 3) = 3.18245: 2.5 ± 3.18245 * 1.29099 / 2
    found = mean(Summary(4, 2.5, math.sqrt(5 / 3)), min_n=1)
    assert close(found.interval, 0.44574, 4.55426)


def test_mean_of_equal_values_has_no_interval_instead_of_one_without_width():
    assert mean(Summary(40, 2.5, 0.0), min_n=30).interval is None
    assert mean(Summary(1, 2.5, None), min_n=1).interval is None
    assert mean_difference(Summary(40, 2.5, 0.0), Summary(40, 2.0, 0.0)) is None


def test_difference_of_means_is_welchs():
    # n 10, mean 20, s 2 against n 10, mean 18, s 2: pooled error sqrt(0.8) = 0.89443, 18 degrees,
    # t = 2.10092: 2 ± 1.87912
    found = mean_difference(Summary(10, 20.0, 2.0), Summary(10, 18.0, 2.0))
    assert close(found, 0.12088, 3.87912)


def test_median_interval_is_the_second_and_ninth_of_ten():
    # Binomial(10, 1/2): P(1 or fewer) = 11/1024 = 0.0107, P(2 or fewer) = 0.0547: ranks 2 and 9.
    found = median([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], min_n=1)
    assert (found.value, found.interval) == (5.5, Interval(2, 9))


def test_median_of_few_or_equal_values_has_no_interval():
    assert median([3.0], min_n=1).interval is None
    assert median([3.0] * 20, min_n=1).interval is None
    assert median([], min_n=1).value is None


def test_median_difference_is_zero_within_noise_and_sure_far_apart():
    near = median_difference([1, 2, 3, 4, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8])
    far = median_difference([101, 102, 103, 104, 105, 106], [1, 2, 3, 4, 5, 6])
    assert near.low < 0 < near.high
    assert far.low > 90


@pytest.mark.parametrize(
    ("interval", "is_higher_better", "word"),
    [
        (Interval(0.01, 0.2), True, Change.BETTER),
        (Interval(0.01, 0.2), False, Change.WORSE),
        (Interval(-0.2, -0.01), True, Change.WORSE),
        (Interval(-0.01, 0.2), True, Change.NONE),
        (Interval(0.0, 0.2), True, Change.NONE),
        (None, True, Change.UNKNOWN),
    ],
)
def test_change_is_decided_by_the_interval_of_the_difference(interval, is_higher_better, word):
    assert change(interval, higher_is_better=is_higher_better) is word


@given(n=st.integers(1, 500), share=st.floats(0, 1))
def test_rate_lies_in_its_interval_and_the_interval_in_zero_to_one(n, share):
    found = rate(round(share * n), n, min_n=1)
    assert -1e-12 <= found.interval.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.interval.high <= 1 + 1e-12


@given(a=st.integers(0, 60), b=st.integers(0, 60), n=st.integers(60, 200), m=st.integers(60, 200))
def test_difference_of_rates_turns_around_with_its_sides(a, b, n, m):
    there, back = rate_difference(a, n, b, m), rate_difference(b, m, a, n)
    assert math.isclose(there.low, -back.high, abs_tol=1e-9)
    assert there.low - 1e-9 <= a / n - b / m <= there.high + 1e-9


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=0, max_size=6), min_size=1, max_size=5))
def test_pooled_summary_is_that_of_all_values(samples):
    def summed(values):
        n = len(values)
        middle = math.fsum(values) / n if n else None
        squares = math.fsum((value - middle) ** 2 for value in values)
        return Summary(n, middle, math.sqrt(squares / (n - 1)) if n > 1 else None)

    found, whole = pooled(map(summed, samples)), summed(list(itertools.chain(*samples)))
    assert found.n == whole.n
    assert (found.mean is None) == (whole.mean is None)
    if whole.n:
        assert math.isclose(found.mean, whole.mean, rel_tol=1e-6, abs_tol=1e-6)
    if whole.n > 1:
        assert math.isclose(found.deviation, whole.deviation, rel_tol=1e-6, abs_tol=1e-3)


def test_tiles_compare_the_newest_week_with_the_four_before():
    weeks = [Week() for _ in range(12)]
    for week in weeks[-5:-1]:
        week.outcomes.update(resolved=27, partly=3)
    weeks[-1].outcomes.update(resolved=18, not_resolved=12)
    tile = tiles_of(weeks)[0]
    assert (tile.now.value, tile.before.value, tile.before.n) == (0.6, 0.9, 120)
    assert tile.change is Change.WORSE
    assert tile.weeks[0].value is None


def test_tiles_without_enough_before_make_no_claim():
    weeks = [Week() for _ in range(12)]
    weeks[-1].outcomes.update(resolved=30)
    assert tiles_of(weeks)[0].change is Change.UNKNOWN


@pytest.mark.django_db
def test_sessions_are_counted_in_the_week_they_started_in():
    project = make_project()
    for days in (0, 6.4, 6.6, 40, 90):
        make_session(project, started_at=NOON + timedelta(hours=23) - timedelta(days=days))
    weeks = measure_weeks(project=project, period=Period(TODAY))
    assert [week.num_sessions for week in weeks[-2:]] == [1, 2]
    assert sum(week.num_sessions for week in weeks) == 4


@pytest.mark.django_db
def test_golden_runs_other_projects_and_other_agents_are_left_out():
    project = make_project()
    make_session(project, started_at=NOON, agent_name="returns-desk")
    make_session(project, started_at=NOON, is_golden=True)
    make_session(started_at=NOON)
    make_session(project, started_at=NOON, status=Session.Status.RUNNING)
    week = measure_weeks(project=project, period=Period(TODAY))[-1]
    only = measure_weeks(project=project, period=Period(TODAY), agent="returns-desk")[-1]
    assert (week.num_sessions, week.num_ended, only.num_sessions) == (2, 1, 1)


@pytest.mark.django_db
def test_failed_steps_count_at_any_depth_though_the_session_ended_well():
    project = make_project()
    spans = [*sample_spans(), tool_span(error="not found", at=4)]
    make_session(project, spans=spans, started_at=NOON)
    week = measure_weeks(project=project, period=Period(TODAY))[-1]
    assert week.num_with_errors == 1


@pytest.mark.django_db
def test_label_completed_last_counts_and_drafts_do_not():
    project = make_project()
    session = make_session(project, started_at=NOON)
    make_label(session, outcome="not_resolved", primary_cause="T5")
    make_label(session, outcome="resolved")
    make_label(session, outcome="harmful", is_completed=False)
    make_label(make_session(project, started_at=NOON), outcome="partly", primary_cause="T2")
    week = measure_weeks(project=project, period=Period(TODAY))[-1]
    assert dict(week.outcomes) == {"resolved": 1, "partly": 1}
    assert dict(week.causes) == {"T2": 1}


@pytest.mark.django_db
def test_unknown_cost_is_left_out_instead_of_counted_as_zero():
    project = make_project()
    for cost in ("0.01", "0.03", None):
        make_session(project, started_at=NOON, cost_usd=cost)
    cost = measure_weeks(project=project, period=Period(TODAY))[-1].cost
    assert (cost.n, cost.mean) == (2, 0.02)


@pytest.mark.django_db
def test_decision_time_counts_calls_that_a_person_decided():
    run = make_run()
    person = make_user()
    for index, (status, decided) in enumerate([("approved", person), ("expired", None)]):
        step = Step.objects.create(
            run=run,
            index=index,
            kind="tool",
            status="done",
            claim_token=1,
            span_id="ab",
            start_ns=1,
            started_at=NOON,
        )
        approval = ToolApproval.objects.create(
            run=run,
            step=step,
            tool="cancel_order",
            tool_version="1",
            arguments={},
            arguments_hash="",
            why="tier",
        )
        ToolApproval.objects.filter(pk=approval.pk).update(
            created_at=NOON - timedelta(seconds=90),
            status=status,
            decided_arguments={} if decided else None,
            decided_by=decided,
            decided_at=NOON,
        )
    week = measure_weeks(project=run.project, period=Period(TODAY))[-1]
    assert week.decisions == [90.0]


@pytest.mark.django_db
def test_page_says_what_is_missing_instead_of_a_number():
    project = make_project()
    make_label(make_session(project, started_at=timezone.now()), outcome="resolved")
    page = client_as(Role.REVIEWER, project).get(f"/p/{project.slug}/overview/")
    text = " ".join(page.content.decode().split())
    assert "Not enough labels to say how well the agents do</b>: 1 of 30" in text
    assert "1 of 30 labelled sessions" in text


@pytest.mark.django_db
def test_empty_project_has_an_empty_overview_without_charts():
    project = make_agent().project
    page = client_as(Role.VIEWER, project).get(f"/p/{project.slug}/overview/").content.decode()
    assert "Nothing to measure yet" in page
    assert "plotly" not in page


@pytest.mark.django_db
def test_project_without_an_agent_offers_one_first_to_those_who_may():
    project = make_project()
    address = f"/p/{project.slug}/overview/"
    page = client_as(Role.ENGINEER, project).get(address).content.decode()
    assert f'href="/p/{project.slug}/releases/new-agent/"' in page
    page = client_as(Role.VIEWER, project).get(address).content.decode()
    assert "new-agent" not in page
    assert "New agents: engineer or lead or admin" in page


@pytest.mark.django_db
def test_page_shows_rate_interval_cause_and_links_into_the_sessions():
    project = make_project()
    reviewer = make_user(Role.REVIEWER, project)
    for number in range(30):
        session = make_session(project, started_at=timezone.now())
        answers = (
            {"outcome": "resolved"}
            if number >= 6
            else {"outcome": "not_resolved", "primary_cause": "T5"}
        )
        make_label(session, author=reviewer, **answers)
    text = " ".join(sign_in(reviewer).get(f"/p/{project.slug}/overview/").content.decode().split())
    # 24 of 30 with Wilson's interval: 0.627 to 0.905.
    assert "Success is <b>80.0 %</b> (62.7 to 90.5)" in text
    assert "T5, skipped a required check or confirmation</a> (6)" in text
    assert f"cause=T5&amp;since={timezone.now().date() - timedelta(days=6)}" in text


@pytest.mark.django_db
def test_figure_is_plotlys_json_for_members_alone():
    project = make_project()
    make_session(project, started_at=timezone.now())
    address = f"/p/{project.slug}/overview/figures/"
    client = client_as(Role.VIEWER, project)
    for key in ("success", "outcomes"):
        assert set(client.get(f"{address}{key}/").json()) == {"data", "layout"}
    assert client.get(f"{address}other/").status_code == 404
    assert client.post(f"{address}success/").status_code == 405
    assert client_as(Role.LEAD, make_project()).get(f"{address}success/").status_code == 404


@pytest.mark.django_db
def test_page_has_neither_scripts_nor_styles_of_its_own():
    project = make_project()
    make_session(project, started_at=timezone.now())
    page = client_as(Role.VIEWER, project).get(f"/p/{project.slug}/overview/").content.decode()
    assert re.search(r"<script>|style=|onclick", page) is None


@pytest.mark.django_db
def test_charts_are_in_the_page_and_plotly_is_not_loaded_with_it():
    project = make_project()
    make_label(make_session(project, started_at=timezone.now()), outcome="not_resolved")
    page = client_as(Role.VIEWER, project).get(f"/p/{project.slug}/overview/").content.decode()
    assert "<title>1 failed, week to" in page
    assert page.count('data-plotly="/static/vendor/plotly/plotly-cartesian.min.js"') == 2
    assert re.search(r"<script[^>]+plotly", page) is None


def test_bars_are_stacked_to_the_number_of_sessions():
    weeks = [Week() for _ in range(11)]
    weeks.append(Week(num_sessions=10, outcomes=Counter(resolved=4, harmful=1)))
    plot = outcome_plot(weeks, Period(last_day=date(2026, 11, 21)))
    # 10 sessions fill the 160 pixels from 8 to 168: 16 each; a twelfth is 8.33 % wide.
    assert [(bar.kind, bar.y, bar.height) for bar in plot.bars] == [
        ("resolved", 104, 64),
        ("failed", 88, 16),
        ("not labelled", 8, 80),
    ]
    assert [(line.y, line.text) for line in plot.scale] == [(168, "0"), (88, "5"), (8, "10")]
    assert plot.labels[-1].text == "21 Nov"


def test_bars_of_no_sessions_at_all_are_none():
    plot = outcome_plot([Week() for _ in range(12)], Period(last_day=date(2026, 11, 21)))
    assert plot.bars == ()


def test_line_and_band_end_where_a_week_has_too_little_data():
    known = Estimate(0.8, Interval(0.7, 0.9), 30, 8)
    unknown = Estimate(None, None, 2, 8)
    weeks = [unknown] * 8 + [known, known, unknown, known]
    tile = replace(tiles_of([Week() for _ in range(12)])[0], weeks=tuple(weeks))
    plot = rate_plot(tile, Period(last_day=date(2026, 11, 21)))
    assert [len(points.split()) for points in plot.lines] == [2, 1]
    assert [len(points.split()) for points in plot.bands] == [4, 2]
    assert [dot.is_newest for dot in plot.dots] == [False, False, True]
    # From 60 % at 168 to 100 % at 8, 80 % is in the middle.
    assert {dot.y for dot in plot.dots} == {88}


@pytest.mark.django_db
def test_waits_only_for_those_who_may_decide():
    project = make_project()
    release = make_waiting()
    project = release.agent.project
    url = f"/p/{project.slug}/overview/"
    lead = client_as(Role.LEAD, project).get(url).content.decode()
    viewer = client_as(Role.VIEWER, project).get(url).content.decode()
    add_member(user=release.requested_by, project=project, role=Role.LEAD)
    requester = sign_in(release.requested_by).get(url).content.decode()
    assert f"Release {release.agent.name} v2" in lead
    assert "Nothing waits for you." in viewer
    assert "Nothing waits for you." in requester


@pytest.mark.django_db
def test_unlabelled_failures_and_disagreements_wait_for_reviewers():
    project = make_project()
    make_session(project, started_at=timezone.now(), status=Session.Status.FAILED)
    session = make_session(project, started_at=timezone.now())
    make_label(session, outcome="resolved")
    make_label(session, outcome="partly")
    page = client_as(Role.REVIEWER, project).get(f"/p/{project.slug}/overview/").content.decode()
    assert "1 failed session to label" in page
    assert "1 disagreement to settle" in page


@pytest.mark.django_db
def test_open_incidents_wait_the_newest_three_with_links():
    project = make_project()
    for number in range(1, 6):
        Incident.objects.create(project=project, number=number, title=f"Thing {number}")
    Incident.objects.filter(number=5).update(status=Incident.Status.MITIGATED)
    url = f"/p/{project.slug}/overview/"
    page = client_as(Role.SUPPORT, project).get(url).content.decode()
    assert "Incident 4 (major): Thing 4" in page
    assert f'href="/p/{project.slug}/incidents/2/"' in page
    assert "Thing 1" not in page
    assert "Thing 5" not in page
    assert "More open incidents" in page
    assert "Nothing waits for you." in client_as(Role.VIEWER, project).get(url).content.decode()


@pytest.mark.django_db
def test_page_takes_as_many_queries_for_many_sessions(django_assert_max_num_queries):
    project = make_project()
    client = client_as(Role.LEAD, project)
    make_label(make_session(project, started_at=timezone.now()))
    url = f"/p/{project.slug}/overview/"
    with django_assert_max_num_queries(21) as few:  # one of them for open incidents
        client.get(url)
    for number in range(12):
        make_label(make_session(project, started_at=timezone.now() - timedelta(days=number)))
    with django_assert_max_num_queries(len(few)):
        client.get(url)


@pytest.mark.django_db
@pytest.mark.parametrize("until", ["", "2026-13-01", "x", "9999-12-31", "0001-01-01"])
def test_any_day_asked_for_shows_a_page(until):
    project = make_project()
    client = client_as(Role.VIEWER, project)
    assert client.get(f"/p/{project.slug}/overview/?until={until}").status_code == 200


def test_every_kpi_says_how_it_is_counted():
    assert len({kpi.key for kpi in KPIS}) == len(KPIS)
    assert all(kpi.formula and kpi.source and kpi.counted for kpi in KPIS)
    assert TASK_SUCCESS.min_n == 30
