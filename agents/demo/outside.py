"""The demo's tools of other systems: a carrier's API, and the warehouse's MCP server.

Both are imported and given to no agent. The carrier is nobody's and cannot be reached; the
warehouse's server is `scales.py` and answers.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

from django.contrib.auth.base_user import AbstractBaseUser

from agents.demo import scales
from agents.models import Effect, Tier, ToolDefinition, ToolSource
from agents.tools import connecting, definitions, imports
from agents.tools.contract import policy_from_json
from agents.tools.imports import Choice
from traces.models import Project

_HARRIER = Path(__file__).parent / "data" / "harrier.json"


def connect_outside(*, project: Project, lead: AbstractBaseUser, admin: AbstractBaseUser) -> None:
    """Import both sources, and set the contract of what moves money."""
    harrier = connecting.add_source(
        project=project,
        name="Harrier Parcels",
        kind=ToolSource.Kind.OPENAPI,
        allowed_hosts=["api.harrier-parcels.example"],
        headers={"Authorization": "Bearer HARRIER_KEY"},
        reason="Customers ask where their parcel is.",
        by=lead,
    )
    _import(harrier, json.loads(_HARRIER.read_text()), lead, "First import of their v2.")
    claim = ToolDefinition.objects.select_related("source").get(
        project=project, name="claim_lost_parcel"
    )
    definitions.change_contract(
        definition=claim,
        effect=Effect.KEYED,
        tier=Tier.MONEY,
        policy=replace(
            policy_from_json(claim.policy),
            rate_per_minute=6,
            max_concurrent=2,
            undo_tool="withdraw_claim",
            undo_arguments={"claim": "result.claim"},
            undo_minutes=120,
        ),
        lookup=claim.request["lookup"],
        reason="Claims can be taken back until they are paid, and are never urgent.",
        by=lead,
    )
    warehouse = connecting.add_source(
        project=project,
        name="Warehouse returns",
        kind=ToolSource.Kind.MCP_STDIO,
        command=[sys.executable, str(Path(scales.__file__))],
        reason="Refunds are asked for before the return has been looked at.",
        by=admin,
    )
    _import(warehouse, {"tools": scales.TOOLS}, admin, "First import.")


def _import(
    source: ToolSource, document: dict[str, object], by: AbstractBaseUser, reason: str
) -> None:
    connecting.store_document(source=source, document=document)
    source.refresh_from_db()
    plan = imports.plan_import(source)
    choices = {tool.name: Choice(tool.effect, tool.tier) for tool in plan.changes}
    imports.apply_import(source=source, digest=plan.digest, choices=choices, reason=reason, by=by)
