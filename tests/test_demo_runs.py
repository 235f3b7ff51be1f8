"""The demo's tasks as real runs: a version fails as it did, a better prompt does not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from agents.demo.customers import CustomerTask, customer_tasks
from agents.demo.load import config_of, store_records
from agents.demo.play import Played, play
from agents.demo.records import DATASET, shop_records
from agents.demo.shop import MemoryWorld
from agents.demo.tools import FOR_AGENTS
from agents.demo.verdicts import judge
from agents.llm.simulator.scripted import ScriptedBrain
from agents.llm.simulator.server import ModelServer
from agents.models import Agent, AgentTool, CeilingLift, Level, Run, Tier
from agents.releases.propose import create_version
from agents.runtime.loop import advance
from agents.runtime.start import start_run
from agents.tools.autonomy import database_now
from tests.factories import make_project, make_user
from tests.shop import make_live
from traces.models import Session

pytestmark = pytest.mark.django_db


@pytest.fixture
def agent() -> Iterator[Agent]:
    """Yield an agent that may do everything alone, with the scripted model."""
    server = ModelServer(ScriptedBrain()).start()
    agent = Agent.objects.create(
        project=make_project(),
        slug="shop-support",
        name="Shop support",
        dataset=DATASET,
        model_base_url=server.base_url,
    )
    for contract in FOR_AGENTS:
        AgentTool.objects.create(
            agent=agent, name=contract.name, level=Level.AUTONOMOUS, reason="For the test."
        )
    for tier in (Tier.MONEY, Tier.WRITE_IRREVERSIBLE):
        CeilingLift.objects.create(
            agent=agent,
            tier=tier,
            reason="For the test.",
            lifted_by=make_user(),
            expires_at=database_now().replace(year=2100),
        )
    store_records()
    yield agent
    server.stop()


def run_for_real(agent: Agent, task: CustomerTask, number: int, sentence: str = "") -> Run:
    config = config_of(number)
    config = replace(config, system_prompt=f"{config.system_prompt}\n{sentence}")
    version = create_version(agent=agent, config=config, note="", author=None)
    agent = make_live(version)
    run = start_run(agent=agent, version=version, run_input=task.run_input)
    assert advance(run.pk)
    run.refresh_from_db()
    return run


def task_of(scenario: str) -> CustomerTask:
    return next(task for task in customer_tasks(shop_records()) if task.scenario == scenario)


def test_a_run_does_step_by_step_what_playing_does(agent: Agent) -> None:
    task = task_of("exchange_two_items")
    run = run_for_real(agent, task, 3)
    world = MemoryWorld(shop_records())
    config = replace(config_of(3), system_prompt=f"{config_of(3).system_prompt}\n")
    played = play(run_input=task.run_input, config=config, world=world)
    done = [(step.kind, step.name, step.response) for step in run.steps.order_by("index")]
    assert done == [(step.kind, step.name, step.response) for step in played.steps]
    models = run.steps.filter(kind="model").order_by("index")
    tokens = list(models.values_list("input_tokens", "output_tokens"))
    own = [step for step in played.steps if step.kind == "model"]
    assert tokens == [(step.input_tokens, step.output_tokens) for step in own]


@pytest.mark.parametrize(
    ("scenario", "number", "cause", "sentence"),
    [
        ("return_to_gift_card", 5, "T2", "Refunds may go to the customer's gift card."),
        ("asks_what_nobody_knows", 5, "K2", "Never invent anything; say what you do not know."),
    ],
)
def test_a_failing_task_succeeds_with_a_better_prompt(
    agent: Agent, scenario: str, number: int, cause: str, sentence: str
) -> None:
    task = task_of(scenario)
    before = judge(task, played_by(run_for_real(agent, task, number)))
    assert before.fault is not None
    assert before.fault.cause == cause
    assert judge(task, played_by(run_for_real(agent, task, number, sentence))).fault is None


def test_a_wish_beyond_the_tools_ends_with_a_person(agent: Agent) -> None:
    run = run_for_real(agent, task_of("beyond_the_tools"), 6)
    assert run.session.status == Session.Status.HANDED_OVER


def played_by(run: Run) -> Played:
    assert run.status == Run.Status.COMPLETED, run.error
    return Played(tuple(run.steps.order_by("index")))
