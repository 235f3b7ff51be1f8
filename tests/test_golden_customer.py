"""Customers who are played: by lines, or by a model with a goal."""

from typing import Any

import pytest

from agents.golden.customer import DONE, customer_messages, next_line, words_of
from agents.llm.simulator.customer import play_customer
from agents.models import KillSwitch, Run, Step
from agents.runtime.claim import claim_due_run
from agents.runtime.loop import advance, advance_step
from agents.runtime.start import start_run
from agents.tools.stops import lift, stop
from tests.factories import make_user
from tests.model_server import ModelServer, model_server
from tests.outside import INPUT, lose_worker
from tests.shop import make_shop_agent
from traces.models import Span

GOAL = {"kind": "simulated", "goal": "Cancel order #T1.", "model": "player", "max_turns": 3}
LINES = [
    {"when": "which order", "say": "Order #T1."},
    {"when": "confirm", "say": "Yes."},
    {"when": "*", "say": "Thanks."},
]


def play(server: ModelServer, customer: dict[str, Any]) -> Run:
    """Return a golden run with this customer that was begun."""
    agent, version = make_shop_agent(server.base_url)
    run = start_run(agent=agent, version=version, run_input=INPUT, kind=Run.Kind.GOLDEN)
    Run.objects.filter(pk=run.pk).update(play={"customer": customer})
    return run


def said_by_customer(run: Run) -> list[str]:
    """Return what the customer said in the journal."""
    steps = run.steps.filter(kind=Step.Kind.CUSTOMER).order_by("index")
    return [(step.response or {}).get("content", DONE) for step in steps]


@pytest.mark.parametrize(
    ("said", "answer", "expected"),
    [
        ([], "Which  ORDER is it?", "Order #T1."),
        ([], "Please confirm.", "Yes."),
        (["Yes."], "Please confirm.", "Thanks."),
        (["Yes.", "Thanks."], "Please confirm.", None),
    ],
)
def test_scripted_customer_says_the_first_line_that_fits_once(
    said: list[str], answer: str, expected: str | None
) -> None:
    assert next_line(LINES, said, answer) == expected


@pytest.mark.parametrize("content", [DONE, " done. ", "###DONE###", "", None])
def test_customer_leaves_with_the_mark_or_without_words(content: str | None) -> None:
    assert words_of(content) is None


def test_model_sees_the_conversation_from_the_customers_side() -> None:
    messages = customer_messages("Cancel.", [("customer", "Hi"), ("agent", "Hello")])
    assert [each["role"] for each in messages] == ["system", "assistant", "user"]
    assert "Cancel." in messages[0]["content"]


@pytest.mark.django_db
def test_scripted_customer_answers_until_no_line_fits() -> None:
    answers = ("Which order?", "Do you confirm?", "Done.", "Bye.")
    with model_server(*answers) as server:
        run = play(server, {"kind": "scripted", "lines": LINES})
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert said_by_customer(run) == ["Order #T1.", "Yes.", "Thanks."]


@pytest.mark.django_db
def test_simulated_customer_speaks_until_it_leaves_and_costs_the_agent_nothing() -> None:
    with model_server("Which order?", "Number T1.", "It is cancelled.", DONE) as server:
        run = play(server, GOAL)
        advance(run.pk)
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert said_by_customer(run) == ["Number T1.", DONE]
    assert server.requests[1]["model"] == "player"
    span = Span.objects.filter(session=run.session_id, kind=Span.Kind.CUSTOMER).latest("start_ns")
    assert (span.cost_usd, span.attributes["played_by"]) == (None, "model")


@pytest.mark.django_db
def test_simulated_customer_speaks_at_most_so_often() -> None:
    with model_server("1?", "a", "2?", "b", "3?", "c", "4?") as server:
        run = play(server, GOAL)
        advance(run.pk)
    assert said_by_customer(run) == ["a", "b", "c"]


@pytest.mark.django_db
def test_words_in_the_journal_are_never_asked_for_again() -> None:
    with model_server("Which order?", "Number T1.", "It is cancelled.", DONE) as server:
        run = play(server, GOAL)
        claim = claim_due_run(run.pk)
        assert claim
        assert advance_step(claim)
        assert advance_step(claim)
        lose_worker(run)
        advance(run.pk)
    assert said_by_customer(run) == ["Number T1.", DONE]
    assert len(server.requests) == 4


@pytest.mark.django_db
def test_stop_of_models_holds_the_customers_model_until_it_is_lifted() -> None:
    with model_server("Which order?", "Number T1.", "It is cancelled.", DONE) as server:
        run = play(server, GOAL)
        claim = claim_due_run(run.pk)
        assert claim
        assert advance_step(claim)
        switch = stop(
            scope=KillSwitch.Scope.PROJECT,
            stops=KillSwitch.Stops.ALL,
            project=run.project,
            reason="Too dear.",
            by=make_user(),
        )
        assert not advance_step(claim)
        run.refresh_from_db()
        assert (run.parked_for, len(server.requests)) == (Run.Parked.STOP, 1)
        lift(switch=switch, reason="Cheaper now.", by=make_user())
        advance(run.pk)
    assert said_by_customer(run) == ["Number T1.", DONE]


@pytest.mark.django_db
def test_customers_model_that_fails_is_no_fault_of_the_agent() -> None:
    with model_server("Which order?", (400, {"error": {"message": "no"}})) as server:
        run = play(server, GOAL)
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, run.failure) == (Run.Status.FAILED, Run.Failure.MODEL)
    assert "plays the customer failed" in run.error


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("May I have your e-mail, please?", "yusuf@demo.example"),
        ("Which order is it?", "#T1"),
        ("I will cancel #T1. Do you confirm (yes/no)?", "Yes, please."),
        ("The order is cancelled. Anything else?", DONE),
        ("What is your shoe size?", "I'm sorry, I don't have that."),
    ],
)
def test_demos_customer_keeps_to_its_goal(answer: str, expected: str) -> None:
    goal = "You are yusuf@demo.example. Cancel order #T1."
    messages = customer_messages(goal, [("customer", "Hi"), ("agent", answer)])
    assert play_customer({"messages": messages}) == expected


def test_demos_customer_leaves_when_it_is_asked_again_for_what_it_does_not_have() -> None:
    talk = [("agent", "Shoe size?"), ("customer", "I'm sorry, I don't have that.")]
    messages = customer_messages("Cancel order #T1.", [*talk, ("agent", "Shoe size?")])
    assert play_customer({"messages": messages}) == DONE
