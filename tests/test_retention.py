"""Retention: what is deleted by age, what is kept nevertheless, and partitions that go with it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from agents.gate.run import settle_gates
from agents.models import GoldenTest, Release, Run
from agents.releases.propose import request_release
from agents.retention import keep_only_wanted, kept_sessions
from tests.factories import (
    make_agent,
    make_label,
    make_project,
    make_run,
    make_session,
    make_user,
)
from tests.gate import answer, begin_gate
from traces.errors import RetentionError
from traces.models import Project, Session, Span, TracePolicy
from traces.retention import (
    apply_retention,
    drop_empty_weeks,
    plan_retention,
    set_retention,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OLD = datetime(2025, 3, 5, tzinfo=UTC)
FRESH = datetime(2026, 11, 19, tzinfo=UTC)


def keep(project: Project, days: int | None = 30, keeps_labelled: bool = True) -> TracePolicy:
    return set_retention(
        project=project, keep_days=days, keeps_labelled=keeps_labelled, by=None, reason="As agreed."
    )


def apply(policy: TracePolicy) -> int:
    return apply_retention(policy=policy, kept=kept_sessions(), now=NOW)


def week_tables() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT inhrelid::regclass::text FROM pg_inherits "
            "WHERE inhparent = 'traces_span'::regclass"
        )
        return {name for (name,) in cursor.fetchall() if name.startswith("traces_span_2025")}


def test_without_a_limit_everything_is_kept() -> None:
    make_session(project := make_project(), started_at=OLD)
    assert apply(keep(project, None)) == 0


def test_sessions_over_their_time_are_deleted_with_their_spans() -> None:
    project = make_project()
    old, fresh = (make_session(project, started_at=at) for at in (OLD, FRESH))
    assert apply(keep(project)) == 1
    assert list(Session.objects.values_list("pk", flat=True)) == [fresh.pk]
    assert not Span.objects.filter(session=old.pk).exists()


def test_other_projects_are_left_alone() -> None:
    other = make_session(started_at=OLD)
    assert apply(keep(make_project())) == 0
    assert Session.objects.filter(pk=other.pk).exists()


@pytest.mark.parametrize(("keeps_labelled", "num_deleted"), [(True, 0), (False, 1)])
def test_labelled_sessions_are_kept_where_the_project_wants_it(
    keeps_labelled: bool, num_deleted: int
) -> None:
    make_label(make_session(project := make_project(), started_at=OLD))
    assert apply(keep(project, keeps_labelled=keeps_labelled)) == num_deleted


def test_draft_of_a_label_keeps_nothing() -> None:
    make_label(make_session(project := make_project(), started_at=OLD), is_completed=False)
    assert apply(keep(project)) == 1


def test_origin_of_an_active_golden_test_is_kept_and_counted() -> None:
    agent = make_agent()
    session = make_session(agent.project, started_at=OLD)
    test = GoldenTest.objects.create(
        agent=agent, slug="t", title="T", input={}, checks=[], source_session=session
    )
    policy = keep(agent.project)
    rules: dict[str, Any] = {"keep_days": 30, "keeps_labelled": True, "now": NOW}
    plan = plan_retention(project=agent.project, kept=kept_sessions(), **rules)
    assert (plan.num_due, list(plan.kept.values())) == (0, [1])
    assert apply(policy) == 0
    GoldenTest.objects.filter(pk=test.pk).update(archived_at=NOW)
    assert apply(policy) == 1
    test.refresh_from_db()
    assert test.source_session_id is None


def test_both_sides_of_the_gate_behind_a_release_are_kept_while_it_is_in_force() -> None:
    agent, gate = begin_gate(num_tests=6)
    answer(gate, now="p", before="f")
    settle_gates()
    gate.refresh_from_db()
    request_release(
        version=gate.candidate, eval_run=None, gate=gate, reason="Better.", by=make_user()
    )
    Run.objects.update(status=Run.Status.COMPLETED, finished_at=NOW)
    old_ns = int(OLD.timestamp()) * 10**9
    Session.objects.update(started_at=OLD, first_ns=old_ns, last_ns=old_ns)
    sides = (gate.candidate_run, gate.baseline_run)
    num_kept = [each.results.exclude(run__session=None).count() for each in sides]
    assert min(num_kept) > 0
    policy = keep(agent.project)
    assert apply(policy) == 0
    Release.objects.exclude(status="live").update(status=Release.Status.WITHDRAWN)
    assert apply(policy) == sum(num_kept)


def test_open_run_is_kept_and_an_ended_one_goes_with_its_journal() -> None:
    agent = make_agent()
    session = make_session(agent.project, started_at=OLD, source=Session.Source.RUNTIME)
    run = make_run(agent, session=session)
    policy = keep(agent.project)
    assert apply(policy) == 0
    Run.objects.filter(pk=run.pk).update(status=Run.Status.COMPLETED, finished_at=NOW)
    assert apply(policy) == 1
    assert not Run.objects.filter(pk=run.pk).exists()


def test_batches_reach_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("traces.retention.BATCH_SESSIONS", 2)
    project = make_project()
    for _ in range(5):
        make_session(project, started_at=OLD)
    assert apply(keep(project)) == 5


@pytest.mark.parametrize("days", [0, 40_000])
def test_days_out_of_range_are_refused(days: int) -> None:
    with pytest.raises(RetentionError, match="days"):
        keep(make_project(), days)


def test_change_of_the_rules_is_in_the_trail_without_the_key() -> None:
    keep(make_project())
    event = TracePolicy.pgh_event_model.objects.order_by("-pgh_id")[0]
    assert (event.keep_days, event.pgh_context.metadata["reason"]) == (30, "As agreed.")
    assert not hasattr(event, "pseudonym_key")


def test_empty_weeks_are_dropped_and_others_stay() -> None:
    project = make_project()
    make_session(project, started_at=OLD)
    kept = make_session(project, started_at=OLD + timedelta(weeks=3))
    Session.objects.exclude(pk=kept.pk).delete()
    assert week_tables() == {"traces_span_2025w10", "traces_span_2025w13"}
    drop_empty_weeks(today=NOW.date())
    assert week_tables() == {"traces_span_2025w13"}


def test_week_of_which_nothing_is_kept_is_dropped_whole() -> None:
    project = make_project()
    make_session(project, started_at=OLD)
    keep(project)
    assert keep_only_wanted() == 1
    assert week_tables() == set()
    assert not Session.objects.exists()


def test_week_that_another_project_keeps_is_not_dropped() -> None:
    project = make_project()
    make_session(project, started_at=OLD)
    other = make_session(started_at=OLD + timedelta(hours=1))
    keep(project)
    assert keep_only_wanted() == 1
    assert Span.objects.filter(session=other).exists()


def test_spans_that_come_for_a_dropped_week_are_stored() -> None:
    project = make_project()
    make_session(project, started_at=OLD)
    keep(project)
    keep_only_wanted()
    late = make_session(project, started_at=OLD)
    assert Span.objects.filter(session=late).count() == late.num_spans


def test_dry_run_only_says_what_would_be_deleted(capsys: pytest.CaptureFixture[str]) -> None:
    make_session(project := make_project(), started_at=OLD)
    keep(project)
    call_command("apply_retention", dry_run=True)
    assert "1 sessions ended before" in capsys.readouterr().out
    assert Session.objects.count() == 1
