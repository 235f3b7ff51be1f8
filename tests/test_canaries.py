"""Planted calls: wrong on purpose, never made, counted nowhere else, told of once decided."""

import random
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.utils import timezone

from agents.demo.load import store_records
from agents.demo.records import DATASET
from agents.models import Agent, AgentTool, ApprovalRules, Level, Run, ShopRecord, ToolApproval
from agents.runtime.approvals import approve_call, edit_call, expire_approvals, reject_call
from agents.runtime.canaries import is_caught, plan_canaries, plant_canary, plant_due
from agents.runtime.claim import claim_due_run
from agents.runtime.start import request_cancel
from agents.tools.autonomy import database_now
from agents.tools.registry import contract_for
from reviewdesk.kpis.measure import measure_weeks
from reviewdesk.kpis.period import Period
from reviewdesk.screens.approvals.rules import read_planted, readings_of
from reviewdesk.screens.approvals.settled import read_today
from reviewdesk.screens.autonomy.evidence import decisions_of
from tests.factories import (
    client_as,
    customer_span,
    make_agent,
    make_session,
    make_user,
    model_span,
    tool_span,
)
from tests.test_api_sessions import Api
from traces.models import Session, Span

pytestmark = pytest.mark.django_db

RETURN = "return_delivered_order_items"
HTMX = {"HX-Request": "true"}


def make_planting_agent() -> Agent:
    """Make an agent whose returns ask people, with two real returns in the last week."""
    store_records()
    agent = make_agent(slug="shop-support", dataset=DATASET, tools={RETURN: Level.APPROVE})
    orders = ShopRecord.objects.filter(dataset=DATASET, kind="order", data__status="delivered")
    for number, order in enumerate(orders.order_by("key")[:2]):
        data = order.data
        arguments = {
            "order_id": order.key,
            "item_ids": [data["items"][0]["item_id"]],
            "payment_method_id": data["payment_history"][0]["payment_method_id"],
        }
        call = {"id": "call-1", "name": RETURN, "arguments": arguments}
        user = ShopRecord.objects.get(dataset=DATASET, kind="user", key=data["user_id"]).data
        name = f"{user['name']['first_name']} {user['name']['last_name']}"
        make_session(
            agent.project,
            [
                customer_span(f"Please take back one thing of {order.key}.", at=0),
                model_span("I would return it. Shall I?", at=1),
                customer_span("yes", at=9),
                model_span(None, at=10, calls=[call]),
                tool_span(RETURN, arguments, {"status": "return requested"}, at=12),
                model_span("Done.", at=13),
            ],
            started_at=timezone.now() - timedelta(days=number + 1),
            customer=name,
        )
    return agent


def plant(agent: Agent | None = None, seed: int = 1) -> ToolApproval:
    agent = agent or make_planting_agent()
    planted = plant_canary(project=agent.project, rng=random.Random(seed))
    assert planted is not None
    ToolApproval.objects.filter(pk=planted.pk).update(num_needed=1)
    planted.refresh_from_db()
    return planted


def test_planted_call_is_a_real_one_made_wrong_with_its_conversation() -> None:
    approval = plant()
    session = approval.run.session
    assert approval.is_canary
    assert approval.canary_why
    assert approval.arguments != session.metadata["right_arguments"]
    spans = list(Span.objects.filter(session=session).order_by("start_ns", "parent_id"))
    assert [span.kind for span in spans] == [
        "agent", "customer", "model", "customer", "model", "tool",
    ]  # fmt: skip
    asked = spans[-2].output["tool_calls"][0]["arguments"]
    assert asked == approval.arguments == spans[-1].input["arguments"]
    assert not Span.objects.filter(span_id__in=[span.span_id for span in spans]).exclude(
        session=session
    )


@pytest.mark.parametrize("seed", range(4))
def test_planted_call_is_wrong_in_one_named_way(seed: int) -> None:
    approval = plant(seed=seed)
    right = approval.run.session.metadata["right_arguments"]
    assert set(right) == set(approval.arguments)
    assert len(approval.canary_why) > 20


def test_planted_run_is_never_claimed_and_never_queued() -> None:
    approval = plant()
    assert claim_due_run(approval.run_id) is None
    for change in ({"status": "queued"}, {"status": "running"}, {"claim_token": 1}):
        with pytest.raises(IntegrityError, match="canary_run_never_starts"), transaction.atomic():
            Run.objects.filter(pk=approval.run_id).update(**change)


def test_database_refuses_to_consume_a_planted_call() -> None:
    approval = approve_call(approval=plant(), by=make_user())
    with (
        pytest.raises(IntegrityError, match="canary_is_never_consumed"),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "UPDATE agents_toolapproval SET consumed_at = now() WHERE id = %s", [approval.pk]
        )


def test_decision_about_a_planted_call_ends_its_run_at_once() -> None:
    approval = reject_call(approval=plant(), by=make_user(), message="Not hers.")
    run = Run.objects.get(pk=approval.run_id)
    assert (run.status, run.next_at, approval.leaves_at) == (Run.Status.COMPLETED, None, None)
    assert approval.status == ToolApproval.Status.REJECTED


def test_expired_planted_call_counts_as_neither_caught_nor_missed() -> None:
    approval = plant()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE agents_toolapproval SET expires_at = now() - interval '1 s'")
    assert expire_approvals() == 1
    approval.refresh_from_db()
    assert is_caught(approval) is None
    assert readings_of(read_planted(approval.run.project))[0].share.n == 0


def test_rejection_catches_approval_misses_and_an_edit_catches_what_it_mends() -> None:
    agent = make_planting_agent()
    rejected = reject_call(approval=plant(agent), by=make_user(), message="No.")
    approved = approve_call(approval=plant(agent), by=make_user())
    assert (is_caught(rejected), is_caught(approved)) == (True, False)
    edited = plant(agent)
    right = edited.run.session.metadata["right_arguments"]
    mended = edit_call(approval=edited, by=make_user(), arguments=right)
    assert is_caught(mended) is True


def test_share_of_caught_calls_has_its_interval_and_is_told_by_person() -> None:
    agent, ada, jo = make_planting_agent(), make_user(name="Ada"), make_user(name="Jo")
    for number in range(5):
        approval, by = plant(agent, seed=number), ada if number % 2 else jo
        if number == 0:
            approve_call(approval=approval, by=by)
        else:
            reject_call(approval=approval, by=by, message="Wrong.")
    total, people = readings_of(read_planted(agent.project))
    assert (total.num_caught, total.share.n) == (4, 5)
    assert total.share.interval is not None
    # Wilson's interval of 4 in 5: 0.376 to 0.964.
    assert total.share.interval.low == pytest.approx(0.3755, abs=0.001)
    assert [(each.who, each.num_caught, each.share.n) for each in people] == [
        ("Ada", 2, 2), ("Jo", 2, 3),
    ]  # fmt: skip


def test_planted_calls_count_nowhere_else() -> None:
    agent = make_planting_agent()
    approve_call(approval=plant(agent), by=make_user())
    assert decisions_of(agent, contract_for(RETURN)).num_decided == 0
    assert read_today(agent.project).num_decided == 0
    client = client_as("lead", agent.project)
    for query in ("", "?q=golden:too", "?q=golden:only"):
        page = client.get(f"/p/{agent.project.slug}/sessions/{query}")
        planted = Session.objects.get(metadata__planted=True)
        assert str(planted.pk) not in page.text


def test_planted_call_looks_like_any_other_until_it_is_decided() -> None:
    approval = plant()
    url = f"/p/{approval.run.project.slug}/approvals/{approval.pk}/"
    client = client_as("support", approval.run.project)
    session = client.get(f"/p/{approval.run.project.slug}/sessions/{approval.run_id}/")
    for page in (
        client.get(url),
        client.get(f"/p/{approval.run.project.slug}/approvals/"),
        session,
    ):
        assert "planted" not in page.text.lower()
        assert "canary" not in page.text.lower()
        assert "golden test" not in page.text.lower()
    assert approval.canary_why not in client.get(url).text


@pytest.mark.parametrize("query", ["", "golden:too", "-is:golden", "is:live", "golden:too is:live"])
def test_session_of_a_planted_call_is_in_the_list_until_it_is_decided(query: str) -> None:
    approval = plant()
    client = client_as("support", approval.run.project)
    url = f"/p/{approval.run.project.slug}/sessions/"
    page = client.get(url, {"q": query}).text
    assert str(approval.run_id) in page
    assert "golden test" not in page.split("<tbody")[1].lower()
    reject_call(approval=approval, by=make_user(), message="Wrong.")
    assert str(approval.run_id) not in client.get(url, {"q": query}).text


@pytest.mark.parametrize("query", ["golden:only", "is:golden"])
def test_planted_call_that_waits_is_no_golden_test(query: str) -> None:
    approval = plant()
    client = client_as("support", approval.run.project)
    page = client.get(f"/p/{approval.run.project.slug}/sessions/", {"q": query}).text
    assert str(approval.run_id) not in page


def test_planted_call_that_waits_changes_no_measure() -> None:
    agent = make_planting_agent()
    period = Period(timezone.now().date())
    before = measure_weeks(project=agent.project, period=period)
    plant(agent)
    assert measure_weeks(project=agent.project, period=period) == before


def test_export_tells_of_a_planted_call_only_when_it_is_decided() -> None:
    approval = plant()
    client = client_as("admin", approval.run.project)
    url = f"/p/{approval.run.project.slug}/sessions/export/"

    def exported(form: str) -> str:
        data = {"ids": [str(approval.run_id)], "format": form}
        return client.post(url, data).getvalue().decode()

    for form in ("jsonl", "otlp", "csv"):
        assert str(approval.run.session.title) in exported(form)
        assert "planted" not in exported(form)
    assert '"is_golden": false' in exported("jsonl")
    reject_call(approval=approval, by=make_user(), message="Wrong.")
    assert '"planted": true' in exported("jsonl")


def test_api_tells_of_a_planted_call_only_when_it_is_decided() -> None:
    approval = plant()
    api = Api(approval.run.project)
    session, run = f"/api/v1/sessions/{approval.run_id}", f"/api/v1/runs/{approval.run_id}"
    assert api.get(session).json()["metadata"] == {}
    assert api.get(run).json()["kind"] == "live"
    assert "planted" not in api.get(session).text + api.get(run).text
    reject_call(approval=approval, by=make_user(), message="Wrong.")
    assert api.get(session).json()["metadata"]["planted"] is True
    assert api.get(run).json()["kind"] == "canary"


@pytest.mark.parametrize(("action", "word"), [("approve", "missed"), ("reject", "caught")])
def test_it_is_told_at_once_that_a_call_was_planted(action: str, word: str) -> None:
    approval = plant()
    base = f"/p/{approval.run.project.slug}/approvals/{approval.pk}/"
    client = client_as("support", approval.run.project)
    data = {"confirmed": "1", "message": "Wrong."}
    page = client.post(f"{base}{action}/", data, headers=HTMX)
    assert "planted to see whether people still read" in page.text
    assert f"it was {word}" in page.text
    assert "was planted, so" in page["HX-Trigger"]
    plain = client.get(base)
    assert f"it was {word}" in plain.text


def test_cancelling_a_planted_run_ends_it() -> None:
    approval = plant()
    request_cancel(run=approval.run, by=make_user())
    approval.refresh_from_db()
    assert approval.status == ToolApproval.Status.VOID
    assert Run.objects.get(pk=approval.run_id).status == Run.Status.CANCELLED


def test_nothing_is_planted_where_nothing_asks_or_nothing_was_called() -> None:
    agent = make_planting_agent()
    AgentTool.objects.update(level=Level.OFF)
    assert plant_canary(project=agent.project) is None
    with pytest.raises(CommandError, match="Nothing fits"):
        call_command("plant_canary", project=agent.project.slug)
    with pytest.raises(CommandError, match="no project"):
        call_command("plant_canary", project="nowhere")


def test_command_plants_one_now(capsys: pytest.CaptureFixture[str]) -> None:
    agent = make_planting_agent()
    call_command("plant_canary", project=agent.project.slug)
    assert "Planted call" in capsys.readouterr().out
    assert ToolApproval.objects.filter(is_canary=True).count() == 1


def test_scheduler_plants_at_times_nobody_knows() -> None:
    agent = make_planting_agent()
    plan_canaries()
    rules = ApprovalRules.objects.get(project=agent.project)
    assert rules.next_canary_at is not None
    assert rules.next_canary_at > database_now() + timedelta(minutes=50)
    assert plant_due() == 0
    ApprovalRules.objects.update(next_canary_at=database_now())
    assert (plant_due(), plant_due()) == (1, 0)


def test_project_that_wants_none_gets_none() -> None:
    agent = make_planting_agent()
    ApprovalRules.objects.create(project=agent.project, canaries_per_week=0)
    plan_canaries()
    ApprovalRules.objects.update(next_canary_at=database_now())
    assert plant_due() == 0


def test_leads_set_the_rules_and_others_only_read_them() -> None:
    agent = make_planting_agent()
    url = f"/p/{agent.project.slug}/approvals/rules/"
    data = {"two_people_from_usd": "150", "canaries_per_week": "5", "reason": "A trial."}
    support, lead = client_as("support", agent.project), client_as("lead", agent.project)
    assert support.post(url + "set/", data).status_code == 403
    assert "Set the rules" not in support.get(url).text
    assert lead.post(url + "set/", data | {"reason": ""}).status_code == 422
    assert lead.post(url + "set/", data | {"canaries_per_week": "500"}).status_code == 422
    assert lead.post(url + "set/", data).status_code == 303
    rules = ApprovalRules.objects.get(project=agent.project)
    assert (rules.two_people_from_usd, rules.canaries_per_week) == (150, 5)
    assert "$150.00" in support.get(url).text
    assert lead.get(url + "set/").status_code == 405
    assert Client().get(url).status_code == 302


def test_leads_alone_see_who_missed_what() -> None:
    agent, ada = make_planting_agent(), make_user(name="Ada Miss")
    approve_call(approval=plant(agent), by=ada)
    url = f"/p/{agent.project.slug}/approvals/rules/"
    assert "Ada Miss" in client_as("lead", agent.project).get(url).text
    assert "Ada Miss" not in client_as("reviewer", agent.project).get(url).text
