"""Levels of autonomy: which limit binds, and that a change reaches a run in progress."""

import threading
from datetime import timedelta

import pghistory
import pytest
from django.db import connection, transaction

from agents.errors import AutonomyError
from agents.models import AgentTool, CeilingLift, Level, Run, ShopWrite, Tier
from agents.runtime.claim import claim_due_run
from agents.runtime.loop import advance, advance_step
from agents.runtime.start import start_run
from agents.tools.autonomy import (
    change_ceiling,
    change_level,
    database_now,
    effective_level,
    end_lift,
    give_tool,
    level_for_effect,
    lift_ceiling,
    take_tool,
)
from agents.tools.standing import hold_authority
from tests.factories import make_user
from tests.model_server import model_server
from tests.shop import CANCEL, LOOK, lift_for, make_shop_agent

INPUT = {"messages": [{"role": "user", "content": "Cancel #T1"}], "turns": []}


@pytest.mark.django_db
def test_money_needs_a_lift_for_more_than_approve() -> None:
    agent, _ = make_shop_agent()
    tool = AgentTool.objects.create(
        agent=agent, name="return_delivered_order_items", level=Level.AUTONOMOUS, reason="Test."
    )
    assert effective_level(tool, now=database_now()).level is Level.APPROVE
    lift_ceiling(
        agent=agent,
        tier=Tier.MONEY,
        level=Level.AUTONOMOUS,
        reason="Watched closely.",
        expires_at=database_now() + timedelta(days=1),
        by=make_user(),
    )
    tool.refresh_from_db()
    assert effective_level(tool, now=database_now()).level is Level.AUTONOMOUS
    assert effective_level(tool, now=database_now() + timedelta(days=2)).level is Level.APPROVE


@pytest.mark.django_db
def test_ended_lift_binds_at_once() -> None:
    agent, _ = make_shop_agent()
    lift = lift_for(agent)
    end_lift(lift=lift, reason="Too early.", by=make_user())
    tool = agent.tools.get(name="cancel_pending_order")
    assert effective_level(tool, now=database_now()).level is Level.APPROVE


@pytest.mark.django_db
def test_change_is_recorded_with_who_why_before_and_after() -> None:
    agent, _ = make_shop_agent()
    by = make_user(name="Ada")
    tool = agent.tools.get(name="get_order_details")
    change_level(agent_tool=tool, level=Level.OFF, reason="It leaks.", by=by)
    before, after = pghistory.models.Events.objects.tracks(tool).order_by("pgh_created_at")
    assert (before.pgh_data["level"], after.pgh_data["level"]) == ("autonomous", "off")
    assert after.pgh_context["user"] == by.pk
    assert after.pgh_context["reason"] == "It leaks."
    assert after.pgh_data["changed_by_id"] == by.pk


@pytest.mark.django_db
def test_change_needs_a_reason_and_must_change_something() -> None:
    agent, _ = make_shop_agent()
    tool = agent.tools.get(name="get_order_details")
    with pytest.raises(AutonomyError, match="reason"):
        change_level(agent_tool=tool, level=Level.OFF, reason=" ", by=make_user())
    with pytest.raises(AutonomyError, match="already"):
        change_level(agent_tool=tool, level=Level.AUTONOMOUS, reason="Again.", by=make_user())
    tool.refresh_from_db()
    assert tool.level == Level.AUTONOMOUS


@pytest.mark.django_db
def test_lift_must_end_in_the_future_and_raise_something() -> None:
    agent, _ = make_shop_agent()
    values = {"agent": agent, "level": Level.AUTONOMOUS, "reason": "Test.", "by": make_user()}
    with pytest.raises(AutonomyError, match="has passed"):
        lift_ceiling(**values, tier=Tier.MONEY, expires_at=database_now() - timedelta(days=1))
    with pytest.raises(AutonomyError, match="without a lift"):
        lift_ceiling(**values, tier=Tier.READ, expires_at=database_now() + timedelta(days=1))


@pytest.mark.django_db
def test_agents_ceiling_binds_all_its_tools() -> None:
    agent, _ = make_shop_agent()
    change_ceiling(agent=agent, level=Level.SUGGEST, reason="Under review.", by=make_user())
    for tool in AgentTool.objects.filter(agent=agent):
        found = effective_level(tool, now=database_now())
        assert (found.level, [limit.name for limit in found.binding]) == (Level.SUGGEST, ["agent"])


@pytest.mark.django_db
def test_tool_is_given_once() -> None:
    agent, _ = make_shop_agent()
    values = {"agent": agent, "level": Level.APPROVE, "reason": "Needed.", "by": make_user()}
    assert give_tool(name="calculate", **values).level == Level.APPROVE
    with pytest.raises(AutonomyError, match="already"):
        give_tool(name="calculate", **values)


@pytest.mark.django_db
def test_lowering_reaches_a_run_in_progress_before_its_next_effect() -> None:
    with model_server([LOOK, CANCEL], "I could not.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift_for(agent)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        claim = claim_due_run(run.pk)
        assert claim
        advance_step(claim)
        advance_step(claim)
        tool = agent.tools.get(name="cancel_pending_order")
        change_level(agent_tool=tool, level=Level.OFF, reason="Stop it.", by=make_user())
        while advance_step(claim):
            pass
    run.refresh_from_db()
    assert run.status == Run.Status.COMPLETED
    assert not ShopWrite.objects.exists()
    refused = run.steps.filter(kind="tool").last()
    assert refused.response == {"error": "the tool cancel_pending_order may not be used: it is off"}


@pytest.mark.django_db
def test_change_between_the_models_answer_and_the_call_is_obeyed() -> None:
    with model_server([CANCEL], "It waits.") as server:
        agent, version = make_shop_agent(server.base_url)
        lift = lift_for(agent)
        run = start_run(agent=agent, version=version, run_input=INPUT)
        claim = claim_due_run(run.pk)
        assert claim
        advance_step(claim)
        end_lift(lift=lift, reason="Too early.", by=make_user())
        assert advance_step(claim) is False
    run.refresh_from_db()
    assert run.status == Run.Status.WAITING
    assert not ShopWrite.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_change_waits_for_an_effect_that_has_begun() -> None:
    agent, version = make_shop_agent()
    tool = agent.tools.get(name="get_order_details")
    user = make_user()
    order: list[str] = []

    def lower() -> None:
        change_level(agent_tool=tool, level=Level.OFF, reason="Stop it.", by=user)
        order.append("lowered")
        connection.close()

    thread = threading.Thread(target=lower)
    run = start_run(agent=agent, version=version, run_input=INPUT)
    with transaction.atomic():
        hold_authority()
        level_for_effect(run=run, tool=tool.name, now=database_now())
        thread.start()
        thread.join(timeout=0.3)
        order.append("effect")
    thread.join(timeout=5)
    assert order == ["effect", "lowered"]


@pytest.mark.django_db
def test_version_without_the_tool_cannot_use_it() -> None:
    with model_server([("calculate", {"expression": "1+1"})], "No.") as server:
        agent, version = make_shop_agent(server.base_url)
        give_tool(
            agent=agent, name="calculate", level=Level.AUTONOMOUS, reason="New.", by=make_user()
        )
        run = start_run(agent=agent, version=version, run_input=INPUT)
        advance(run.pk)
    assert "may not be used" in run.steps.get(kind="tool").response["error"]


@pytest.mark.django_db
def test_ending_a_lift_and_taking_a_tool_stand_in_the_audit_trail() -> None:
    agent, _ = make_shop_agent()
    user = make_user()
    lift = lift_ceiling(
        agent=agent,
        tier=Tier.MONEY,
        level=Level.AUTONOMOUS,
        reason="Peak week.",
        expires_at=database_now() + timedelta(days=1),
        by=user,
    )
    end_lift(lift=lift, reason="The week is over.", by=user)
    take_tool(agent_tool=agent.tools.first(), reason="Not needed.", by=user)
    ended = CeilingLift.pgh_event_model.objects.get(pgh_label="delete")
    taken = AgentTool.pgh_event_model.objects.get(pgh_label="delete")
    assert ended.pgh_context.metadata["reason"] == "The week is over."
    assert taken.pgh_context.metadata == {
        "user": user.pk,
        "reason": "Not needed.",
        "action": "take tool",
    }
