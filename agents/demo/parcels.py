"""The demo's call of unknown outcome: a van that a carrier may or may not have been sent for.

The carrier books anew at every call and keeps no keys. The worker is lost in the middle of the
call, so the run is parked, and a person has to find out.
"""

import json
from typing import Any

import pghistory
import pgtrigger
from django.contrib.auth.base_user import AbstractBaseUser

from agents.config import VersionConfig
from agents.demo.records import DATASET
from agents.llm.simulator.scripted import MODELS
from agents.llm.simulator.server import Answer, ModelServer
from agents.models import Agent, Level, Run, Step
from agents.releases.propose import create_version
from agents.runtime.claim import claim_due_run, fenced, let_go
from agents.runtime.ending import wake_run
from agents.runtime.loop import advance, advance_step
from agents.runtime.record import new_step, span_of
from agents.runtime.start import start_run
from agents.tools.autonomy import give_tool
from agents.tools.registry import contract_for
from traces.models import Project
from traces.recorder import record_spans

PARCELS = "parcel-desk"
_TOOL = "book_pickup"
_ARGUMENTS = {"day": "2026-12-01", "parcels": 12}
_PROMPT = """You have the day's parcels fetched by the carrier.
Book one van, never two: each one that comes is paid for."""


def leave_unknown(*, project: Project, engineer: AbstractBaseUser, lead: AbstractBaseUser) -> None:
    """Make a third agent, and a run of it whose worker is lost while a van is booked.

    Args:
        project: The demo's shop, with the carrier's tools.
        engineer: Writes its version and starts the run.
        lead: Gives it the tool.
    """
    server = ModelServer(_BookBrain()).start()
    try:
        with pghistory.context(user=lead.pk, action="create agent"):
            agent = Agent.objects.create(
                project=project,
                slug=PARCELS,
                name="Parcel desk",
                description="Has the parcels fetched that leave.",
                dataset=DATASET,
                model_base_url=server.base_url,
            )
        reason = "It books the van for what the warehouse has packed."
        give_tool(agent=agent, name=_TOOL, level=Level.APPROVE, reason=reason, by=lead)
        config = VersionConfig(system_prompt=_PROMPT, model=MODELS[0], tools=(_TOOL,))
        version = create_version(
            agent=agent, config=config, note="First version, on trial.", author=engineer
        )
        content = "Twelve parcels are packed for 1 December; please have them fetched."
        run_input = {"messages": [{"role": "user", "content": content}]}
        _lose_in_call(
            start_run(agent=agent, version=version, run_input=run_input, started_by=engineer)
        )
    finally:
        server.stop()
    with pgtrigger.ignore("agents.Agent:update_update"):  # the server lived in here alone
        Agent.objects.filter(pk=agent.pk).update(model_base_url="")


def _lose_in_call(run: Run) -> None:
    """Leave the journal as a worker does that is lost in the middle of the call, and resume."""
    claim = claim_due_run(run.pk)
    if claim is None:
        return
    advance_step(claim)
    with fenced(claim) as row:
        contract = contract_for(_TOOL, row.project_id)
        step = new_step(row, claim.token, 1, Step.Kind.TOOL, _TOOL)
        step.call_id, step.request = "call_0", {"arguments": _ARGUMENTS}
        step.effect_key, step.tool_version = f"{row.pk}:1", contract.version
        step.save()
        record_spans(session=row.session, spans=[span_of(step)])
        wake_run(row)
    let_go(claim)
    advance(run.pk)


class _BookBrain:
    """Asks for the van."""

    models = MODELS

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return the next message."""
        function = {"name": _TOOL, "arguments": json.dumps(_ARGUMENTS)}
        call = {"id": "call_0", "type": "function", "function": function}
        return Answer({"role": "assistant", "content": None, "tool_calls": [call]})
