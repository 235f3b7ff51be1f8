"""The demo's spend: what past days used, budgets, and a second agent that nearly used up its own.

The second agent's runs are made by the real runtime: one whose first model is away for a moment,
and one that asks for the same again and again until its limit ends it.
"""

import json
from datetime import UTC, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import pghistory
import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser
from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from agents.budgets import set_budget
from agents.config import Limits, VersionConfig
from agents.demo.authority import give_tools
from agents.demo.records import DATASET, shop_records
from agents.llm.simulator.scripted import MODELS
from agents.llm.simulator.server import Answer, ModelServer, RequestRefusedError
from agents.models import Agent, Spend, Version
from agents.releases.propose import create_version
from agents.runtime.budget_warnings import warn_of_budgets
from agents.runtime.loop import advance
from agents.runtime.start import start_run
from agents.tools.autonomy import database_now
from traces.models import Project, Session, Span

WATCH = "shop-watch"
_TOOL = "get_order_details"
_BUSY, _AGAIN = "after the sale", "until it is delivered"
_DAYS = 30
_PROMPT = """You watch over orders that are late.
Look the order up, and say in one sentence how it stands and what should be done about it.
Never write to a customer yourself."""


def spend_and_budgets(
    *, project: Project, agent: Agent, engineer: AbstractBaseUser, lead: AbstractBaseUser
) -> None:
    """Count what past sessions used, run the second agent, and set budgets; one is nearly used.

    Args:
        project: The demo's shop.
        agent: Whose sessions the past ones are.
        engineer: Writes the second agent's version and starts its runs.
        lead: Sets the budgets.
    """
    _count_past(project, agent)
    watch = _make_watch(project, engineer, lead)
    limits: dict[str, Decimal | None] = {"cost_usd": Decimal(5), "runs": Decimal(1000)}
    reason = "Ten times a usual day: a loop of runs ends before it costs more."
    set_budget(project=project, limits=limits, reason=reason, by=lead)
    limits = {"cost_usd": Decimal("0.05"), "tool_calls": Decimal(6)}
    reason = "On trial: no more than six calls a day until its first week was looked at."
    set_budget(project=project, agent=watch, limits=limits, reason=reason, by=lead)
    warn_of_budgets()


def _count_past(project: Project, agent: Agent) -> None:
    """Write what the past sessions used, a row per day; they ran before spend was counted."""
    since = database_now() - timedelta(days=_DAYS)
    past = Session.objects.filter(
        project=project, source=Session.Source.DEMO, started_at__gte=since
    )
    calls = dict(
        Span.objects.filter(session__in=past, kind=Span.Kind.TOOL)
        .annotate(day=TruncDate("session__started_at", tzinfo=UTC))
        .values_list("day")
        .annotate(Count("pk"))
    )
    days = (
        past.annotate(day=TruncDate("started_at", tzinfo=UTC))
        .values("day")
        .annotate(
            runs=Count("pk"),
            cost=Sum("cost_usd"),
            tokens=Sum("input_tokens") + Sum("output_tokens"),
            steps=Sum("num_steps"),
            nanoseconds=Sum("working_ns"),
            num_over=Count("pk", filter=Q(status_reason__startswith="over its limit")),
        )
    )
    Spend.objects.bulk_create(
        Spend(
            agent=agent,
            day=row["day"],
            shard=0,
            cost_usd=row["cost"] or 0,
            tokens=row["tokens"] or 0,
            steps=row["steps"],
            tool_calls=calls.get(row["day"], 0),
            milliseconds=row["nanoseconds"] // 1_000_000,
            runs=row["runs"],
            over_budget=row["num_over"],
        )
        for row in days
    )


def _make_watch(project: Project, engineer: AbstractBaseUser, lead: AbstractBaseUser) -> Agent:
    server = ModelServer(_WatchBrain()).start()
    try:
        with pghistory.context(user=lead.pk, action="create agent"):
            agent = Agent.objects.create(
                project=project,
                slug=WATCH,
                name="Shop watch",
                description="Looks at orders that are late, and tells the desk.",
                dataset=DATASET,
                model_base_url=server.base_url,
            )
        give_tools(agent=agent, names=[_TOOL], by=lead)
        config = VersionConfig(
            system_prompt=_PROMPT,
            model=MODELS[0],
            fallback_model=MODELS[1],
            parameters={"temperature": 0},
            tools=(_TOOL,),
            limits=Limits(max_tool_calls=10, max_repeats=3, model_timeout_seconds=20),
        )
        version = create_version(
            agent=agent, config=config, note="First version, on trial.", author=engineer
        )
        _run_watch(agent, version, engineer)
    finally:
        server.stop()
    with pgtrigger.ignore("agents.Agent:update_update"):  # the server lived in here alone
        Agent.objects.filter(pk=agent.pk).update(model_base_url="")
    return agent


def _run_watch(agent: Agent, version: Version, by: AbstractBaseUser) -> None:
    orders = sorted(shop_records()["order"])[:3]
    wishes = ("How does order {} stand?", "How does {} stand " + _BUSY, "Watch {} " + _AGAIN)
    for order, wish in zip(orders, wishes, strict=True):
        run = start_run(
            agent=agent,
            version=version,
            run_input={"messages": [{"role": "user", "content": wish.format(order)}]},
            started_by=by,
        )
        advance(run.pk)


class _WatchBrain:
    """Looks an order up and says how it stands; away, or in a loop, where the demo wants it."""

    models = MODELS

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return the next message."""
        messages = request["messages"]
        wish = next(each["content"] for each in messages if each["role"] == "user")
        results = [each["content"] for each in messages if each["role"] == "tool"]
        if _BUSY in wish and not results and request["model"] == MODELS[0]:
            raise RequestRefusedError(
                "The model is overloaded; try again later.", HTTPStatus.SERVICE_UNAVAILABLE
            )
        if _AGAIN in wish or not results:
            return Answer(_call(wish, len(results)))
        status = json.loads(results[-1]).get("status", "unknown")
        return Answer({"role": "assistant", "content": f"It is {status}; nothing is to be done."})


def _call(wish: str, number: int) -> dict[str, Any]:
    order = next(word for word in wish.split() if word.startswith("#"))
    function = {"name": _TOOL, "arguments": json.dumps({"order_id": order})}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [call]}
