"""Limits of a run and budgets of a day: what is counted, what is reached, and who is told."""

import threading
from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from agents.config import Limits, config_from_json
from agents.models import Budget, BudgetWarning, Run, Spend, Step
from agents.runtime.budget_warnings import warn_of_budgets
from agents.runtime.budgets import count, day_limit_passed, run_limit_passed
from agents.runtime.journal import CallModel, CallTool
from agents.runtime.spending import amount_words, uses_today
from agents.runtime.start import start_run
from agents.tools.autonomy import database_now
from tests.factories import make_project
from tests.shop import make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db


def make_run(**overrides: Any) -> Run:
    agent, version = make_shop_agent()
    run_input = {"messages": [{"role": "user", "content": "Hello"}]}
    return start_run(agent=agent, version=version, run_input=run_input, **overrides)


def make_budget(run: Run, *, of_project: bool = False, **limits: Any) -> Budget:
    agent = None if of_project else run.agent
    return Budget.objects.create(
        project_id=run.project_id, agent=agent, reason="For the test.", **limits
    )


def tool_step(run: Run, index: int, arguments: Any = None, **overrides: Any) -> Step:
    values = {
        "kind": Step.Kind.TOOL,
        "status": Step.Status.DONE,
        "name": "get_order_details",
        "request": {"arguments": arguments or {"order_id": "#T1", "x": 1}},
        "claim_token": 1,
        "start_ns": 1,
    }
    return Step(run=run, index=index, **{**values, **overrides})


def call(index: int, arguments: dict[str, Any] | None = None, raw: str = "") -> CallTool:
    return CallTool(index, None, "call", "get_order_details", arguments, raw)


def limit_of(run: Run, steps: list[Step], action: Any, **limits: Any) -> str:
    version = make_shop_version(run.agent, limits=Limits(**limits))
    return run_limit_passed(run, steps, config_from_json(version.config), action)


def test_the_same_call_too_often_is_a_loop_whatever_the_order_of_its_arguments():
    run = make_run()
    steps = [tool_step(run, index, {"x": 1, "order_id": "#T1"}) for index in range(5)]
    same, other = call(5, {"order_id": "#T1", "x": 1}), call(5, {"order_id": "#T2"})
    assert limit_of(run, steps[:4], same) == ""
    assert limit_of(run, steps, other) == ""
    words = "loop: get_order_details was called 6 times with the same arguments; its limit is 5"
    assert limit_of(run, steps, same) == words


def test_the_same_nonsense_too_often_is_a_loop_too():
    run = make_run()
    request = {"arguments": None, "raw_arguments": "{nope"}
    steps = [tool_step(run, 0, request=request, status=Step.Status.FAILED)]
    assert limit_of(run, steps, call(1, None, "{nope"), max_repeats=1).startswith("loop: ")
    assert limit_of(run, steps, call(1, None, "{other"), max_repeats=1) == ""


def test_a_call_that_waited_is_not_counted_against_itself():
    run = make_run()
    waiting = tool_step(run, 3, status=Step.Status.WAITING)
    arguments = waiting.request["arguments"]
    action = CallTool(3, waiting, "call", waiting.name, arguments, "")
    assert limit_of(run, [waiting], action, max_repeats=1, max_tool_calls=1) == ""


def test_tool_calls_are_limited_and_refused_ones_count():
    run = make_run()
    steps = [
        tool_step(run, 0, {"order_id": "#T1"}),
        tool_step(run, 1, {"order_id": "#T2"}, status=Step.Status.FAILED),
    ]
    action = call(2, {"order_id": "#T3"})
    assert limit_of(run, steps, action, max_tool_calls=2) == "over its limit of 2 tool calls"
    assert limit_of(run, steps, CallModel(2, None), max_tool_calls=2) == ""


def test_a_cost_with_an_unpriced_call_is_at_least_what_is_known():
    run = make_run()
    model = {"kind": Step.Kind.MODEL, "input_tokens": 10, "output_tokens": 1}
    priced = tool_step(run, 0, cost_usd=Decimal("0.5"), **model)
    unpriced = tool_step(run, 1, cost_usd=None, **model)
    action = CallModel(2, None)
    words = limit_of(run, [priced, unpriced], action, max_cost_usd=0.5)
    assert words == "over its limit of $0.50: at least $0.5000 used"
    assert limit_of(run, [unpriced], action, max_cost_usd=0.5) == "", "unknown is not over it"


def test_what_was_used_today_is_held_against_the_agents_budget():
    run = make_run()
    make_budget(run, max_tokens=1000)
    count(run, tokens=999)
    assert day_limit_passed(run) == ""
    count(run, tokens=1)
    assert day_limit_passed(run) == (
        "over its agent's budget of 1,000 tokens a day (UTC): 1,000 tokens used"
    )


def test_a_project_budget_holds_what_all_its_agents_used_together():
    run = make_run()
    make_budget(run, of_project=True, max_cost_usd=Decimal("2"))
    other = run.agent.__class__.objects.create(project=run.project, slug="b", name="b")
    Spend.objects.create(agent=other, day=today(), shard=3, cost_usd=Decimal("1.5"))
    count(run, cost_usd=Decimal("0.5"), unpriced=1)
    assert day_limit_passed(run) == (
        "over the project's budget of $2.00 a day (UTC): at least $2.0000 used"
    )


def test_a_budget_of_another_agent_or_project_holds_nobody_else():
    run = make_run()
    other = run.agent.__class__.objects.create(project=run.project, slug="b", name="b")
    Budget.objects.create(project=run.project, agent=other, max_steps=0, reason="None of it.")
    Budget.objects.create(project=make_project(), max_steps=0, reason="None of it.")
    count(run, steps=5)
    assert day_limit_passed(run) == ""


def test_yesterdays_spend_is_not_todays():
    run = make_run()
    make_budget(run, max_steps=5)
    yesterday = today() - timedelta(days=1)
    Spend.objects.create(agent=run.agent, day=yesterday, shard=0, steps=500)
    assert day_limit_passed(run) == ""
    assert uses_today(project_id=run.project_id)[0].used == 0


def test_the_day_is_utcs_whatever_the_connections_time_zone():
    run = make_run()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL TIME ZONE 'Pacific/Kiritimati'")
        count(run, steps=1)
        cursor.execute("SET LOCAL TIME ZONE 'Pacific/Niue'")
        count(run, steps=1)
        cursor.execute("SET LOCAL TIME ZONE 'UTC'")
    assert Spend.objects.get().day == today()


def test_a_run_that_has_begun_goes_on_when_the_days_runs_are_used_up():
    run = make_run()
    make_budget(run, max_runs=1)
    count(run, runs=1)
    assert day_limit_passed(run) == "over its agent's budget of 1 run a day (UTC)"
    step = tool_step(run, 0)
    step.started_at = database_now()
    step.save()
    assert day_limit_passed(run) == ""


@pytest.mark.parametrize(
    ("measure", "one", "many"),
    [
        ("steps", "1 step", "1,000 steps"),
        ("runs", "1 run", "1,000 runs"),
        ("tokens", "1 token", "1,000 tokens"),
        ("tool_calls", "1 tool call", "1,000 tool calls"),
        ("seconds", "1 s of work", "1,000 s of work"),
    ],
)
def test_an_amount_of_one_is_singular(measure: str, one: str, many: str) -> None:
    assert amount_words(measure, 1) == amount_words(measure, Decimal(1)) == one
    assert amount_words(measure, 1000) == many
    assert amount_words(measure, 0).endswith(many.removeprefix("1,000"))


def test_a_limit_of_one_is_singular() -> None:
    run = make_run()
    steps = [tool_step(run, 0)]
    assert limit_of(run, steps, call(1), max_steps=1) == "over its limit of 1 step"
    assert limit_of(run, steps, call(1), max_tool_calls=1) == "over its limit of 1 tool call"


def test_golden_tests_count_but_are_not_held_by_the_days_budget():
    run = make_run(kind=Run.Kind.GOLDEN)
    make_budget(run, max_steps=1)
    count(run, steps=7)
    assert Spend.objects.get().steps == 7
    assert day_limit_passed(run) == ""


def test_replays_and_planted_requests_spend_nothing():
    count(make_run(kind=Run.Kind.REPLAY), steps=7)
    assert not Spend.objects.exists()


def test_a_changed_budget_holds_for_runs_in_flight():
    run = make_run()
    budget = make_budget(run, max_steps=5)
    count(run, steps=5)
    assert day_limit_passed(run)
    Budget.objects.filter(pk=budget.pk).update(max_steps=50)
    assert day_limit_passed(run) == ""


def test_warnings_come_at_80_and_100_per_cent_once_each():
    run = make_run()
    make_budget(run, max_cost_usd=Decimal("1"), max_steps=100)
    count(run, cost_usd=Decimal("0.79"))
    assert warn_of_budgets() == 0
    count(run, cost_usd=Decimal("0.01"))
    assert (warn_of_budgets(), warn_of_budgets()) == (1, 0)
    count(run, cost_usd=Decimal("0.20"))
    assert (warn_of_budgets(), warn_of_budgets()) == (1, 0)
    said = BudgetWarning.objects.order_by("percent").values_list("measure", "percent", "used")
    assert list(said) == [("cost_usd", 80, Decimal("0.8")), ("cost_usd", 100, Decimal("1"))]


@pytest.mark.django_db(transaction=True)
def test_a_count_waits_for_no_other_transaction():
    run = make_run()
    count(run, steps=1)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            count(run, steps=1)
            held.set()
            done.wait(10)
        connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(10)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '200ms'")
        count(run, steps=1)
    done.set()
    thread.join()
    assert sum(Spend.objects.values_list("steps", flat=True)) == 3
    assert Spend.objects.count() == 2, "the second shard was made because the first was held"


@pytest.mark.django_db(transaction=True)
def test_many_runs_at_once_lose_nothing():
    runs = [make_run() for _ in range(8)]
    agent = runs[0].agent
    Run.objects.all().update(agent=agent)
    runs = list(Run.objects.all())

    def work(run: Run) -> None:
        for _ in range(25):
            with transaction.atomic():
                count(run, steps=1, tokens=10, cost_usd=Decimal("0.00000001"))
        connection.close()

    threads = [threading.Thread(target=work, args=(run,)) for run in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = Spend.objects.filter(agent=agent).values_list("steps", "tokens", "cost_usd")
    assert [sum(column) for column in zip(*rows, strict=True)] == [
        200,
        2000,
        Decimal("0.00000200"),
    ]


def today() -> Any:
    return database_now().astimezone(UTC).date()
