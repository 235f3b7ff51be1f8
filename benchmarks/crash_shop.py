"""What the runs of the crash benchmark do, and what became of each effect.

Each run has six effects in an order of its own: two in our database, four over HTTP at the tests'
till. Only the till and the tables are asked what was done, never the journal that is on trial.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import close_old_connections, transaction

from agents.models import (
    Agent,
    EffectReview,
    Level,
    Run,
    ShopWrite,
    ToolApproval,
    ToolDefinition,
    ToolSource,
    Version,
)
from agents.runtime.approvals import approve_call
from agents.runtime.retry import resume_index, retry_from
from agents.runtime.review import decide_effect
from agents.runtime.start import start_run
from reviewdesk.celery import app
from tests.factories import make_user
from tests.model_server import model_server
from tests.shop import make_shop_agent
from tests.tool_server import TillEffect, ToolServer, tool_server

DATABASE = "modify_pending_order_address"
KINDS = {
    DATABASE: "database",
    "pay_keyed": "HTTP, keyed",
    "pay_looked_up": "HTTP, keyed with lookup",
    "set_price": "HTTP, idempotent",
    "pay_unkeyed": "HTTP, unkeyed",
}
NUM_EFFECTS = 6
TIME_LIMIT_SECONDS = 5
_SECONDS_PER_ANSWER = 0.02
# Every third run pays without a key once.
_UNKEYED_EVERY = 3
_PAYMENT = {
    "type": "object",
    "properties": {
        "run": {"type": "string"},
        "number": {"type": "integer"},
        "amount": {"type": "number"},
    },
    "required": ["run", "number", "amount"],
    "additionalProperties": False,
}
_RECEIPT = {"type": "object", "required": ["receipt"]}
_BODY = {name: {"in": "body", "name": name} for name in ("run", "number", "amount")}
_KEY = {"in": "header", "name": "Idempotency-Key"}
_TOOLS: dict[str, tuple[str, dict[str, Any]]] = {
    "pay_keyed": ("keyed", {"method": "POST", "path": "/keyed", "key": _KEY}),
    "pay_looked_up": (
        "keyed",
        {"method": "POST", "path": "/keyed", "key": _KEY, "lookup": "/lookup/{key}"},
    ),
    "set_price": ("idempotent", {"method": "PUT", "path": "/idempotent/{item}"}),
    "pay_unkeyed": ("unkeyed", {"method": "POST", "path": "/unkeyed"}),
}


@dataclass(frozen=True)
class Plan:
    """The calls of one run, in the order in which its model asks for them."""

    name: str
    tools: tuple[str, ...]

    def call(self, number: int) -> tuple[str, dict[str, Any]]:
        """Return the call of that number: its arguments tell it from every other."""
        tool = self.tools[number]
        if tool == DATABASE:
            place = {"city": "B", "state": "B", "country": "C", "zip": "1", "address2": ""}
            return tool, {"order_id": "#T1", "address1": f"{self.name} {number}", **place}
        payment = {"run": self.name, "number": number, "amount": number + 1}
        return tool, payment | ({"item": f"{self.name}-{number}"} if tool == "set_price" else {})


@dataclass(frozen=True)
class Tally:
    """What became of the effects of one kind of tool, by the till and the tables."""

    kind: str
    num_wanted: int
    num_once: int
    num_missing: int
    num_doubled: int


@dataclass(frozen=True)
class Summary:
    """How all stands.

    Attributes:
        runs: How many of each end; of one that was retried, its retry's.
        num_recoveries: How often a run was taken back from a lost worker, of all runs.
        most_recoveries: Of one run.
        num_calls: Requests of effects that reached the till.
    """

    runs: dict[str, int]
    num_recoveries: int
    most_recoveries: int
    num_calls: int
    tallies: list[Tally]

    @property
    def is_good(self) -> bool:
        """Say whether every run has finished and every effect was done once."""
        num_finished = self.runs["finished"]
        return num_finished == sum(self.runs.values()) and all(
            row.num_once == row.num_wanted for row in self.tallies
        )


@dataclass(frozen=True)
class World:
    """The agent, its till, and what its runs are to do."""

    agent: Agent
    version: Version
    till: ToolServer
    plans: Mapping[str, Plan]

    def start_runs(self) -> None:
        """Queue a run per plan, and hint at them once."""
        with transaction.atomic():
            for plan in self.plans.values():
                content = [{"role": "user", "content": plan.name}]
                run_input = {"messages": content, "turns": []}
                start_run(agent=self.agent, version=self.version, run_input=run_input)

    def summary(self) -> Summary:
        """Return how all stands now."""
        close_old_connections()
        runs = Run.objects.filter(agent=self.agent)
        ends = Counter(
            _end(*each) for each in runs.filter(retries=None).values_list("status", "failure")
        )
        recoveries = list(runs.values_list("num_recoveries", flat=True))
        names = (
            "finished",
            "parked: needs review",
            "parked: for approval",
            "dead letter (incident)",
            "failed",
            "open",
        )
        return Summary(
            runs={name: ends[name] for name in names},
            num_recoveries=sum(recoveries),
            most_recoveries=max(recoveries),
            num_calls=len([each for each in self.till.requests() if each.method != "GET"]),
            tallies=tally(self.plans, effects_done(self.till)),
        )

    def decide_as_the_ledger_says(self) -> tuple[int, int]:
        """Do what a person with the ledger does; return how many calls and dead letters.

        Each call of unknown outcome happened if the ledger has it. A dead letter is retried: from
        the call that did not happen, else from where it broke off. A call that waits for approval,
        since its tool was demoted when its breaker opened, is approved.
        """
        close_old_connections()
        person = make_user("support", self.agent.project)
        done = {_place(effect): effect for effect in self.till.effects()}
        waiting = list(EffectReview.objects.filter(verdict="").select_related("step"))
        not_done = {}
        for review in waiting:
            arguments = review.step.request["arguments"]
            effect = done.get((arguments["run"], arguments["number"]))
            if effect is None:
                not_done[review.run_id] = review.step.index
            decide_effect(
                review=review,
                verdict=(EffectReview.Verdict.HAPPENED if effect else EffectReview.Verdict.DID_NOT),
                result={"receipt": effect.number} if effect else None,
                reason="So says the ledger of the till.",
                by=person,
            )
        asked = list(ToolApproval.objects.filter(status=ToolApproval.Status.WAITING))
        for approval in asked:
            approve_call(approval=approval, by=person)
        dead = list(Run.objects.filter(agent=self.agent, failure=Run.Failure.LOST, retries=None))
        for run in dead:
            index = not_done.get(run.pk, resume_index(run))
            retry_from(run=run, index=index, by=person, reason="Its workers were killed.")
        return len(waiting) + len(asked), len(dead)


@contextlib.contextmanager
def running_world(folder: Path, plans: Mapping[str, Plan]) -> Iterator[World]:
    """Have a till, a model that asks for what is planned, and an agent with both."""

    def reply(request: dict[str, Any]) -> Any:
        messages = request["messages"]
        plan = plans[next(each["content"] for each in messages if each["role"] == "user")]
        num_results = sum(each["role"] == "tool" for each in messages)
        return [plan.call(num_results)] if num_results < NUM_EFFECTS else "All is done."

    with (
        tool_server(folder / "till.db", delay_seconds=_SECONDS_PER_ANSWER) as till,
        model_server(delay_seconds=_SECONDS_PER_ANSWER, by_request=reply) as model,
    ):
        agent, version = _make_agent(model.base_url, till)
        yield World(agent, version, till, plans)


def make_plans(num_runs: int, source: random.Random) -> dict[str, Plan]:
    """Return a plan per run, by its name."""
    plans = {}
    for number in range(num_runs):
        last = "pay_unkeyed" if number % _UNKEYED_EVERY == 0 else "pay_keyed"
        tools = [DATABASE, DATABASE, "pay_keyed", "pay_looked_up", "set_price", last]
        source.shuffle(tools)
        plans[f"run-{number}"] = Plan(f"run-{number}", tuple(tools))
    return plans


def empty_broker() -> int:
    """Throw all messages away; return how many there were."""
    return int(app.control.purge() or 0)


def effects_done(till: ToolServer) -> Counter[tuple[str, int]]:
    """Return how often each effect was done, by run and number.

    An idempotent one that was set again is done once: that is what it promises.
    """
    done: Counter[tuple[str, int]] = Counter()
    for effect in till.effects():
        if effect.kind != "idempotent" or not done[_place(effect)]:
            done[_place(effect)] += 1
    # A run that was retried begins with a copy of what the first had written.
    writes = ShopWrite.objects.filter(tool=DATABASE, run__retries=None)
    for address in writes.values_list("data__address__address1", flat=True):
        name, _, number = address.partition(" ")
        done[name, int(number)] += 1
    return done


def tally(plans: Mapping[str, Plan], done: Counter[tuple[str, int]]) -> list[Tally]:
    """Return a row per kind of tool."""
    rows = []
    for tool, kind in KINDS.items():
        counts = [
            min(done[plan.name, number], 2)
            for plan in plans.values()
            for number, name in enumerate(plan.tools)
            if name == tool
        ]
        num = Counter(counts)
        rows.append(Tally(kind, len(counts), num[1], num[0], num[2]))
    return rows


def _make_agent(model_url: str, till: ToolServer) -> tuple[Agent, Version]:
    """Make the shop's agent, with the till's endpoints as tools that it uses by itself."""
    agent, version = make_shop_agent(model_url, **dict.fromkeys(KINDS, Level.AUTONOMOUS))
    source = ToolSource.objects.create(
        project=agent.project,
        slug="till",
        name="till",
        kind=ToolSource.Kind.OPENAPI,
        url=f"{till.base_url}/openapi.json",
        allowed_hosts=[urlsplit(till.base_url).netloc],
    )
    for name, (effect, request) in _TOOLS.items():
        item = {"item": {"type": "string"}} if name == "set_price" else {}
        places = {**_BODY, **{each: {"in": "path", "name": each} for each in item}}
        ToolDefinition.objects.create(
            project=agent.project,
            source=source,
            name=name,
            number=1,
            description="Pays.",
            parameters={**_PAYMENT, "properties": {**_PAYMENT["properties"], **item}},
            returns=_RECEIPT,
            effect=effect,
            tier="write_reversible",
            policy={"time_limit_seconds": TIME_LIMIT_SECONDS, "max_attempts": 5},
            request={**request, "url": till.base_url, "places": places},
            content_hash=name,
            reason="For the benchmark.",
        )
    return agent, version


def _place(effect: TillEffect) -> tuple[str, int]:
    return effect.body["run"], effect.body["number"]


def _end(status: str, failure: str) -> str:
    if status == Run.Status.COMPLETED:
        return "finished"
    if status == Run.Status.NEEDS_REVIEW:
        return "parked: needs review"
    if failure == Run.Failure.LOST:
        return "dead letter (incident)"
    if status == Run.Status.WAITING:
        return "parked: for approval"
    return "open" if status in Run.OPEN else "failed"
