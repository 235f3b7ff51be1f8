"""Asking judges again for results of an eval run that they failed to judge."""

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.errors import GoldenError
from agents.golden.ask_again import ask_again
from agents.golden.runner import settle_finished, start_eval_run
from agents.golden.settle import finish
from agents.models import Agent, EvalResult, EvalRun, Gate, Judgement
from agents.runtime.loop import advance
from agents.tools.autonomy import database_now
from reviewdesk.people.roles import Role
from reviewdesk.screens.golden.judging import read_judging
from tests.factories import client_as, make_project, make_user
from tests.golden import CALLS_CANCEL, make_test, run_all
from tests.judging import make_judge, make_judge_version
from tests.model_server import model_server
from tests.shop import CANCEL, make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db

RUBRIC = {"kind": "judge_rubric", "judge": "kindness"}


def judged_run(num_tests: int = 1, checks: tuple[object, ...] = (CALLS_CANCEL, RUBRIC)) -> EvalRun:
    """Make an eval run whose runs are done and which waits for the judge of kindness."""
    with model_server(*num_tests * ["Shall I cancel #T1?", [CANCEL], "Done."]) as server:
        agent, version = make_shop_agent(server.base_url)
        for _ in range(num_tests):
            make_test(agent, checks=list(checks))
        make_judge_version(make_judge(agent.project, slug="kindness", name="Kindness"))
        eval_run = start_eval_run(version=version, by=make_user())
        run_all(eval_run, advance)
    settle_finished()
    return EvalRun.objects.select_related("agent__project").get(pk=eval_run.pk)


def failed_run(**about: object) -> EvalRun:
    """Make one that has ended, for all that its judge failed."""
    eval_run = judged_run(**about)  # type: ignore[arg-type]
    end_judgements(status="failed", error="The endpoint is away.")
    settle_finished()
    eval_run.refresh_from_db()
    return eval_run


def end_judgements(**values: object) -> None:
    Judgement.objects.filter(status="pending").update(
        **{"next_at": None, "finished_at": database_now(), **values}
    )


def address(agent: Agent, rest: str) -> str:
    return f"/p/{agent.project.slug}/golden/{rest}"


def page_of(eval_run: EvalRun, role: Role = Role.ENGINEER) -> str:
    answer = client_as(role, eval_run.agent.project).get(
        address(eval_run.agent, f"runs/{eval_run.pk}/")
    )
    assert answer.status_code == 200
    return str(answer.content.decode())


def post(client: Client, eval_run: EvalRun, rest: str, **values: str) -> "HttpResponse":
    return client.post(address(eval_run.agent, rest), values)  # type: ignore[return-value]


def test_waiting_for_judges_is_a_state_of_its_own_with_counts() -> None:
    text = page_of(judged_run(2))
    assert "waits for judges" in text
    assert "2 wait for judge Kindness" in text
    assert "time left for the judges not known yet" in text
    assert "2 of 2 runs done" in text


def test_counts_name_what_failed_and_why() -> None:
    eval_run = judged_run(2)
    first = Judgement.objects.order_by("pk")[:1]
    Judgement.objects.filter(pk__in=first.values("pk")).update(
        status="failed", error="<b>away</b>", next_at=None, finished_at=database_now()
    )
    text = page_of(eval_run)
    assert "1 waits for judge Kindness, 1 ask failed" in text
    assert "&lt;b&gt;away&lt;/b&gt;" in text
    assert "about 60 s left for the judges" not in text
    assert "about 1 min left for the judges" in text


def test_judges_cost_is_told_with_what_is_to_come() -> None:
    eval_run = judged_run(2)
    first = Judgement.objects.order_by("pk")[:1]
    Judgement.objects.filter(pk__in=first.values("pk")).update(
        status="done", verdict="pass", next_at=None, cost_usd="0.03"
    )
    judging = read_judging(eval_run)
    assert (str(judging.cost_usd), str(judging.cost_in_all)) == ("0.03000000", "0.06000000")
    assert judging.seconds_left is None, "nothing was answered in the last minute"


def test_asking_again_makes_the_run_wait_and_keeps_who_did() -> None:
    eval_run = failed_run()
    client = client_as(Role.ENGINEER, eval_run.agent.project)
    assert eval_run.status == EvalRun.Status.PASSED
    answer = post(client, eval_run, f"runs/{eval_run.pk}/ask-judges/")
    assert answer.status_code == 303
    eval_run.refresh_from_db()
    assert (eval_run.status, eval_run.finished_at) == (EvalRun.Status.RUNNING, None)
    assert Judgement.objects.get().status == Judgement.Status.PENDING
    assert "had the judges asked again for 1 answer" in page_of(eval_run)


def test_run_ends_again_when_the_judges_have_answered() -> None:
    eval_run = failed_run()
    ask_again(eval_run=eval_run, by=make_user())
    end_judgements(status="done", verdict="pass")
    settle_finished()
    eval_run.refresh_from_db()
    assert eval_run.status == EvalRun.Status.PASSED
    assert eval_run.finished_at is not None


def test_result_of_which_nothing_was_judged_may_pass_after_all() -> None:
    eval_run = failed_run(checks=(RUBRIC,))
    assert eval_run.results.get().error.endswith(" failed: The endpoint is away.")
    ask_again(eval_run=eval_run, by=make_user())
    assert eval_run.results.get().status == EvalResult.Status.PASSED
    assert eval_run.results.get().error == ""


def test_one_result_is_asked_about_alone_and_leads_back_to_its_session() -> None:
    eval_run = failed_run(num_tests=2)
    first = eval_run.results.order_by("pk")[0]
    client = client_as(Role.ENGINEER, eval_run.agent.project)
    answer = post(client, eval_run, f"results/{first.pk}/ask-judges/", back="session")
    assert first.run is not None
    assert str(first.run.session_id) in answer["Location"]
    assert [each.eval_result_id for each in Judgement.objects.filter(status="pending")] == [
        first.pk
    ]


def test_session_of_a_result_offers_to_ask_again() -> None:
    eval_run = failed_run()
    run = eval_run.results.get().run
    assert run is not None
    url = f"/p/{eval_run.agent.project.slug}/sessions/{run.session_id}/"
    result = eval_run.results.get()
    text = client_as(Role.ENGINEER, eval_run.agent.project).get(url).content.decode()
    assert f"results/{result.pk}/ask-judges/" in text
    text = client_as(Role.SUPPORT, eval_run.agent.project).get(url).content.decode()
    assert f"results/{result.pk}/ask-judges/" not in text
    assert "To ask judges again takes the role" in text


def test_decided_gate_stays_as_it_is_and_the_answers_are_only_shown() -> None:
    eval_run = failed_run()
    candidate = make_shop_version(eval_run.agent, system_prompt="Be kind.")
    other = EvalRun.objects.create(agent=eval_run.agent, version=candidate, evidence_hash="x")
    gate = Gate.objects.create(
        agent=eval_run.agent, candidate=candidate, baseline=eval_run.version, candidate_run=other,
        baseline_run=eval_run, config={}, seed=1, status="passed", finished_at=database_now(),
    )  # fmt: skip
    assert "has decided without it" in page_of(eval_run)
    asked = ask_again(eval_run=eval_run, by=make_user())
    eval_run.refresh_from_db()
    assert (asked.num, asked.decided_by) == (1, gate)
    assert eval_run.status == EvalRun.Status.PASSED


def test_nothing_failed_an_archived_judge_and_a_void_run_are_refused_in_words() -> None:
    eval_run = judged_run()
    with pytest.raises(GoldenError, match="no judgement that failed"):
        ask_again(eval_run=eval_run, by=make_user())
    end_judgements(status="failed", error="away")
    judge = Judgement.objects.get().version.judge
    judge.archived_at = database_now()
    judge.save()
    with pytest.raises(GoldenError, match="Archived, and not asked any more: Kindness"):
        ask_again(eval_run=eval_run, by=make_user())
    finish(eval_run, EvalRun.Status.VOID, "A test was edited.")
    client = client_as(Role.ENGINEER, eval_run.agent.project)
    answer = post(client, eval_run, f"runs/{eval_run.pk}/ask-judges/")
    assert answer.status_code == 409
    assert "is void: nothing of it counts" in answer.content.decode()
    assert 'id="ask-judges"' not in page_of(eval_run)


def test_page_takes_as_many_queries_for_many_failures_as_for_few() -> None:
    counts = []
    for num_tests in (1, 4):
        eval_run = failed_run(num_tests=num_tests)
        ask_again(eval_run=eval_run, result=eval_run.results.first(), by=make_user())
        client = client_as(Role.ENGINEER, eval_run.agent.project)
        path = address(eval_run.agent, f"runs/{eval_run.pk}/")
        end_judgements(status="failed", error="away")
        client.get(path)
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_asking_takes_the_right_to_run_evals_the_project_and_a_post() -> None:
    eval_run = failed_run()
    result = eval_run.results.get()
    engineer = client_as(Role.ENGINEER, eval_run.agent.project)
    stranger = client_as(Role.ENGINEER, make_project())
    viewer = client_as(Role.VIEWER, eval_run.agent.project)
    for rest in (f"runs/{eval_run.pk}/ask-judges/", f"results/{result.pk}/ask-judges/"):
        assert engineer.get(address(eval_run.agent, rest)).status_code == 405
        assert post(viewer, eval_run, rest).status_code == 403
        assert post(stranger, eval_run, rest).status_code == 404
    assert post(engineer, eval_run, "results/999999/ask-judges/").status_code == 404
    assert "takes the role" in page_of(eval_run, Role.VIEWER)


def test_single_result_without_a_failure_is_refused_on_the_runs_page() -> None:
    eval_run = judged_run()
    result = eval_run.results.get()
    client = client_as(Role.ENGINEER, eval_run.agent.project)
    answer = post(client, eval_run, f"results/{result.pk}/ask-judges/")
    assert answer.status_code == 409
    assert "there is nothing to ask again" in answer.content.decode()
