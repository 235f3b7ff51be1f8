"""Eval runs on the desk: their list, one of them while and after it runs, and two side by side."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents.golden.runner import finish, start_eval_run, start_pair
from agents.models import Agent, EvalRun, Gate, WorkerHeartbeat
from agents.tools.autonomy import database_now
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_project, make_user
from tests.golden import make_eval_run, make_test
from tests.shop import make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


def address(agent: Agent, rest: str = "") -> str:
    return f"/p/{agent.project.slug}/golden/{rest}"


def get(agent: Agent, rest: str, role: Role = Role.VIEWER, **options: Any) -> str:
    response = client_as(role, agent.project).get(address(agent, rest), **options)
    assert response.status_code == 200
    return response.content.decode()


def make_two(before: str = "p p", now: str = "p f", **overrides: Any) -> tuple[EvalRun, EvalRun]:
    agent, version = make_shop_agent()
    tests = [make_test(agent), make_test(agent)]
    candidate = make_shop_version(agent, system_prompt="Be kind.")
    return (
        make_eval_run(version, tests, before),
        make_eval_run(candidate, tests, now, **overrides),
    )


def plan(**overrides: Any) -> EvalRun:
    agent, version = make_shop_agent()
    make_test(agent, **overrides)
    return start_eval_run(version=version, by=make_user())


def beat() -> None:
    now = database_now()
    WorkerHeartbeat.objects.create(worker="w", hostname="h", process=1, started_at=now, seen_at=now)


def test_list_shows_each_eval_run_with_what_it_came_to() -> None:
    before, now = make_two()
    text = get(now.agent, "runs/")
    assert f'value="{before.pk}"' in text
    assert "1 of 2" in text
    assert "2 × 1" in text


def test_list_takes_as_many_queries_for_many_as_for_few() -> None:
    _, now = make_two()
    client = client_as(Role.VIEWER, now.agent.project)
    counts = []
    for _ in range(2):
        client.get(address(now.agent, "runs/"))
        with CaptureQueriesContext(connection) as queries:
            client.get(address(now.agent, "runs/"))
        counts.append(len(queries))
        for _ in range(5):
            make_eval_run(now.version, list(now.agent.golden_tests.all()), "p f")
    assert counts[0] == counts[1]


def test_empty_list_says_what_would_stand_there() -> None:
    agent, _ = make_shop_agent()
    assert "No eval run for" in get(agent, "runs/")
    project = make_project()
    page = client_as(Role.VIEWER, project).get(f"/p/{project.slug}/golden/runs/")
    assert b"No agent yet" in page.content


def test_fragment_of_the_list_is_only_the_list() -> None:
    _, now = make_two()
    text = get(now.agent, "runs/", headers=HTMX)
    assert "<html" not in text
    assert 'id="results"' in text


def test_two_chosen_runs_are_compared_the_older_one_first() -> None:
    before, now = make_two()
    client = client_as(Role.VIEWER, now.agent.project)
    answer = client.get(address(now.agent, f"compare/?run={now.pk}&run={before.pk}"))
    assert answer["Location"].endswith(f"/golden/compare/{before.pk}/{now.pk}/")


@pytest.mark.parametrize("query", ["", "?run=1", "?run=x&run=99999999999999999999"])
def test_other_than_two_are_asked_for_again(query: str) -> None:
    _, now = make_two()
    client = client_as(Role.VIEWER, now.agent.project)
    answer = client.get(address(now.agent, f"compare/{query}"))
    assert answer.status_code == 422
    assert b"Choose two eval runs to compare" in answer.content


def test_comparison_names_what_moved_with_an_interval() -> None:
    before, now = make_two()
    text = get(now.agent, f"compare/{before.pk}/{now.pk}/")
    assert "Difference not told apart from 0: \N{MINUS SIGN}50.0 points" in text
    rates = f"Eval run {before.pk} passed 100 %, eval run {now.pk} 50 %, over 2 tests."
    assert rates in text
    assert "Test 2" in text
    assert "Test 1</a>" not in text, "the same stands under its tab"


def test_comparison_can_be_cut_to_a_part_and_a_tab() -> None:
    before, now = make_two()
    text = get(now.agent, f"compare/{before.pk}/{now.pk}/?show=same&part=regression")
    assert "Test 1</a>" in text
    assert "Test 2</a>" not in text


def test_comparison_of_nothing_in_common_says_so() -> None:
    before, now = make_two("e e", "p p")
    assert "No test was judged in both" in get(now.agent, f"compare/{before.pk}/{now.pk}/")


def test_comparison_with_itself_or_another_agents_is_not_found() -> None:
    before, now = make_two()
    client = client_as(Role.VIEWER, now.agent.project)
    assert client.get(address(now.agent, f"compare/{now.pk}/{now.pk}/")).status_code == 404
    other, _ = make_two()
    assert client.get(address(now.agent, f"compare/{before.pk}/{other.pk}/")).status_code == 404


def test_comparison_takes_as_many_queries_for_many_tests_as_for_few() -> None:
    counts = []
    for num_tests in (2, 8):
        agent, version = make_shop_agent()
        tests = [make_test(agent) for _ in range(num_tests)]
        before, now = make_eval_run(version, tests, "p"), make_eval_run(version, tests, "f")
        client = client_as(Role.VIEWER, agent.project)
        client.get(address(agent, f"compare/{before.pk}/{now.pk}/"))
        with CaptureQueriesContext(connection) as queries:
            client.get(address(agent, f"compare/{before.pk}/{now.pk}/"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_running_eval_run_shows_how_far_it_is_and_that_nobody_works() -> None:
    eval_run = plan()
    text = get(eval_run.agent, f"runs/{eval_run.pk}/")
    assert "0 of 1 runs done" in text
    assert "time left not known yet" in text
    assert "No worker is running" in text
    beat()
    assert "No worker is running" not in get(eval_run.agent, f"runs/{eval_run.pk}/")


def test_page_says_what_was_expected_before_it_began() -> None:
    eval_run = plan()
    text = get(eval_run.agent, f"runs/{eval_run.pk}/")
    assert "Expected before it began: 1 run, time not known, cost not known." in text


def test_parked_runs_are_said_to_wait() -> None:
    eval_run = plan()
    run = eval_run.results.get().run
    run.status, run.next_at = "waiting", None
    run.save()
    assert "1 run waits for a person" in get(eval_run.agent, f"runs/{eval_run.pk}/")


def test_void_eval_run_says_why() -> None:
    eval_run = plan()
    finish(eval_run, EvalRun.Status.VOID, "The test “Test 1” was edited while it ran.")
    assert "Void: the test “Test 1” was edited" in get(eval_run.agent, f"runs/{eval_run.pk}/")


def test_quarantine_stands_apart_and_does_not_count() -> None:
    _, now = make_two(options={"quarantined": ["test-2"]}, status="passed")
    text = get(now.agent, f"runs/{now.pk}/")
    assert "passed its one test" in text
    assert text.index("In quarantine") < text.index(">Test 2<")


def test_hard_findings_and_what_was_not_recorded_are_shown() -> None:
    _, now = make_two()
    now.results.update(
        hard=[{"gate": "leak", "found": "step 2 told <b>a card</b>", "span_id": ""}], num_missing=2
    )
    text = get(now.agent, f"runs/{now.pk}/")
    assert "step 2 told &lt;b&gt;a card&lt;/b&gt;" in text
    assert "2 calls for which nothing was recorded" in text


def test_infrastructure_errors_are_counted_apart_with_their_cause() -> None:
    _, now = make_two(now="e e")
    now.results.update(error="the model endpoint is away")
    text = get(now.agent, f"runs/{now.pk}/")
    assert "2 infrastructure errors: they say nothing about the agent" in text
    assert "2 × the model endpoint is away" in text


def test_page_of_a_large_eval_run_is_cut_into_pages() -> None:
    agent, version = make_shop_agent()
    tests = [make_test(agent) for _ in range(101)]
    eval_run = make_eval_run(version, tests, "p")
    assert "1–100 of 101" in get(agent, f"runs/{eval_run.pk}/")
    assert "101–101 of 101" in get(agent, f"runs/{eval_run.pk}/?page=2")


def test_part_of_a_gate_leads_to_the_gate_which_alone_can_be_cancelled() -> None:
    agent, version = make_shop_agent()
    make_test(agent)
    candidate = make_shop_version(agent, system_prompt="Be kind.")
    pair = start_pair(candidate=candidate, baseline=version, num_repeats=1, seed=1, by=make_user())
    gate = Gate.objects.create(
        agent=agent, candidate=candidate, baseline=version, candidate_run=pair[0],
        baseline_run=pair[1], config={}, seed=1,
    )  # fmt: skip
    client = client_as(Role.ENGINEER, agent.project)
    text = client.get(address(agent, f"runs/{pair[0].pk}/")).content.decode()
    assert f"gates/{gate.pk}/" in text
    assert 'id="cancel-run"' not in text
    answer = client.post(address(agent, f"runs/{pair[0].pk}/cancel/"))
    assert answer.status_code == 409
    assert f"part of gate {gate.pk}" in answer.content.decode()


def test_cancelling_says_who_did() -> None:
    eval_run = plan()
    client = client_as(Role.ENGINEER, eval_run.agent.project)
    client.post(address(eval_run.agent, f"runs/{eval_run.pk}/cancel/"))
    eval_run.refresh_from_db()
    assert eval_run.status == EvalRun.Status.CANCELLED
    assert eval_run.ended_because.startswith("Cancelled by ")


def test_reading_asks_for_get_and_cancelling_for_post() -> None:
    before, now = make_two()
    client = client_as(Role.ENGINEER, now.agent.project)
    for rest in ("runs/", f"runs/{now.pk}/", "compare/", f"compare/{before.pk}/{now.pk}/"):
        assert client.post(address(now.agent, rest)).status_code == 405
    assert client.get(address(now.agent, f"runs/{now.pk}/cancel/")).status_code == 405


def test_a_suite_and_a_tag_can_be_run_alone() -> None:
    agent, version = make_shop_agent()
    make_test(agent, suite="edge", tags=["money"])
    make_test(agent)
    client = client_as(Role.ENGINEER, agent.project)
    values = {"version": version.pk, "suite": "edge", "tag": "money"}
    client.post(address(agent, "start/"), values)
    eval_run = EvalRun.objects.get()
    assert eval_run.results.get().test.slug == "test-1"
    text = client.get(address(agent, f"runs/{eval_run.pk}/")).content.decode()
    assert "some of the agent’s tests only: the suite edge, and of it the tag money" in text


def test_an_empty_suite_says_so_and_starts_nothing() -> None:
    agent, version = make_shop_agent()
    make_test(agent)
    client = client_as(Role.ENGINEER, agent.project)
    answer = client.post(address(agent, "start/"), {"version": version.pk, "suite": "edge"})
    assert answer.status_code == 409
    assert "None of the golden tests of" in answer.content.decode()
    assert not EvalRun.objects.exists()


def test_what_a_suite_would_take_is_said_before() -> None:
    agent, version = make_shop_agent()
    make_test(agent, suite="edge", tags=["money"])
    make_test(agent)
    client = client_as(Role.ENGINEER, agent.project)
    query = f"?agent={agent.slug}&version={version.pk}&repeats=3&suite=edge"
    text = client.get(address(agent, f"gates/new/{query}")).content.decode()
    assert "without a comparison: 3 runs, time not known" in text
