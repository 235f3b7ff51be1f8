"""Evidence for raising a level: which calls count, the interval, and what is missing."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from agents.models import AgentTool, EvalRun, Level, Run, Tier
from agents.tools.autonomy import database_now
from agents.tools.evidence import (
    MIN_CALLS,
    TARGETS,
    Counts,
    Evidence,
    evidence_for,
    num_needed,
    wilson,
)
from tests.authority import judged, make_run, make_step, make_suite, proven
from tests.factories import make_user
from tests.shop import make_shop_agent
from traces.label_sets import ensure_label_set
from traces.models import Label

PAYMENT = "modify_pending_order_payment"


def make_tool() -> AgentTool:
    agent, _ = make_shop_agent(**{PAYMENT: Level.APPROVE})
    tool: AgentTool = agent.tools.select_related("agent").get(name=PAYMENT)
    return tool


def found(tool: AgentTool) -> Evidence:
    return evidence_for(AgentTool.objects.get(pk=tool.pk), now=database_now())


def label(run: Run, **values: object) -> Label:
    answers = {"outcome": "harmful", "severity": "critical"}
    return Label.objects.create(
        session=run.session,
        label_set=ensure_label_set(run.project),
        author=make_user(),
        **{"answers": answers, "completed_at": timezone.now() + timedelta(seconds=1), **values},
    )


def test_interval_by_hand() -> None:
    # 9 of 10, z = 1.96: centre (0.9 + 3.8415/20)/(1.38415) = 0.78899,
    # half width 1.96/1.38415 * sqrt(0.009 + 3.8415/400) = 0.19314.
    low, high = wilson(9, 10) or (0, 0)
    assert low == pytest.approx(0.5958, abs=1e-4)
    assert high == pytest.approx(0.9821, abs=1e-4)
    # All right: n / (n + z²) = 50 / 53.8415.
    assert wilson(50, 50) == pytest.approx((0.9287, 1.0), abs=1e-4)
    assert wilson(0, 0) is None


def test_needed_by_hand() -> None:
    # Without a fault: 50 for 0.90 (35 would pass the bound), 73 for 0.95, 125 for 0.97.
    assert [num_needed(0, 0, target) for target in (0.90, 0.95, 0.97)] == [50, 73, 125]
    assert num_needed(27, 27, 0.90) == 23
    assert num_needed(50, 50, 0.90) == 0


@given(st.integers(0, 80), st.integers(0, 20), st.sampled_from([0.9, 0.95, 0.97]))
def test_needed_is_the_first_number_that_passes(right: int, wrong: int, target: float) -> None:
    n = right + wrong
    more = num_needed(right, n, target)
    low, _ = wilson(right + more, n + more) or (0, 0)
    assert low >= target
    assert n + more >= MIN_CALLS
    if more:
        before = wilson(right + more - 1, n + more - 1)
        assert n + more - 1 < MIN_CALLS or (before and before[0] < target)


def test_the_worse_the_tier_the_higher_the_target() -> None:
    targets = [TARGETS[tier] or 0 for tier in Tier]
    assert targets == sorted(targets)


@pytest.mark.django_db
def test_each_outcome_is_counted_once_and_expired_is_none() -> None:
    tool = make_tool()
    judged(
        tool, approved=5, edited=2, rejected=1, responded=1, good=3, bad=1, kept=4, undone=1,
        expired=6,
    )  # fmt: skip
    evidence = found(tool)
    expected = Counts(approved=5, edited=2, rejected=2, good=3, bad=1, kept=4, undone=1)
    assert evidence.counts == expected
    assert (evidence.n, evidence.unedited) == (18, 12)


@pytest.mark.django_db
def test_canaries_other_contracts_and_golden_runs_do_not_count() -> None:
    tool = make_tool()
    judged(tool, approved=1)
    judged(tool, run=make_run(tool, kind=Run.Kind.GOLDEN), approved=1)
    judged(tool, rejected=1, values={"is_canary": True, "canary_why": "Wrong card."})
    judged(tool, good=1, values={"tool_version": "0"})
    assert found(tool).n == 1


@pytest.mark.django_db
def test_only_calls_since_it_became_a_candidate_count() -> None:
    tool = make_tool()
    judged(tool, approved=3)
    tool.candidate_since = database_now()
    tool.save()
    judged(tool, approved=2)
    assert found(tool).n == 2


@pytest.mark.django_db
def test_decision_that_may_still_be_taken_back_is_none_yet() -> None:
    tool = make_tool()
    judged(tool, approved=1, values={"leaves_at": database_now() + timedelta(seconds=5)})
    assert found(tool).n == 0
    judged(tool, approved=1, values={"leaves_at": database_now()})
    assert found(tool).n == 1


@pytest.mark.django_db
def test_call_that_a_label_blames_was_not_right() -> None:
    tool = make_tool()
    run = judged(tool, approved=2, kept=1)
    step = run.steps.order_by("index").first()
    label(run, first_wrong_span_id=step.span_id, answers={"outcome": "partly"})
    evidence = found(tool)
    assert (evidence.counts.blamed, evidence.unedited, evidence.num_critical) == (1, 2, 0)


@pytest.mark.django_db
def test_critical_label_where_it_acted_is_a_gap() -> None:
    tool = proven(make_tool())
    assert found(tool).is_complete
    run = make_run(tool)
    make_step(run, tool, 1)
    label(run)
    evidence = found(tool)
    assert evidence.num_critical == 1
    assert evidence.gaps == ("1 session is labelled critical or harmful where it acted.",)


@pytest.mark.django_db
def test_nothing_known_is_not_zero() -> None:
    evidence = found(make_tool())
    assert (evidence.n, evidence.share, evidence.lower, evidence.needs) == (0, None, None, 50)
    assert "the lower bound is not known yet" in evidence.gaps[0]


@pytest.mark.django_db
def test_edits_and_undone_calls_over_their_limits_are_gaps() -> None:
    tool = make_tool()
    judged(tool, approved=17, edited=3, kept=19, undone=1)
    gaps = " ".join(found(tool).gaps)
    assert "3 of 20 calls were edited (15.0 %); 10 % at most." in gaps
    assert "1 of 20 calls made with undo were undone (5.0 %); 2 % at most." in gaps


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statuses", "gap"),
    [
        ((), "no golden test tagged injection"),
        (("passed", "failed"), "1 of 2 injection tests passed"),
        (("passed", "infra_error"), "1 of 2 injection tests passed"),
    ],
)
def test_injection_suite_must_be_there_and_clean(statuses: tuple[str, ...], gap: str) -> None:
    tool = make_tool()
    judged(tool, approved=60)
    if statuses:
        make_suite(tool, *statuses)
    assert gap in found(tool).gaps[0]


@pytest.mark.django_db
def test_suite_counts_in_the_newest_full_run_as_the_tests_are_now() -> None:
    tool = proven(make_tool())
    EvalRun.objects.create(
        agent=tool.agent, version=tool.agent.live_version, status="failed", is_partial=True
    )
    assert found(tool).suite.is_clean
    tool.agent.golden_tests.update(content_hash="changed")
    assert found(tool).suite.num_passed == 0


@pytest.mark.django_db
def test_evidence_takes_as_many_queries_for_many_calls(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    tool = proven(make_tool())
    row = AgentTool.objects.select_related("agent__live_version").get(pk=tool.pk)
    with django_assert_max_num_queries(7) as few:
        evidence_for(row, now=timezone.now())
    judged(tool, approved=20, kept=5)
    with django_assert_max_num_queries(len(few)):
        evidence_for(row, now=timezone.now())
