"""Settings > Budgets: spend against limits, and setting them."""

from datetime import UTC, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from agents.budgets import set_budget
from agents.errors import BudgetError
from agents.models import Agent, Budget, BudgetWarning, Run, Spend
from agents.runtime.budget_warnings import warn_of_budgets
from agents.runtime.start import start_run
from reviewdesk.kpis.spending import projection
from reviewdesk.people.roles import Role
from tests.factories import client_as, make_project, make_user
from tests.shop import make_shop_agent

pytestmark = pytest.mark.django_db


def address(agent: Agent, rest: str = "") -> str:
    return f"/p/{agent.project.slug}/settings/budgets/{rest}"


def spend(agent: Agent, days_ago: int = 0, **used: Any) -> Spend:
    day = timezone.now().astimezone(UTC).date() - timedelta(days=days_ago)
    return Spend.objects.create(agent=agent, day=day, shard=Spend.objects.count(), **used)


def give_budget(agent: Agent, **limits: Any) -> Budget:
    return Budget.objects.create(
        project=agent.project, agent=agent, reason="For the test.", **limits
    )


def form_of(agent: Agent | None = None, **limits: str) -> dict[str, str]:
    return {"agent": agent.slug if agent else "", "reason": "A quiet month.", **limits}


def test_page_shows_use_of_each_limit_as_bar_and_words():
    agent, _ = make_shop_agent()
    give_budget(agent, max_cost_usd=Decimal("5"), max_runs=100)
    spend(agent, cost_usd=Decimal("4.1"), runs=12)
    page = client_as(Role.VIEWER, agent.project).get(address(agent)).content.decode()
    assert "Cost: $4.1000 of $5.00, 82 %" in page
    assert "Runs: 12 of 100 runs, 12 %" in page


def test_unknown_costs_are_said_and_not_counted_as_nothing():
    agent, _ = make_shop_agent()
    give_budget(agent, max_cost_usd=Decimal("5"))
    spend(agent, cost_usd=Decimal("1"), steps=1, num_unpriced=3)
    page = client_as(Role.VIEWER, agent.project).get(address(agent)).content.decode()
    assert "at least $1.0000 of $5.00" in page
    assert "3 model calls of today have no known price" in page


def test_warnings_of_today_stand_on_the_page_and_on_overview():
    agent, _ = make_shop_agent()
    give_budget(agent, max_steps=10)
    spend(agent, steps=9)
    warn_of_budgets()
    client = client_as(Role.VIEWER, agent.project)
    for page in (address(agent), f"/p/{agent.project.slug}/overview/"):
        assert "came to 80 % of" in client.get(page).content.decode()


def test_runs_that_ended_over_a_limit_are_listed_with_why():
    agent, version = make_shop_agent()
    run_input = {"messages": [{"role": "user", "content": "Where is it?"}]}
    run = start_run(agent=agent, version=version, run_input=run_input)
    Run.objects.filter(pk=run.pk).update(
        status="over_budget", error="over its limit of 4 steps", finished_at=timezone.now()
    )
    page = client_as(Role.VIEWER, agent.project).get(address(agent)).content.decode()
    assert "over its limit of 4 steps" in page
    assert f"/sessions/{run.session_id}/" in page


def test_a_lead_sets_an_agents_budget():
    agent, _ = make_shop_agent()
    client = client_as(Role.LEAD, agent.project)
    answer = client.post(address(agent, "change/"), form_of(agent, cost_usd="12.5", runs="40"))
    assert (answer.status_code, answer["location"]) == (303, address(agent, f"?agent={agent.slug}"))
    row = Budget.objects.get()
    assert (row.agent, row.max_cost_usd, row.max_runs, row.max_tokens) == (
        agent, Decimal("12.5"), 40, None,
    )  # fmt: skip
    assert (row.reason, row.changed_by is not None) == ("A quiet month.", True)


def test_an_empty_field_takes_a_limit_away():
    agent, _ = make_shop_agent()
    give_budget(agent, max_steps=10, max_runs=5)
    client_as(Role.LEAD, agent.project).post(address(agent, "change/"), form_of(agent, runs="5"))
    row = Budget.objects.get()
    assert (row.max_steps, row.max_runs) == (None, 5)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("cost_usd", "-1", "from 0 to 1,000,000"),
        ("cost_usd", "NaN", "Enter a number"),
        ("tokens", "1.5", "a whole number"),
        ("steps", "lots", "Enter a number"),
        ("runs", "9" * 30, "runs is"),
        ("reason", "", "Say why"),
        ("agent", "nobody", "Select a valid choice"),
    ],
)
def test_a_limit_that_cannot_be_is_named(field, value, words):
    agent, _ = make_shop_agent()
    client = client_as(Role.LEAD, agent.project)
    form = form_of(agent, cost_usd="1") | {field: value}
    answer = client.post(address(agent, "change/"), form)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Budget.objects.exists()


def test_what_changes_nothing_is_refused():
    agent, _ = make_shop_agent()
    give_budget(agent, max_runs=5)
    client = client_as(Role.LEAD, agent.project)
    answer = client.post(address(agent, "change/"), form_of(agent, runs="5"))
    assert (answer.status_code, "nothing was changed" in answer.content.decode()) == (409, True)


def test_a_budget_without_a_reason_or_of_an_unknown_measure_is_refused():
    project, by = make_project(), make_user()
    for change in ({"reason": " "}, {"limits": {"watts": Decimal(1)}}):
        values = {"limits": {"runs": Decimal(1)}, "reason": "So it is."}
        with pytest.raises(BudgetError):
            set_budget(project=project, by=by, **{**values, **change})


def test_a_changed_limit_may_be_warned_of_again():
    agent, _ = make_shop_agent()
    give_budget(agent, max_steps=10)
    spend(agent, steps=9)
    warn_of_budgets()
    limits = {"steps": Decimal(11)}
    set_budget(project=agent.project, agent=agent, limits=limits, reason="More.", by=make_user())
    assert not BudgetWarning.objects.exists()
    assert warn_of_budgets() == 1


def test_setting_a_budget_stands_in_the_audit_trail():
    agent, _ = make_shop_agent()
    lead = client_as(Role.LEAD, agent.project)
    lead.post(address(agent, "change/"), form_of(agent, cost_usd="12.5"))
    page = lead.get(f"/p/{agent.project.slug}/settings/audit/").content.decode()
    assert "A quiet month." in page
    assert "$12.50" in page


@pytest.mark.parametrize("role", [Role.VIEWER, Role.ENGINEER, Role.REVIEWER])
def test_only_leads_and_admins_set_budgets(role):
    agent, _ = make_shop_agent()
    client = client_as(role, agent.project)
    assert client.post(address(agent, "change/"), form_of(agent, runs="1")).status_code == 403
    assert "To set budgets takes the role" in client.get(address(agent)).content.decode()


def test_page_answers_a_fragment_a_stranger_and_a_wrong_method():
    agent, _ = make_shop_agent()
    client = client_as(Role.LEAD, agent.project)
    fragment = client.get(address(agent), headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in fragment
    assert 'id="settings"' in fragment
    assert client.get(address(agent, "change/")).status_code == 405
    assert client.get(address(agent, "?agent=nobody")).status_code == 404
    assert client.get(address(agent, "?measure=nothing")).status_code == 200
    stranger = client_as(Role.ADMIN, make_project())
    assert stranger.get(address(agent)).status_code == 404
    assert stranger.post(address(agent, "change/"), form_of(agent)).status_code == 404


def test_page_takes_as_many_queries_for_many_agents_and_runs(django_assert_max_num_queries):
    agent, _ = make_shop_agent()
    client = client_as(Role.VIEWER, agent.project)
    client.get(address(agent))
    with django_assert_max_num_queries(40) as few:
        client.get(address(agent))
    for number in range(12):
        other = Agent.objects.create(project=agent.project, slug=f"a{number}", name=f"A{number}")
        give_budget(other, max_steps=10)
        spend(other, steps=9)
        spend(other, days_ago=3, steps=9)
    warn_of_budgets()
    with django_assert_max_num_queries(len(few.captured_queries)):
        client.get(address(agent))


def test_projection_goes_on_at_the_rate_so_far():
    # Half of the day: 50 runs of $0.10, $5 so far, so $10 by midnight. Squares sum to 0.5:
    # variance 0.5 / 0.5 * 0.5 * (1 + 1) = 1, so the interval is 10 ± 1.96.
    found = projection(used=5, num_runs=50, cost=5, squares=0.5, elapsed=0.5)
    assert found.total == pytest.approx(10)
    assert (found.low, found.high) == (pytest.approx(8.04), pytest.approx(11.96))


def test_projection_says_what_it_lacks():
    assert "20 runs" in projection(used=5, num_runs=3, cost=5, squares=9, elapsed=0.5).why_not
    early = projection(used=5, num_runs=50, cost=5, squares=9, elapsed=0.1)
    assert (early.total, early.why_not) == (None, "it takes 3 hours of the day")


def test_projection_is_never_less_than_what_was_used():
    assert projection(used=5, num_runs=20, cost=5, squares=25, elapsed=0.9).low >= 5
    whole = projection(used=5, num_runs=20, cost=5, squares=25, elapsed=1)
    assert (whole.total, whole.low, whole.high) == (5, 5, 5)
