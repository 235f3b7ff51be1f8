"""An agent's page: how it stands now, what it used today, and how its runs went."""

from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from agents.config import Limits
from agents.incidents import open_incident
from agents.models import Agent, Budget, KillSwitch, Run, Spend
from agents.runtime.budget_warnings import warn_of_budgets
from agents.runtime.loop import advance
from agents.runtime.start import start_run
from agents.tools.stops import stop
from reviewdesk.kpis.agent import runs_of, summary
from reviewdesk.kpis.definitions import AGENT_KPIS
from reviewdesk.kpis.estimates import quantile
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_user
from tests.model_server import model_server
from tests.shop import LOOK, make_shop_agent, make_shop_version

pytestmark = pytest.mark.django_db


def start(agent: Agent, **overrides: Any) -> Run:
    run_input = {"messages": [{"role": "user", "content": "Where is #T1?"}]}
    return start_run(agent=agent, run_input=run_input, **overrides)


def page_of(agent: Agent, role: str = Role.VIEWER) -> str:
    client = client_as(role, agent.project)
    answer = client.get(f"/p/{agent.project.slug}/autonomy/agents/{agent.slug}/")
    assert answer.status_code == 200
    return str(answer.content.decode())


def kpi_of(agent: Agent, key: str) -> tuple[int, int]:
    found = next(each for each in runs_of(agent).kpis if each.kpi.key == key)
    return found.number, found.rate.n


def test_runs_are_counted_by_how_they_ended():
    agent, version = make_shop_agent()
    for status in ("completed", "completed", "over_budget", "failed"):
        run = start(agent, version=version)
        Run.objects.filter(pk=run.pk).update(status=status, finished_at=timezone.now())
    start(agent, version=version)
    start(agent, version=version, kind=Run.Kind.GOLDEN)
    went = runs_of(agent)
    assert [(each.status, each.number) for each in went.outcomes] == [
        ("completed", 2),
        ("over_budget", 1),
        ("failed", 1),
        ("queued", 1),
    ]
    assert kpi_of(agent, "over_budget") == (1, 4)
    assert all(each.share.value is None for each in went.outcomes), "five runs are too few"


def test_runs_older_than_30_days_are_not_counted():
    agent, version = make_shop_agent()
    run = start(agent, version=version)
    Run.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(days=31))
    assert runs_of(agent).num_runs == 0
    assert "No live run in 30 days" in page_of(agent)


def test_fallbacks_and_failed_attempts_are_rates_of_model_calls():
    with model_server((503, "busy"), [LOOK], "Pending.") as server:
        agent, _ = make_shop_agent(server.base_url)
        version = make_shop_version(agent, fallback_model="spare-model")
        advance(start(agent, version=version).pk)
    assert kpi_of(agent, "fallbacks") == (1, 2)
    assert kpi_of(agent, "failed_attempts") == (1, 3)


def test_refused_and_invalid_calls_are_rates_of_tool_calls():
    calls = [[("teleport", {})], [("get_order_details", {"order_id": 7})], [LOOK], "Pending."]
    with model_server(*calls) as server:
        agent, version = make_shop_agent(server.base_url)
        advance(start(agent, version=version).pk)
    assert kpi_of(agent, "invalid_calls") == (2, 3)
    assert kpi_of(agent, "violations") == (0, 3)


def test_a_loop_ends_over_budget_and_stands_on_the_pages():
    with model_server([LOOK]) as server:
        agent, _ = make_shop_agent(server.base_url)
        version = make_shop_version(agent, limits=Limits(max_repeats=2))
        run = start(agent, version=version)
        advance(run.pk)
    run.refresh_from_db()
    words = "loop: get_order_details was called 3 times with the same arguments"
    assert (run.status, run.error.startswith(words)) == (Run.Status.OVER_BUDGET, True)
    assert run.steps.filter(kind="tool", status="done").count() == 2, "what was done stays"
    assert Spend.objects.get().over_budget == 1
    assert "Over budget" in page_of(agent)


def test_a_days_budget_ends_a_run_before_its_next_step():
    with model_server([LOOK]) as server:
        agent, version = make_shop_agent(server.base_url)
        Budget.objects.create(project=agent.project, agent=agent, max_tokens=150, reason="Few.")
        run = start(agent, version=version)
        advance(run.pk)
    run.refresh_from_db()
    assert run.error == "over its agent's budget of 150 tokens a day (UTC): 220 tokens used"
    assert len(server.requests) == 2, "at 110 of 150 it went on, and overshot by that one step"


def test_a_new_run_ends_before_its_first_step_when_the_budget_is_used_up():
    with model_server("Hello.") as server:
        agent, version = make_shop_agent(server.base_url)
        Budget.objects.create(project=agent.project, max_steps=0, reason="Closed.")
        run = start(agent, version=version)
        advance(run.pk)
    run.refresh_from_db()
    assert (run.status, server.requests) == (Run.Status.OVER_BUDGET, [])


def test_page_shows_budget_and_warning():
    agent, _ = make_shop_agent()
    Budget.objects.create(
        project=agent.project, agent=agent, max_cost_usd=Decimal("2"), reason="On trial."
    )
    day = timezone.now().astimezone(UTC).date()
    Spend.objects.create(agent=agent, day=day, shard=1, cost_usd=Decimal("1.7"))
    warn_of_budgets()
    page = page_of(agent)
    assert "$1.7000 of $2.00, 85 %" in page
    assert "came to 80 % of" in page


def test_every_measure_of_an_agent_has_one_definition():
    assert len({kpi.key for kpi in AGENT_KPIS}) == len(AGENT_KPIS)
    assert all(kpi.formula and kpi.source and kpi.counted for kpi in AGENT_KPIS)
    agent, version = make_shop_agent()
    start(agent, version=version)
    page = page_of(agent)
    assert all(kpi.title in page for kpi in AGENT_KPIS)


def test_page_takes_as_many_queries_for_many_runs(django_assert_max_num_queries):
    agent, version = make_shop_agent()
    client = client_as(Role.VIEWER, agent.project)
    url = f"/p/{agent.project.slug}/autonomy/agents/{agent.slug}/"
    start(agent, version=version)
    client.get(url)
    with django_assert_max_num_queries(60) as few:
        client.get(url)
    for _ in range(8):
        start(agent, version=version)
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get(url)


def test_summary_by_hand():
    # 1, 2, 3: mean 2, squares 1 + 0 + 1 = 2, divided by 2 is 1, its root 1.
    found = summary([1, 2, 3])
    assert (found.n, found.mean, found.deviation) == (3, 2, 1)
    assert (summary([]).mean, summary([4.0]).deviation) == (None, None)


def test_quantile_by_hand():
    # Of 0 to 100 the value at 95 % is 95; its exact interval lies around it.
    found = quantile(list(range(101)), 0.95, min_n=20)
    assert found.value == pytest.approx(95)
    assert found.interval
    assert found.interval.low < 95 < found.interval.high
    assert quantile([1.0] * 30, 0.95, min_n=20).interval is None
    assert quantile([], 0.95, min_n=20).value is None


def test_page_says_what_holds_the_agent_now():
    agent, _ = make_shop_agent()
    lead = make_user(Role.LEAD, agent.project)
    stop(
        scope=KillSwitch.Scope.AGENT,
        stops=KillSwitch.Stops.WRITES,
        project=agent.project,
        agent=agent,
        tool="",
        reason="It refunds twice.",
        by=lead,
    )
    open_incident(
        project=agent.project, title="Refunds twice", severity="major", source="person",
        agent=agent, by=lead,
    )  # fmt: skip
    page = page_of(agent)
    assert "It refunds twice." in page
    assert f"/p/{agent.project.slug}/incidents/1/" in page
