"""A tiny shop for tests of the runtime: one customer, one order, an agent with its tools."""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from agents.config import Limits, VersionConfig
from agents.models import (
    Agent,
    AgentTool,
    CeilingLift,
    Level,
    Release,
    ShopRecord,
    Tier,
    Version,
)
from agents.tools.autonomy import database_now, lift_ceiling
from reviewdesk.people.models import User
from tests.factories import make_project, make_user

ORDER = {
    "order_id": "#T1",
    "user_id": "tia_test_1",
    "address": {},
    "items": [{"name": "Lamp", "product_id": "1", "item_id": "2", "price": 40.0, "options": {}}],
    "status": "pending",
    "fulfillments": [],
    "payment_history": [
        {"transaction_type": "payment", "amount": 40.0, "payment_method_id": "gift_card_1"}
    ],
}
CUSTOMER = {
    "user_id": "tia_test_1",
    "name": {"first_name": "Tia", "last_name": "Test"},
    "address": {"zip": "10115"},
    "email": "tia@example.com",
    "payment_methods": {"gift_card_1": {"source": "gift_card", "id": "gift_card_1", "balance": 5}},
    "orders": ["#T1"],
}
CANCEL = ("cancel_pending_order", {"order_id": "#T1", "reason": "no longer needed"})
LOOK = ("get_order_details", {"order_id": "#T1"})


def make_shop_agent(base_url: str = "", **levels: Level) -> tuple[Agent, Version]:
    """Make an agent whose tools are autonomous unless `levels` says otherwise, and go live."""
    for kind, record in (("user", CUSTOMER), ("order", ORDER)):
        ShopRecord.objects.get_or_create(
            dataset="test", kind=kind, key=record[f"{kind}_id"], defaults={"data": record}
        )
    agent = Agent.objects.create(
        project=make_project(), slug="shop", name="shop", dataset="test", model_base_url=base_url
    )
    names = {"cancel_pending_order": Level.AUTONOMOUS, "get_order_details": Level.AUTONOMOUS}
    for name, level in {**names, **levels}.items():
        AgentTool.objects.create(agent=agent, name=name, level=level, reason="For the test.")
    version = make_shop_version(agent)
    return make_live(version), version


def make_shop_version(agent: Agent, **overrides: Any) -> Version:
    """Make the next version of `agent`, with its tools; overrides are the config's fields."""
    number = agent.versions.count() + 1
    values: dict[str, Any] = {
        "system_prompt": f"Be kind. ({number})",
        "model": "test-model",
        "tools": tuple(agent.tools.values_list("name", flat=True)),
        "limits": Limits(),
    }
    config = VersionConfig(**{**values, **overrides})
    return Version.objects.create(
        agent=agent, number=number, config=config.to_json(), content_hash=config.content_hash
    )


def make_live(version: Version) -> Agent:
    """Make a version live, as if its release had been approved; return its agent."""
    Release.objects.filter(agent=version.agent, status=Release.Status.LIVE).update(
        status=Release.Status.SUPERSEDED
    )
    Release.objects.create(
        agent=version.agent,
        version=version,
        status=Release.Status.LIVE,
        requested_by=make_user(),
        reason="For the test.",
        evidence_note="Nothing proves it.",
        decided_by=make_user(),
        decided_at=database_now(),
    )
    version.agent.live_version = version
    version.agent.save(update_fields=["live_version"])
    return version.agent


def set_level(tool: AgentTool, level: Level, **values: Any) -> AgentTool:
    """Set a tool's level whatever the rules say, as loading the demo may."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL reviewdesk.authority_reset = 'demo'")
        for name, value in {"level": level, **values}.items():
            setattr(tool, name, value)
        tool.save()
        cursor.execute("SET LOCAL reviewdesk.authority_reset = ''")
    return tool


def lift_for(agent: Agent, by: User | None = None) -> CeilingLift:
    """Lift the ceiling of irreversible writes for a day."""
    return lift_ceiling(
        agent=agent,
        tier=Tier.WRITE_IRREVERSIBLE,
        level=Level.AUTONOMOUS,
        reason="For the test.",
        expires_at=database_now() + timedelta(days=1),
        by=by or make_user("lead", agent.project),
    )
