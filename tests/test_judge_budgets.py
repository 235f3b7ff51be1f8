"""Judges and simulated customers in the day's budgets: counted, held, and told."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from agents.golden.customer import DONE
from agents.golden.runner import cancel_eval_run, settle_finished, start_eval_run
from agents.judges.ask import request_judgements
from agents.judges.spending import agent_judged, look_again_at
from agents.judges.verdicts import why_waiting
from agents.judges.worker import judge_all_here
from agents.models import Agent, Budget, EvalRun, Judgement, KillSwitch, Spend
from agents.runtime.loop import advance
from agents.tools.stops import lift, stop
from reviewdesk.people.roles import Role
from reviewdesk.screens.golden.gate_pages import read_gate
from tests.factories import make_session, make_user
from tests.gate import answer as answer_gate
from tests.gate import begin_gate
from tests.golden import CALLS_CANCEL, make_test, run_all
from tests.judging import make_judge, make_judge_version, make_judgement
from tests.model_server import ModelServer, model_server
from tests.shop import CANCEL, make_shop_agent
from tests.test_eval_screens import get
from tests.test_golden_customer import GOAL, play
from tests.test_judge_ask import LONG_AGO, PASS
from traces.models import ModelPrice

pytestmark = pytest.mark.django_db

RUBRIC = {"kind": "judge_rubric", "judge": "kindness"}


def ask(server: ModelServer, **budget: Any) -> Judgement:
    """Ask a judge about a session of an agent of this desk, with a budget where one is given."""
    agent, _ = make_shop_agent()
    judge = make_judge(agent.project)
    version = make_judge_version(judge, model_base_url=server.base_url)
    ModelPrice.objects.create(
        project=agent.project, pattern="*", starts_on=LONG_AGO, input_usd=2, output_usd=8
    )
    if budget:
        Budget.objects.create(project=agent.project, agent=agent, reason="Test.", **budget)
    session = make_session(agent.project, agent_name=agent.slug)
    request_judgements(version=version, sessions=[session], by=None)
    return Judgement.objects.get(session=session)


def spent(name: str) -> Any:
    return sum(Spend.objects.values_list(name, flat=True))


def test_judge_counts_for_the_agent_it_judges() -> None:
    with model_server("Well.", PASS) as server:
        row = ask(server)
        judge_all_here()
    agent = Agent.objects.get(project=row.version.judge.project)
    assert set(Spend.objects.values_list("agent", flat=True)) == {agent.pk}
    # Twice 100 tokens at $2 and 10 at $8 per million; a judge is no run and no step.
    assert (spent("tokens"), spent("cost_usd")) == (220, Decimal("0.00056"))
    assert (spent("runs"), spent("steps"), spent("tool_calls")) == (0, 0, 0)


def test_judge_without_a_price_counts_as_at_least() -> None:
    with model_server(PASS) as server:
        ask(server)
        ModelPrice.objects.all().delete()
        judge_all_here()
    assert (spent("num_unpriced"), spent("cost_usd")) == (1, 0)


def test_used_up_budget_asks_no_judge_and_says_so_until_it_is_raised() -> None:
    with model_server(PASS) as server:
        row = ask(server, max_tokens=0)
        judge_all_here()
        row.refresh_from_db()
        assert server.requests == []
        assert (row.status, row.num_attempts) == ("pending", 0)
        assert row.error == (
            "Waits: the agent's budget of 0 tokens a day (UTC) is used up, 0 tokens used. It goes "
            "on once the budget is raised, or at 00:00 UTC."
        )
        Budget.objects.update(max_tokens=1000)
        Judgement.objects.update(next_at=row.created_at)
        judge_all_here()
    row.refresh_from_db()
    assert (row.status, row.error) == ("done", "")


@pytest.mark.django_db(transaction=True)
def test_budget_that_is_used_up_between_two_asks_keeps_the_second() -> None:
    def answer(_: dict[str, Any]) -> str:
        Budget.objects.update(max_tokens=0)
        connection.close()
        return "Well."

    with model_server(by_request=answer) as server:
        row = ask(server, max_tokens=1)
        judge_all_here()
    row.refresh_from_db()
    assert (row.status, len(server.requests)) == ("pending", 1)
    assert row.error.startswith("Waits: the agent's budget of 0 tokens")


@pytest.mark.parametrize("measure", ["max_steps", "max_tool_calls", "max_runs"])
def test_budgets_that_are_about_runs_hold_no_judge(measure: str) -> None:
    with model_server(PASS) as server:
        row = ask(server, **{measure: 0})
        judge_all_here()
    row.refresh_from_db()
    assert row.status == "done"


def test_projects_budget_holds_the_judges_of_an_agent_that_is_not_known() -> None:
    with model_server(PASS) as server:
        row = ask(server)
        agent_id = agent_judged(row)
        assert agent_id is not None
        Agent.objects.filter(pk=agent_id).update(slug="renamed")
        assert agent_judged(row) is None
        project = row.version.judge.project
        other = Agent.objects.create(project=project, slug="b", name="b")
        Budget.objects.create(project=project, agent=other, max_tokens=0, reason="Not about it.")
        judge_all_here()
        row.refresh_from_db()
        assert row.status == "done"
        Budget.objects.create(project=project, max_tokens=0, reason="About all.")
        again = make_session(project)
        request_judgements(version=row.version, sessions=[again], by=None)
        judge_all_here()
    waiting = Judgement.objects.get(session=again)
    assert waiting.error.startswith("Waits: the project's budget of 0 tokens a day (UTC)")


def test_a_waiting_judgement_looks_again_soon_and_at_midnight_at_the_latest() -> None:
    noon, late = datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 23, 59, 30, tzinfo=UTC)
    assert (look_again_at(noon) - noon).total_seconds() == 60
    assert look_again_at(late) == datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.django_db(transaction=True)
def test_stop_between_two_asks_keeps_the_second_until_it_is_lifted() -> None:
    switches: list[KillSwitch] = []

    def answer(_: dict[str, Any]) -> str:
        if switches:
            return PASS
        project = Judgement.objects.get().version.judge.project
        lead = make_user(Role.LEAD, project)
        switches.append(
            stop(
                scope=KillSwitch.Scope.PROJECT,
                stops=KillSwitch.Stops.ALL,
                project=project,
                reason="Costs run away.",
                by=lead,
            )
        )
        connection.close()
        return "Well."

    with model_server(by_request=answer) as server:
        row = ask(server)
        judge_all_here()
        row.refresh_from_db()
        assert (len(server.requests), row.status, row.num_attempts) == (1, "pending", 0)
        assert row.error.endswith("is stopped (Costs run away.).")
        assert (row.input_tokens, spent("tokens")) == (100, 110), "the first ask was made"
        switch = switches[0]
        lift(switch=switch, reason="Found.", by=switch.stopped_by)
        judge_all_here()
    row.refresh_from_db()
    assert (row.status, len(server.requests)) == ("done", 2)


def start_judged_run(base_url: str) -> EvalRun:
    """Run one test that only a judge decides; its judgement waits."""
    agent, version = make_shop_agent(base_url)
    make_test(agent, checks=[CALLS_CANCEL, RUBRIC])
    judge = make_judge(agent.project, slug="kindness")
    make_judge_version(judge, model_base_url=base_url, model="the-judge")
    eval_run = start_eval_run(version=version, by=make_user())
    run_all(eval_run, advance)
    settle_finished()
    return eval_run


@pytest.mark.django_db(transaction=True)
def test_cancel_between_two_asks_ends_them_and_counts_the_first() -> None:
    by_turn = iter(["Shall I cancel #T1?", [CANCEL], "Done."])

    def answer(request: dict[str, Any]) -> Any:
        if request["model"] != "the-judge":
            return next(by_turn)
        cancel_eval_run(eval_run=EvalRun.objects.get(), by=make_user())
        connection.close()
        return "Well."

    with model_server(by_request=answer) as server:
        start_judged_run(server.base_url)
        before = spent("tokens")
        judge_all_here()
        asked = [each for each in server.requests if each["model"] == "the-judge"]
    row = Judgement.objects.get()
    assert len(asked) == 1
    assert (row.status, row.verdict) == ("failed", "")
    assert row.error.endswith("was cancelled before it was judged.")
    assert spent("tokens") == before + 110


def test_cancelled_eval_run_asks_no_judge_any_more() -> None:
    with model_server("Shall I cancel #T1?", [CANCEL], "Done.", PASS) as server:
        eval_run = start_judged_run(server.base_url)
        cancel_eval_run(eval_run=eval_run, by=make_user())
        num = len(server.requests)
        assert judge_all_here() == 0
        assert len(server.requests) == num


def test_eval_run_waits_for_judges_that_wait_for_a_budget_and_says_so() -> None:
    with model_server("Shall I cancel #T1?", [CANCEL], "Done.", PASS) as server:
        eval_run = start_judged_run(server.base_url)
        budget = Budget.objects.create(project=eval_run.agent.project, max_tokens=1, reason="Test.")
        judge_all_here()
        settle_finished()
        eval_run.refresh_from_db()
        assert eval_run.status == EvalRun.Status.RUNNING
        assert why_waiting([eval_run.pk]).startswith("Waits: the project's budget of 1 token a day")
        text = get(eval_run.agent, f"runs/{eval_run.pk}/")
        assert "1 answer of judges is still to come. Waits: the project&#x27;s budget" in text
        budget.max_tokens = 1_000_000
        budget.save()
        Judgement.objects.update(next_at=eval_run.created_at)
        judge_all_here()
    settle_finished()
    eval_run.refresh_from_db()
    assert eval_run.status == EvalRun.Status.PASSED
    assert why_waiting([eval_run.pk]) == ""


def test_gate_that_waits_for_judges_says_what_they_wait_for() -> None:
    _, gate = begin_gate(num_tests=1)
    answer_gate(gate, now="p", before="p")
    assert read_gate(gate).waits_because == ""
    result = gate.candidate_run.results.first()
    version = make_judge_version(make_judge(gate.agent.project))
    make_judgement(
        version,
        make_session(gate.agent.project),
        eval_result=result,
        status="pending",
        verdict="",
        error="Waits: the project's budget is used up.",
    )
    assert read_gate(gate).waits_because == "Waits: the project's budget is used up."
    text = get(gate.agent, f"gates/{gate.pk}/")
    assert "judges have still to answer. Waits: the project&#x27;s budget is used up." in text


def test_simulated_customer_counts_for_the_agent_that_is_tested() -> None:
    with model_server("Which?", "Number T1.", "Done.", DONE) as server:
        run = play(server, GOAL)
        advance(run.pk)
    assert [each["model"] for each in server.requests].count("player") == 2
    # 110 tokens a call, of the agent's model and of the customer's; steps are the agent's alone.
    assert (spent("tokens"), spent("steps"), spent("runs")) == (440, 2, 1)
    assert spent("num_unpriced") == 4
