"""The demo as loaded: everything stands, twice is once, and a run repeats the past."""

from collections import Counter
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from agents.demo.history import past_sessions, span_id_of
from agents.demo.labelling import past_labels
from agents.demo.load import AGENT, SHOP, WHOLESALE, config_of
from agents.demo.parcels import PARCELS
from agents.demo.play import play
from agents.demo.records import NUM_PROMPTS, prompt_of, shop_records
from agents.demo.shop import MemoryWorld
from agents.golden.adversarial.attacks import ATTACKS
from agents.llm.simulator.scripted import ScriptedBrain
from agents.llm.simulator.server import ModelServer
from agents.models import (
    Agent,
    Demotion,
    EvalRun,
    Gate,
    GoldenTest,
    Level,
    LevelProposal,
    Release,
    Run,
    ShopRecord,
    ToolApproval,
    UndoableCall,
    Version,
)
from agents.releases.evidence import what_changed
from agents.runtime.approvals import approve_call
from agents.runtime.loop import advance
from agents.tools.autonomy import database_now, effective_level
from agents.tools.evidence import evidence_for
from reviewdesk.people.models import Membership, User
from reviewdesk.screens.approvals.settled import read_today
from traces.labels import disagreed
from traces.models import Label, Project, Session, Span

pytestmark = pytest.mark.django_db


def counts() -> dict[str, int]:
    models = (Project, Session, Span, Label, Agent, Version, Release, GoldenTest, EvalRun, Run)
    return {
        model.__name__: model._default_manager.count()
        for model in (*models, ShopRecord, Membership, User, ToolApproval)
    }


@pytest.mark.slow
def test_the_demo_is_a_desk_that_has_been_worked_at() -> None:
    call_command("load_demo")
    before = counts()
    call_command("load_demo")
    assert counts() == before

    sessions = Session.objects.filter(project__slug=SHOP)
    past = sessions.filter(source=Session.Source.DEMO)
    assert past.count() == 304
    assert past.filter(status=Session.Status.FAILED).exists()
    assert 150 < past.filter(labels__isnull=False).distinct().count() < 220
    assert disagreed(sessions).count() >= 3
    assert Membership.objects.filter(project__slug=WHOLESALE).count() == 1
    causes = Counter(Label.objects.exclude(cause=None).values_list("cause", flat=True))
    assert {"T5", "T2", "H1", "K2", "C1", "P1", "P3"} <= set(causes)
    for label in Label.objects.exclude(first_wrong_span_id=""):
        assert label.session.spans.filter(span_id=label.first_wrong_span_id).exists()

    agent = Agent.objects.get(project__slug=SHOP, slug=AGENT)
    assert str(agent.live_version) == "v5"
    assert agent.model_base_url == ""
    request = agent.releases.get(status=Release.Status.WAITING)
    assert (str(request.version), request.eval_run.status) == ("v6", EvalRun.Status.PASSED)
    assert request.gate.status == Gate.Status.PASSED
    assert what_changed(agent=agent, eval_run=request.eval_run, gate=request.gate) == ""
    stepped_back = Gate.objects.get(candidate__number=1)
    assert (stepped_back.status, stepped_back.policy.number) == (Gate.Status.FAILED, 1)
    levels = {
        tool.name: effective_level(tool, now=database_now()).level for tool in agent.tools.all()
    }
    assert levels.pop("modify_pending_order_address") == Level.ACT_WITH_UNDO
    asked = {name for name, level in levels.items() if level is Level.APPROVE}
    assert asked == {
        "modify_pending_order_items",
        "modify_pending_order_payment",
        "modify_user_address",
        "return_delivered_order_items",
    }
    assert {levels[name] for name in levels.keys() - asked} == {Level.AUTONOMOUS}
    proven = evidence_for(agent.tools.get(name="modify_user_address"), now=database_now())
    assert (proven.unedited, proven.n, proven.gaps) == (71, 72, ())
    short = evidence_for(agent.tools.get(name="modify_pending_order_items"), now=database_now())
    assert short.needs == 23
    proposals = LevelProposal.objects.filter(status=LevelProposal.Status.WAITING)
    assert {proposal.proposed_by.email for proposal in proposals} == {
        "jonas@demo.example",
        "samuel@demo.example",
    }
    assert Demotion.objects.get().rule == Demotion.Rule.UNDO
    made = UndoableCall.objects.filter(agent_tool__name="modify_pending_order_address")
    assert sorted(made.values_list("status", flat=True)) == ["open", "open", "undone"]

    attacks = GoldenTest.objects.filter(agent__slug=PARCELS, suite=GoldenTest.Suite.ADVERSARIAL)
    assert attacks.count() == len(ATTACKS)
    assert not EvalRun.objects.filter(results__test__in=attacks).exists(), "left to a newcomer"

    tainted = Run.objects.get(taint__isnull=False)
    assert (tainted.status, tainted.parked_for) == (Run.Status.WAITING, Run.Parked.APPROVAL)
    assert "untrusted content" in tainted.approvals.get().why
    assert (read_today(tainted.project).median_wait or timedelta()).total_seconds() >= 3 * 60

    decided = ToolApproval.objects.exclude(status=ToolApproval.Status.WAITING)
    assert set(decided.values_list("status", flat=True)) == {"approved", "edited", "rejected"}
    approval = ToolApproval.objects.filter(status=ToolApproval.Status.WAITING).first()
    assert approval is not None
    server = ModelServer(ScriptedBrain()).start()
    Agent.objects.update(model_base_url=server.base_url)
    approve_call(approval=approval, by=User.objects.get(email="jo@demo.example"))
    assert advance(approval.run_id)
    server.stop()
    approval.run.refresh_from_db()
    assert approval.run.status == Run.Status.COMPLETED
    assert approval.run.shop_writes.get().data["status"] == "return requested"


def test_a_past_session_is_what_playing_its_task_again_gives() -> None:
    configs = [config_of(number) for number in range(1, NUM_PROMPTS + 1)]
    for past in past_sessions(records=shop_records(), configs=configs, now=timezone.now())[::25]:
        config = configs[past.version - 1]
        world = MemoryWorld(shop_records())
        steps = play(run_input=past.task.run_input, config=config, world=world).steps
        said = [span.output for span in past.record.spans[2:]]
        assert said == [step.response for step in steps]


def test_labels_are_the_same_whenever_they_are_made() -> None:
    configs = [config_of(number) for number in range(1, NUM_PROMPTS + 1)]
    now = timezone.now()
    sessions = past_sessions(records=shop_records(), configs=configs, now=now)
    authors = [User(pk=number) for number in (1, 2, 3)]
    first, second = (
        [
            (label.session.record.external_id, label.author.pk, label.answers)
            for label in past_labels(sessions=sessions, authors=authors, now=now)
        ]
        for _ in range(2)
    )
    assert first == second
    assert len({(session, author) for session, author, _ in first}) == len(first)
    assert all(session.record.spans[-1].end_ns for session in sessions)
    assert span_id_of("demo-001", 0) == sessions[0].record.spans[0].span_id


def test_the_prompts_grow_step_by_step() -> None:
    prompts = [prompt_of(number) for number in range(1, NUM_PROMPTS + 1)]
    assert len(set(prompts)) == NUM_PROMPTS
    assert all(prompt.endswith("\n") for prompt in prompts)
