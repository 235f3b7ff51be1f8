"""Whether a judge is believed, and what is written on what it says."""

from typing import Any

import pytest

from agents.errors import JudgeError
from agents.judges.ask import request_judgements, stop_asking, subject_of
from agents.judges.calibration import calibrate
from agents.judges.trust import trust_of
from agents.judges.verdicts import verdicts_for, verdicts_on_session
from agents.models import EvalResult, Judgement, JudgeVersion
from tests.factories import (
    make_agent,
    make_label,
    make_project,
    make_run,
    make_session,
    make_user,
)
from tests.golden import make_eval_run, make_test
from tests.judging import make_case, make_cases, make_judge, make_judge_version, make_judgement
from traces.models import Label

pytestmark = pytest.mark.django_db


def test_judge_that_always_agrees_with_twenty_of_each_is_trusted() -> None:
    version = make_judge_version()
    make_cases(version, true_pass=20, true_fail=20)
    trust = trust_of(version)
    assert trust.is_trusted
    # Clopper and Pearson, 20 of 20: 0.025 ** (1 / 20).
    assert trust.tpr.low == pytest.approx(0.025 ** (1 / 20))
    assert (trust.n_pos, trust.n_neg) == (20, 20)


def test_judge_that_flatters_is_not_trusted_however_often_it_agrees() -> None:
    version = make_judge_version()
    make_cases(version, true_pass=40, false_pass=5, true_fail=2)
    trust = trust_of(version)
    assert not trust.is_trusted
    assert "TNR on all sessions is 2 of 7" in trust.why


def test_labels_of_a_versions_author_do_not_make_it_trusted() -> None:
    author = make_user()
    version = make_judge_version(author=author)
    make_cases(version, true_pass=20, true_fail=20)
    Label.objects.update(author=author)
    trust = trust_of(version)
    assert not trust.is_trusted
    assert "40 judged ones are labelled by its author alone" in trust.why
    assert (calibrate(version).num_own, calibrate(version).cases) == (40, ())
    by_another = make_judge_version(version.judge, author=make_user())
    Judgement.objects.update(version=by_another)
    assert trust_of(by_another).is_trusted


def test_session_that_author_and_another_have_labelled_says_what_the_other_says() -> None:
    version = make_judge_version(author=make_user())
    judgement = make_case(version, "resolved", "pass")
    make_label(judgement.session, version.author, outcome="harmful")
    calibration = calibrate(version)
    assert (calibration.num_own, calibration.confusion().true_pass) == (0, 1)


def test_few_cases_are_no_proof() -> None:
    version = make_judge_version()
    make_cases(version, true_pass=10, true_fail=10)
    trust = trust_of(version)
    assert not trust.is_trusted
    assert "10 of 10: surely over 0.69 only" in trust.why


def test_nothing_measured_is_not_trusted() -> None:
    trust = trust_of(make_judge_version())
    assert not trust.is_trusted
    assert trust.tpr.value is None
    assert trust.why == "Nothing that people passed was judged on all sessions."


def test_trust_holds_in_the_slice_where_it_was_measured_only() -> None:
    version = make_judge_version()
    make_cases(version, true_pass=20, true_fail=20, agent_name="orders")
    make_cases(version, true_pass=3, true_fail=3, agent_name="returns")
    assert trust_of(version, "agent:orders").is_trusted
    assert not trust_of(version, "agent:returns").is_trusted
    assert not trust_of(version, "expectations").is_trusted


def test_judge_of_a_question_that_people_are_not_asked_is_advisory_for_ever() -> None:
    version = make_judge_version(make_judge(question="", passes=[]))
    make_cases(version, true_pass=20, true_fail=20)
    trust = trust_of(version)
    assert not trust.is_trusted
    assert trust.why.startswith("People have no question")


def test_session_that_people_disagree_about_measures_no_judge() -> None:
    version = make_judge_version()
    judgement = make_case(version, "resolved", "fail")
    make_label(judgement.session, outcome="harmful")
    calibration = calibrate(version)
    assert calibration.num_disputed == 1
    assert calibration.confusion().n == 0


def test_verdict_that_says_nothing_is_no_case() -> None:
    version = make_judge_version()
    make_case(version, "resolved", "unclear")
    calibration = calibrate(version)
    assert calibration.num_undecided == 1
    assert calibration.confusion().n == 0


def test_failed_judgement_is_no_case() -> None:
    version = make_judge_version()
    session = make_session(version.judge.project)
    make_label(session)
    make_judgement(version, session, status="failed", verdict="", error="It said nothing.")
    assert calibrate(version).cases == ()


def test_session_passes_its_expectations_where_each_one_passes() -> None:
    version, result = asked_result()
    session = make_session(version.judge.project)
    make_label(session, outcome="harmful")
    for subject, verdict in (("must ask", "pass"), ("must not pay", "fail")):
        make_judgement(version, session, eval_result=result, subject=subject, verdict=verdict)
    calibration = calibrate(version)
    assert calibration.cases == ()
    assert calibration.confusion("expectations").true_fail == 1


def test_calibration_takes_as_many_queries_for_many_cases(
    django_assert_num_queries: Any,
) -> None:
    version = make_judge_version()
    make_cases(version, true_pass=1)
    for num in (1, 6):
        make_cases(version, true_fail=num)
        with django_assert_num_queries(2):
            trust_of(version)


def test_judgement_of_a_result_is_advisory_until_the_judge_is_measured() -> None:
    version, result = asked_result()
    make_judgement(version, make_session(version.judge.project), eval_result=result)
    [before] = verdicts_for(result)
    make_cases(version, true_pass=20, true_fail=20, agent_name=result.eval_run.agent.slug)
    [after] = verdicts_for(result)
    assert (before.passes, before.is_advisory, after.is_advisory) == (True, True, False)


def test_failed_judgement_has_no_verdict() -> None:
    version, result = asked_result()
    make_judgement(
        version,
        make_session(version.judge.project),
        eval_result=result,
        status="failed",
        verdict="",
        error="It answered nonsense.",
    )
    [verdict] = verdicts_for(result)
    assert (verdict.passes, verdict.title, verdict.error) == (None, "", "It answered nonsense.")


def test_session_shows_what_every_judge_said() -> None:
    session = make_session()
    for _ in range(2):
        make_judgement(make_judge_version(make_judge(session.project)), session)
    assert len(verdicts_on_session(session)) == 2


def test_asking_twice_asks_once() -> None:
    version = make_judge_version()
    sessions = [make_session(version.judge.project) for _ in range(3)]
    by = make_user()
    assert request_judgements(version=version, sessions=sessions[:2], by=by) == 2
    assert request_judgements(version=version, sessions=sessions, by=by) == 1
    assert Judgement.objects.filter(status="pending", requested_by=by).count() == 3


def test_what_failed_is_asked_again() -> None:
    version = make_judge_version()
    session = make_session(version.judge.project)
    row = make_judgement(version, session, status="failed", verdict="", error="Away.")
    assert request_judgements(version=version, sessions=[session], by=make_user()) == 1
    row.refresh_from_db()
    assert (row.status, row.error, row.num_attempts) == ("pending", "", 0)


def test_each_expectation_of_a_result_is_asked_about() -> None:
    version, result = asked_result()
    subjects = [
        subject_of({"kind": "must", "text": "ask first"}),
        subject_of({"kind": "must_not", "text": "refund"}),
    ]
    num = request_judgements(version=version, eval_results=[result], subjects=subjects, by=None)
    assert num == 2
    assert "The agent must not: refund" in {row.subject for row in result.judgements.all()}


def test_result_that_an_infrastructure_error_spoilt_is_not_judged() -> None:
    version, result = asked_result()
    EvalResult.objects.filter(pk=result.pk).update(status="infra_error")
    assert request_judgements(version=version, eval_results=[result], by=None) == 0


def test_session_of_another_project_is_refused() -> None:
    with pytest.raises(JudgeError, match="another project"):
        request_judgements(
            version=make_judge_version(), sessions=[make_session(make_project())], by=None
        )


def test_stopping_takes_back_what_is_not_judged_yet() -> None:
    version = make_judge_version()
    sessions = [make_session(version.judge.project) for _ in range(2)]
    request_judgements(version=version, sessions=sessions, by=None)
    make_judgement(version, make_session(version.judge.project))
    assert stop_asking(version=version, by=make_user(name="Mia")) == 2
    stopped = Judgement.objects.filter(version=version, status="failed")
    assert {row.error for row in stopped} == {"Stopped by Mia before it was judged."}


def asked_result() -> tuple[JudgeVersion, EvalResult]:
    """Make a judge, and a result with a run."""
    agent = make_agent()
    eval_run = make_eval_run(agent.live_version, [make_test(agent)])
    result = eval_run.results.get()
    result.run = make_run(agent)
    result.save()
    return make_judge_version(make_judge(agent.project)), result
