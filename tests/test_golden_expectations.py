"""What a test expects in plain words: asked of a judge, counted where the judge is believed."""

from typing import Any

import pytest

from agents.golden.expectations import (
    NOTHING_JUDGED,
    State,
    ask_judges,
    expectations_of,
    judge_for_expectations,
)
from agents.golden.runner import settle_finished, start_eval_run
from agents.judges.ask import subject_of
from agents.judges.verdicts import verdicts_for
from agents.models import EvalResult, EvalRun, Judgement, JudgeVersion
from agents.runtime.loop import advance
from reviewdesk.screens.golden.expected import lines_of_expectations
from tests.factories import make_label, make_run, make_session, make_user
from tests.golden import CALLS_CANCEL, make_eval_run, make_test, run_all
from tests.judging import make_judge, make_judge_version, make_judgement
from tests.model_server import model_server
from tests.shop import CANCEL, make_shop_agent

pytestmark = pytest.mark.django_db

KIND = {"kind": "must", "text": "stay kind"}
RUDE = {"kind": "must_not", "text": "blame the customer"}
RUBRIC = {"kind": "judge_rubric", "judge": "kindness"}


def run_test(is_believed: bool | None = None, **about: Any) -> tuple[EvalRun, EvalResult]:
    """Run one test that passes its exact checks; with a judge, believed or not, if one is asked."""
    values = {"checks": [CALLS_CANCEL], "expectations": [KIND, RUDE], **about}
    with model_server("Shall I cancel #T1?", [CANCEL], "Done.") as server:
        agent, version = make_shop_agent(server.base_url)
        make_test(agent, **values)
        if is_believed is not None:
            judge = make_judge_version(make_judge(agent.project, slug="kindness"))
            subject = "" if RUBRIC in values["checks"] else subject_of(KIND)
            make_trust(judge, num=20 if is_believed else 1, subject=subject)
        eval_run = start_eval_run(version=version, by=make_user())
        run_all(eval_run, advance)
    settle_finished()
    return again(eval_run)


def make_trust(version: JudgeVersion, num: int, subject: str) -> None:
    """Let people and the judge agree on `num` sessions that pass and as many that fail."""
    for outcome, verdict in num * [("resolved", "pass"), ("harmful", "fail")]:
        session = make_session(version.judge.project, agent_name="shop")
        make_label(session, outcome=outcome)
        make_judgement(version, session, verdict=verdict, subject=subject)


def answer(result: EvalResult, verdict: str, **about: Any) -> None:
    Judgement.objects.filter(eval_result=result, status="pending", **about).update(
        status="done", verdict=verdict, reason="Step 2 says so.", next_at=None
    )
    settle_finished()


def again(eval_run: EvalRun) -> tuple[EvalRun, EvalResult]:
    eval_run.refresh_from_db()
    return eval_run, eval_run.results.get()


def states(result: EvalResult) -> list[tuple[State, bool]]:
    version = result.test_version
    assert version is not None
    found = expectations_of(version.content, verdicts_for(result))
    return [(each.state, each.is_advisory) for each in found]


def test_without_a_judge_expectations_are_not_judged_and_the_checks_decide() -> None:
    eval_run, result = run_test()
    assert (eval_run.status, result.status) == ("passed", "passed")
    assert states(result) == [(State.NOT_JUDGED, False)] * 2


def test_eval_run_waits_for_a_believed_judge_that_agrees() -> None:
    eval_run, result = run_test(is_believed=True)
    assert (eval_run.status, result.status) == ("running", "passed")
    assert states(result) == [(State.WAITING, False)] * 2
    answer(result, "pass")
    eval_run, result = again(eval_run)
    assert (eval_run.status, result.status) == ("passed", "passed")
    assert states(result) == [(State.MET, False)] * 2


def test_believed_judge_that_refuses_fails_the_result_and_says_why() -> None:
    eval_run, result = run_test(is_believed=True)
    answer(result, "pass", subject=subject_of(KIND))
    answer(result, "fail", subject=subject_of(RUDE))
    eval_run, result = again(eval_run)
    assert (eval_run.status, result.status) == ("failed", "failed")
    assert result.checks[-1]["title"] == "must not: blame the customer"
    assert result.checks[-1]["found"].endswith("Step 2 says so.")


def test_judge_that_is_not_believed_is_advisory_and_counts_for_nothing() -> None:
    eval_run, result = run_test(is_believed=False)
    answer(result, "fail")
    eval_run, result = again(eval_run)
    assert (eval_run.status, result.status) == ("passed", "passed")
    assert states(result) == [(State.BROKEN, True)] * 2


def test_one_judge_is_asked_about_expectations_in_a_whole_eval_run() -> None:
    agent, version = make_shop_agent()
    tests = [make_test(agent, expectations=[KIND]) for _ in range(2)]
    results = list(make_eval_run(version, tests, "p").results.order_by("pk"))
    for result in results:
        result.run = make_run(agent)
        result.save()
    chosen = make_judge_version(make_judge(agent.project))
    ask_judges(results[:1], by=None)
    make_trust(make_judge_version(make_judge(agent.project)), num=20, subject=subject_of(KIND))
    ask_judges(results[1:], by=None)
    asked = Judgement.objects.filter(eval_result__in=results)
    assert list(asked.values_list("version", flat=True)) == [chosen.pk] * 2


def test_judgement_that_failed_is_no_verdict() -> None:
    eval_run, result = run_test(is_believed=True)
    Judgement.objects.filter(eval_result=result).update(status="failed", error="It timed out.")
    settle_finished()
    eval_run, result = again(eval_run)
    assert (eval_run.status, result.status) == ("passed", "passed")
    assert states(result) == [(State.NOT_JUDGED, False)] * 2


@pytest.mark.parametrize(
    ("is_believed", "verdict", "status", "passed"),
    [
        (True, "pass", "passed", True),
        (True, "fail", "failed", False),
        (True, "unclear", "passed", None),
        (False, "fail", "passed", None),
    ],
)
def test_rubric_counts_where_its_judge_is_believed(
    is_believed: bool, verdict: str, status: str, passed: bool | None
) -> None:
    _, result = run_test(is_believed, checks=[CALLS_CANCEL, RUBRIC], expectations=[])
    answer(result, verdict)
    eval_run, result = again(result.eval_run)
    assert (eval_run.status, result.status) == (status, status)
    assert result.checks[1]["passed"] is passed
    assert ("advisory: " in result.checks[1]["found"]) is not is_believed


def test_result_of_which_nothing_was_judged_proves_nothing() -> None:
    eval_run, result = run_test(checks=[RUBRIC], expectations=[])
    assert (eval_run.status, result.status) == ("inconclusive", "not_judged")
    assert result.error == NOTHING_JUDGED
    assert "there is no judge called kindness" in result.checks[0]["found"]


def test_the_believed_judge_is_asked_before_an_older_one() -> None:
    older = make_judge_version()
    project = older.judge.project
    assert judge_for_expectations(project.pk) == older
    newer = make_judge_version(make_judge(project))
    make_trust(newer, num=20, subject=subject_of(KIND))
    assert judge_for_expectations(project.pk) == newer
    make_judge(project, question="")
    assert judge_for_expectations(project.pk) == newer


def test_panel_says_how_often_a_judge_saw_it_met_and_that_it_is_advisory() -> None:
    _, result = run_test(is_believed=False)
    answer(result, "pass", subject=subject_of(KIND))
    (kind, rude) = lines_of_expectations(result.test, [[result], []])
    assert [cell.words for cell in kind.cells] == ["advisory: met in 1 of 1", "not judged"]
    assert (kind.note, kind.cells[0].state) == ("advisory", "pass")
    assert (rude.note, rude.cells[0].words) == ("being judged", "being judged")
    assert kind.cells[0].told.endswith("Step 2 says so.")
