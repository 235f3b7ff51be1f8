"""What goes live starts over: tools without evidence in the release are candidates."""

import pytest

from agents.models import Agent, EvalResult, EvalRun, GoldenTest, Level, Release, Step
from agents.releases.candidates import proven_tools, start_over
from agents.releases.propose import approve_release, request_release, roll_back
from agents.tools.autonomy import database_now, effective_level
from tests.authority import INPUT, make_run, make_step
from tests.factories import make_user
from tests.shop import lift_for, make_shop_agent, make_shop_version

CANCEL, LOOK = "cancel_pending_order", "get_order_details"
pytestmark = pytest.mark.django_db


def make_eval_run(agent: Agent, *calls: tuple[str, str, str]) -> EvalRun:
    """Make an eval run of tests as (tool that was called, step's status, result's status)."""
    eval_run = EvalRun.objects.create(
        agent=agent, version=agent.live_version, status="passed", evidence_hash="x"
    )
    for number, (name, step_status, status) in enumerate(calls):
        test = GoldenTest.objects.create(
            agent=agent, slug=f"t{number}", title="T", input=INPUT, checks=[], content_hash="x"
        )
        tool = agent.tools.get(name=name)
        run = make_run(tool, kind="golden")
        make_step(run, tool, 1, status=step_status)
        EvalResult.objects.create(
            eval_run=eval_run, test=test, test_hash="x", run=run, status=status
        )
    return eval_run


def test_tool_is_proven_by_a_passed_test_that_really_called_it() -> None:
    agent, _ = make_shop_agent()
    eval_run = make_eval_run(agent, (CANCEL, Step.Status.DONE, "passed"))
    assert proven_tools(eval_run) == {CANCEL}
    assert proven_tools(None) == set()


@pytest.mark.parametrize(
    ("step", "result"), [(Step.Status.FAILED, "passed"), (Step.Status.DONE, "failed")]
)
def test_failed_call_or_test_proves_nothing(step: Step.Status, result: str) -> None:
    agent, _ = make_shop_agent()
    assert proven_tools(make_eval_run(agent, (CANCEL, step, result))) == set()


def test_new_live_version_makes_what_writes_a_candidate_reads_stay() -> None:
    agent, _ = make_shop_agent()
    lift_for(agent)
    second = make_shop_version(agent)
    release = request_release(version=second, eval_run=None, reason="Better.", by=make_user())
    cancel, look = agent.tools.get(name=CANCEL), agent.tools.get(name=LOOK)
    assert effective_level(cancel, now=database_now()).level is Level.AUTONOMOUS
    approve_release(release=release, by=make_user())
    found = effective_level(cancel, now=database_now())
    assert (found.level, found.why) == (Level.APPROVE, "a candidate")
    assert "v2 went live" in found.limit("candidate").note
    assert effective_level(look, now=database_now()).level is Level.AUTONOMOUS


def test_roll_back_starts_over_too() -> None:
    agent, first = make_shop_agent()
    second = make_shop_version(agent)
    release = request_release(version=second, eval_run=None, reason="Better.", by=make_user())
    approve_release(release=release, by=make_user())
    since = agent.tools.get(name=CANCEL).candidate_since
    roll_back(agent=agent, to_version=first, by=make_user(), reason="It was better.")
    row = agent.tools.get(name=CANCEL)
    assert row.candidate_since > since
    assert "v1 went live" in row.candidate_why


def test_evidence_of_the_release_carries_the_level_over() -> None:
    agent, version = make_shop_agent()
    eval_run = make_eval_run(agent, (CANCEL, Step.Status.DONE, "passed"))
    Release.objects.filter(version=version).update(eval_run=eval_run)
    assert start_over(agent=agent, version=version, now=database_now()) == []
    assert agent.tools.get(name=CANCEL).candidate_since is None
