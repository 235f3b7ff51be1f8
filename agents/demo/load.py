"""Loading the demo: a desk that has been worked at for five weeks. All of it, or nothing.

Sessions of the past are played in memory by the code that runs live ones; golden tests, eval runs
and the waiting approval are made by the runtime itself, with the scripted model in this process.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pghistory
import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from agents.config import Limits, VersionConfig
from agents.demo.authority import fill_authority, give_tools, grant_levels, undo_one
from agents.demo.breakers import trip_breaker
from agents.demo.history import PastSession, past_sessions
from agents.demo.injection import add_attacks
from agents.demo.judging import write_judges
from agents.demo.labelling import past_labels, store_labels
from agents.demo.outgoing import fill_outgoing
from agents.demo.outside import connect_outside
from agents.demo.parcels import leave_unknown
from agents.demo.records import DATASET, NUM_PROMPTS, prompt_of, shop_records
from agents.demo.releases import release_history
from agents.demo.spending import spend_and_budgets
from agents.demo.strangers import leave_tainted
from agents.demo.today import run_scenario, run_today
from agents.demo.tools import FOR_AGENTS
from agents.demo.waiting import fill_inbox
from agents.golden.intents import regroup_intents
from agents.llm.simulator.scripted import MODELS, ScriptedBrain
from agents.llm.simulator.server import ModelServer
from agents.models import Agent, Level, ShopRecord, Tier, Version
from agents.releases.propose import create_version
from agents.tools.autonomy import change_level, database_now, lift_ceiling
from traces.ingest.store import store_sessions
from traces.label_sets import ensure_label_set
from traces.models import Project, Session
from traces.refresh import drain

SHOP = "shop"
WHOLESALE = "wholesale"
AGENT = "shop-support"
NEEDS_APPROVAL = "return_delivered_order_items"
_LIFTED_DAYS = 90
_NUM_WHOLESALE = 9
_APPROVAL_MINUTES = 7 * 24 * 60

# The second version was given too few steps: some customers with two wishes ran into it.
_LIMITS = {
    1: Limits(approval_minutes=_APPROVAL_MINUTES),
    2: Limits(max_steps=13, approval_minutes=_APPROVAL_MINUTES),
}
_NOTES = (
    "First version.",
    "List what will be done and ask for a yes; hand over what gets difficult.",
    "Look at the order's status, keep to the customer's own orders, admit errors. More steps.",
    "Know the accepted reasons, collect all items, work through every request.",
    "Ask instead of guessing, name exact amounts, identify staff like everybody.",
    "Refund to where the customer wants; hand over only what the tools cannot do.",
)


@dataclass(frozen=True)
class DemoStaff:
    """Who did what in the demo.

    Attributes:
        reviewers: Two.
        support: Labels sessions and decides calls.
        engineer: Writes most versions.
        lead: Approves releases, lifts ceilings; wrote one version.
        admin: Approves what the lead wrote.
    """

    reviewers: tuple[AbstractBaseUser, AbstractBaseUser]
    support: AbstractBaseUser
    engineer: AbstractBaseUser
    lead: AbstractBaseUser
    admin: AbstractBaseUser


@dataclass(frozen=True)
class DemoProjects:
    """The demo's projects."""

    shop: Project
    wholesale: Project


@transaction.atomic
def load_demo(*, staff: DemoStaff) -> DemoProjects:
    """Load the demo in one transaction; what is there already stays as it is."""
    shop, is_new = Project.objects.get_or_create(slug=SHOP, defaults={"name": "Shop support"})
    wholesale, _ = Project.objects.get_or_create(
        slug=WHOLESALE, defaults={"name": "Wholesale desk"}
    )
    if is_new:
        server = ModelServer(ScriptedBrain()).start()
        try:
            _fill(shop, wholesale, staff, server.base_url)
        finally:
            server.stop()
    return DemoProjects(shop, wholesale)


def _fill(shop: Project, wholesale: Project, staff: DemoStaff, model_url: str) -> None:
    now = database_now()
    store_records()
    agent = _make_agent(shop, staff, model_url)
    versions = _write_versions(agent, staff)
    sessions = past_sessions(
        records=shop_records(), configs=[config_of(number) for number in _numbers()], now=now
    )
    _store_past(shop, sessions, staff, now)
    _store_wholesale(wholesale, sessions)
    release_history(
        agent=agent,
        versions=versions,
        sessions=sessions,
        engineer=staff.engineer,
        lead=staff.lead,
        admin=staff.admin,
        reviewer=staff.reviewers[0],
        now=now,
    )
    agent.refresh_from_db()
    _set_levels(agent, staff)
    known = {past.task.first for past in sessions}
    run_today(agent=agent, by=staff.support, known=known)
    run_scenario(agent=agent, by=staff.support, known=known, scenario="send_elsewhere", number=3)
    undo_one(agent=agent, by=staff.reviewers[1])
    fill_authority(
        agent=agent,
        support=staff.support,
        reviewer=staff.reviewers[1],
        engineer=staff.engineer,
        lead=staff.lead,
        now=now,
    )
    fill_inbox(
        agent=agent,
        by=staff.support,
        reviewers=staff.reviewers,
        lead=staff.lead,
        known=known,
    )
    connect_outside(project=shop, lead=staff.lead, admin=staff.admin)
    trip_breaker(project=shop)
    leave_unknown(project=shop, engineer=staff.engineer, lead=staff.lead)
    leave_tainted(project=shop, engineer=staff.engineer, lead=staff.lead)
    add_attacks(project=shop, by=staff.reviewers[0])
    spend_and_budgets(project=shop, agent=agent, engineer=staff.engineer, lead=staff.lead)
    fill_outgoing(
        project=shop,
        agent=agent,
        support=staff.support,
        engineer=staff.engineer,
        lead=staff.lead,
        admin=staff.admin,
        now=now,
    )
    write_judges(project=shop, reviewer=staff.reviewers[0], engineer=staff.engineer)
    regroup_intents(agent=agent)
    drain()
    with pgtrigger.ignore("agents.Agent:update_update"):  # the server lived in here alone
        Agent.objects.filter(pk=agent.pk).update(model_base_url="")


def config_of(number: int) -> VersionConfig:
    """Return the configuration of the demo agent's version `number`."""
    return VersionConfig(
        system_prompt=prompt_of(number),
        model=MODELS[0],
        parameters={"temperature": 0},
        tools=tuple(contract.name for contract in FOR_AGENTS),
        limits=_LIMITS.get(number, _LIMITS[1]),
    )


def _numbers() -> range:
    return range(1, NUM_PROMPTS + 1)


def store_records() -> None:
    """Write the demo shop's records, unless they are there."""
    ShopRecord.objects.bulk_create(
        (
            ShopRecord(dataset=DATASET, kind=kind, key=key, data=record)
            for kind, by_key in shop_records().items()
            for key, record in by_key.items()
        ),
        batch_size=500,
        ignore_conflicts=True,
    )


def _make_agent(shop: Project, staff: DemoStaff, model_url: str) -> Agent:
    with pghistory.context(user=staff.admin.pk, action="create agent"):
        agent = Agent.objects.create(
            project=shop,
            slug=AGENT,
            name="Shop support",
            description="Helps Fernhill's customers with their orders.",
            dataset=DATASET,
            model_base_url=model_url,
        )
    give_tools(agent=agent, names=[each.name for each in FOR_AGENTS], by=staff.lead)
    for tier in (Tier.WRITE_IRREVERSIBLE, Tier.MONEY):
        lift_ceiling(
            agent=agent,
            tier=tier,
            level=Level.AUTONOMOUS,
            reason="A trial for one quarter: orders up to $250, and every failure is reviewed.",
            expires_at=database_now() + timedelta(days=_LIFTED_DAYS),
            by=staff.lead,
        )
    return agent


def _set_levels(agent: Agent, staff: DemoStaff) -> None:
    grant_levels(agent=agent, by=staff.lead, now=database_now())
    change_level(
        agent_tool=agent.tools.get(name=NEEDS_APPROVAL),
        level=Level.APPROVE,
        reason="Refunds went to the wrong payment method several times (T2) since v2.",
        by=staff.reviewers[0],
    )


def _write_versions(agent: Agent, staff: DemoStaff) -> list[Version]:
    authors = (
        staff.engineer,
        staff.engineer,
        staff.admin,
        staff.engineer,
        staff.lead,
        staff.engineer,
    )
    return [
        create_version(agent=agent, config=config_of(number), note=note, author=author)
        for number, note, author in zip(_numbers(), _NOTES, authors, strict=True)
    ]


def _store_past(
    shop: Project, sessions: list[PastSession], staff: DemoStaff, now: datetime
) -> None:
    store_sessions(project=shop, records=[session.record for session in sessions])
    labels = past_labels(sessions=sessions, authors=[*staff.reviewers, staff.support], now=now)
    ids = dict(
        Session.objects.filter(project=shop, source=Session.Source.DEMO).values_list(
            "external_id", "id"
        )
    )
    store_labels(labels=labels, label_set=ensure_label_set(shop), session_ids=ids)


def _store_wholesale(wholesale: Project, sessions: list[PastSession]) -> None:
    ensure_label_set(wholesale)
    resolved = [each.record for each in sessions if each.verdict.outcome == "resolved"]
    store_sessions(project=wholesale, records=resolved[-_NUM_WHOLESALE:])
