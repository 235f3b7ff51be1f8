"""Incidents that the desk opens by itself: once per cause, where the cause is stored."""

from decimal import Decimal

import pytest

from agents.label_incidents import open_for_labels
from agents.models import Incident, Level, Message, Webhook
from agents.runtime.budget_warnings import warn_of_budgets
from agents.runtime.budgets import count
from agents.tools.breaker import close_breaker, open_breaker
from agents.tools.guards import Outcome
from tests.authority import make_run as make_live_run
from tests.factories import make_label, make_project, make_session, make_user
from tests.test_budgets import make_budget, make_run
from tests.test_demotion import label_critical, level_after, make_tool
from tests.test_tool_guards import a_run, a_tool, ask, end, fail
from traces.models import Label

pytestmark = pytest.mark.django_db


def log_of(incident: Incident) -> list[str]:
    return list(incident.notes.order_by("pk").values_list("text", flat=True))


def test_breaker_that_opened_opens_one_incident_however_often_it_tries() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    assert ask(run, tool, "probe", after=31).is_admitted
    end(run, tool, "probe", Outcome.UNAVAILABLE, after=32)
    incident = Incident.objects.get()
    assert (incident.source, incident.severity, incident.tool) == ("breaker", "major", "pay")
    assert incident.title == "pay is out of order: 2 failures in a row"
    assert (incident.status, incident.ceiling, incident.opened_by) == ("open", "", None)


def test_breaker_that_closes_says_so_in_the_log_and_leaves_the_incident_open() -> None:
    run, tool = a_run(), a_tool()
    fail(run, tool, 2)
    assert ask(run, tool, "probe", after=31).is_admitted
    end(run, tool, "probe", Outcome.OK, after=32)
    incident = Incident.objects.get()
    assert incident.status == Incident.Status.OPEN
    assert log_of(incident)[1:] == ["The circuit breaker of pay closed: the tool answered again."]


def test_breaker_that_opens_again_later_opens_another_incident() -> None:
    run, tool, lead = a_run(), a_tool(), make_user("lead")
    fail(run, tool, 2)
    close_breaker(project=run.project, tool="pay", reason="Repaired.", by=lead)
    fail(run, tool, 2, after=60)
    first, second = Incident.objects.order_by("number")
    assert log_of(first)[-1] == f"The circuit breaker of pay closed: {lead} closed it: Repaired."
    assert len(log_of(second)) == 1


def test_breaker_that_a_person_opened_opens_no_incident() -> None:
    run = a_run()
    open_breaker(project=run.project, tool="pay", reason="Maintenance.", by=make_user("lead"))
    assert not Incident.objects.exists()


def test_budget_that_is_used_up_opens_one_minor_incident_a_day() -> None:
    run = make_run()
    budget = make_budget(run, max_cost_usd=Decimal("1"), max_steps=10)
    count(run, cost_usd=Decimal("0.9"))
    warn_of_budgets()
    assert not Incident.objects.exists()
    count(run, cost_usd=Decimal("0.2"), steps=10)
    warn_of_budgets()
    incident = Incident.objects.get()
    assert (incident.source, incident.severity) == ("budget", "minor")
    assert (incident.agent, incident.project) == (budget.agent, run.project)
    assert incident.title.startswith(f"The budget of {run.agent} is used up: $1.00 on ")


def test_critical_label_opens_one_critical_incident_per_session_and_lowers_the_tool() -> None:
    tool = make_tool()
    label = label_critical(tool)
    make_label(label.session, answers={"outcome": "harmful"})
    assert (open_for_labels(), open_for_labels()) == (1, 0)
    incident = Incident.objects.get()
    assert (incident.source, incident.severity) == ("label", "critical")
    assert (incident.agent, incident.session) == (tool.agent, label.session)
    assert level_after(tool) == Level.APPROVE


def test_labels_of_no_harm_or_not_finished_or_of_recorded_sessions_open_nothing() -> None:
    tool = make_tool()
    label_critical(tool, outcome="not_resolved", severity="major")
    Label.objects.filter(pk=label_critical(tool).pk).update(completed_at=None)
    make_label(make_session(make_project(slug="other")), answers={"outcome": "harmful"})
    make_live_run(tool)
    assert open_for_labels() == 0
    assert not Incident.objects.exists()


def test_sweep_of_labels_asks_as_much_for_many_as_for_few(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    tool = make_tool()
    label_critical(tool)
    open_for_labels()
    for _ in range(5):
        label_critical(tool)
    open_for_labels()
    with django_assert_max_num_queries(3):
        open_for_labels()


def test_whoever_wants_to_know_is_told_of_breaker_and_incident() -> None:
    run, tool = a_run(), a_tool()
    Webhook.objects.create(project=run.project, name="ops", url="https://ops.example.com/")
    fail(run, tool, 2)
    assert set(Message.objects.values_list("event", flat=True)) == {
        "breaker_opened",
        "incident_opened",
    }
