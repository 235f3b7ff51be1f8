"""Lowering by rule: what lowers a level, by how much, once per cause."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import AgentTool, Demotion, Incident, Level, Message, ToolGuard, Webhook
from agents.tools.autonomy import database_now
from agents.tools.demotion import demote_by_rule
from tests.authority import judged, make_run, make_step
from tests.factories import make_user
from tests.shop import make_shop_agent, set_level
from traces.label_sets import ensure_label_set
from traces.models import Label

PAYMENT = "modify_pending_order_payment"
pytestmark = pytest.mark.django_db


def make_tool(level: Level = Level.AUTONOMOUS, name: str = PAYMENT) -> AgentTool:
    agent, _ = make_shop_agent(**{name: level})
    tool = agent.tools.select_related("agent").get(name=name)
    AgentTool.objects.update(changed_at=database_now() - timedelta(minutes=1))
    return tool


def level_after(tool: AgentTool) -> str:
    demote_by_rule()
    tool.refresh_from_db()
    return tool.level


def label_critical(tool: AgentTool, *, blamed: str = "", **answers: str) -> Label:
    run = make_run(tool)
    step = make_step(run, tool, 1)
    return Label.objects.create(
        session=run.session,
        label_set=ensure_label_set(run.project),
        author=make_user(),
        answers=answers or {"outcome": "harmful"},
        first_wrong_span_id=step.span_id if blamed == "it" else blamed,
        completed_at=timezone.now() + timedelta(seconds=1),
    )


@pytest.mark.parametrize(
    "answers", [{"outcome": "harmful"}, {"outcome": "partly", "severity": "critical"}]
)
def test_critical_label_takes_an_acting_tool_to_approve(answers: dict[str, str]) -> None:
    tool = make_tool()
    label = label_critical(tool, **answers)
    assert level_after(tool) == Level.APPROVE
    demotion = Demotion.objects.get()
    assert (demotion.rule, demotion.source) == ("label", f"label:{label.pk}")
    assert tool.candidate_since is not None
    assert tool.changed_by is None


def test_label_of_no_harm_or_not_finished_lowers_nothing() -> None:
    tool = make_tool()
    label_critical(tool, outcome="not_resolved", severity="major")
    Label.objects.filter(pk=label_critical(tool).pk).update(completed_at=None)
    assert level_after(tool) == Level.AUTONOMOUS


def test_read_is_lowered_only_where_it_is_blamed() -> None:
    tool = make_tool(name="get_user_details")
    label_critical(tool)
    assert level_after(tool) == Level.AUTONOMOUS
    label_critical(tool, blamed="it")
    assert level_after(tool) == Level.APPROVE


def test_tool_at_approve_stays() -> None:
    tool = make_tool(Level.APPROVE)
    label_critical(tool)
    assert level_after(tool) == Level.APPROVE
    assert not Demotion.objects.exists()


def test_same_cause_lowers_once_and_a_raise_after_it_stands() -> None:
    tool = make_tool()
    label_critical(tool)
    assert level_after(tool) == Level.APPROVE
    set_level(tool, Level.AUTONOMOUS, candidate_since=None)
    AgentTool.objects.update(changed_at=database_now() - timedelta(minutes=1))
    assert level_after(tool) == Level.AUTONOMOUS


@pytest.mark.parametrize(
    ("before", "rejected", "after"),
    [
        (Level.AUTONOMOUS, 2, Level.AUTONOMOUS),
        (Level.AUTONOMOUS, 3, Level.ACT_WITH_UNDO),
        (Level.APPROVE, 3, Level.SUGGEST),
        (Level.SUGGEST, 3, Level.SUGGEST),
    ],
)
def test_three_rejections_in_a_day_lower_by_one(before: Level, rejected: int, after: Level) -> None:
    tool = make_tool(before)
    judged(tool, rejected=rejected)
    assert level_after(tool) == after
    assert level_after(tool) == after


def test_planted_and_old_rejections_do_not_lower() -> None:
    tool = make_tool()
    judged(tool, rejected=3, values={"is_canary": True, "canary_why": "Wrong card."})
    judged(tool, rejected=3, values={"decided_at": database_now() - timedelta(days=2)})
    assert level_after(tool) == Level.AUTONOMOUS


def test_two_undone_calls_in_a_day_take_it_to_approve() -> None:
    tool = make_tool(Level.ACT_WITH_UNDO)
    judged(tool, undone=1)
    assert level_after(tool) == Level.ACT_WITH_UNDO
    judged(tool, undone=1)
    assert level_after(tool) == Level.APPROVE


def test_open_breaker_takes_it_to_approve() -> None:
    tool = make_tool()
    guard = ToolGuard.objects.create(project=tool.agent.project, tool=PAYMENT)
    assert level_after(tool) == Level.AUTONOMOUS
    ToolGuard.objects.filter(pk=guard.pk).update(breaker="open", opened_at=database_now())
    assert level_after(tool) == Level.APPROVE


def test_incident_that_names_the_tool_takes_it_to_approve_a_wider_one_only_holds_it() -> None:
    tool = make_tool()
    values = {"project": tool.agent.project, "title": "Wrong card", "ceiling": Level.SUGGEST}
    Incident.objects.create(number=1, agent=tool.agent, **values)
    assert level_after(tool) == Level.AUTONOMOUS
    Incident.objects.create(number=2, tool=PAYMENT, **values)
    assert level_after(tool) == Level.APPROVE


def test_demotion_is_recorded_as_by_rule_and_told() -> None:
    tool = make_tool(Level.ACT_WITH_UNDO)
    Webhook.objects.create(project=tool.agent.project, name="Chat", url="https://chat.example/x")
    judged(tool, undone=2)
    demote_by_rule()
    event = AgentTool.pgh_event_model.objects.filter(level="approve", name=PAYMENT).first()
    assert event.pgh_context.metadata["action"] == "demotion"
    assert event.pgh_context.metadata["source"].startswith("undo:")
    message = Message.objects.get(event="level_demoted")
    assert "from act with undo to approve" in message.payload["title"]


def test_rules_take_as_many_queries_for_many_tools(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    make_tool()
    with django_assert_max_num_queries(7) as few:
        demote_by_rule()
    for _ in range(3):
        make_tool()
    with django_assert_max_num_queries(len(few)):
        demote_by_rule()
