"""The step that does a tool call, in the transaction that decides about it."""

import time

from agents.config import VersionConfig
from agents.models import Step
from agents.runtime.calls import perform_call
from agents.runtime.claim import Claim, fenced
from agents.runtime.early import ends_early
from agents.runtime.ending import park_run
from agents.runtime.journal import CallTool
from agents.runtime.record import new_step, span_of
from agents.tools.autonomy import database_now
from traces.recorder import record_spans


def call_tool(claim: Claim, action: CallTool, steps: list[Step], config: VersionConfig) -> bool:
    """Decide about one call and do it; False if the run has ended or parked with it."""
    with fenced(claim) as run:
        if ends_early(run, steps, config):
            return False
        now = database_now()
        waited_ns = time.time_ns() - action.step.start_ns if action.step else 0
        step = action.step or new_step(run, claim.token, action.index, Step.Kind.TOOL, action.name)
        step.call_id = action.call_id
        step.request = {"arguments": action.arguments}
        if action.arguments is None:
            step.request["raw_arguments"] = action.raw_arguments
        outcome = perform_call(run=run, action=action, now=now)
        step.status, step.response = outcome.status, outcome.response
        is_waiting = outcome.status is Step.Status.WAITING
        step.finished_at = None if is_waiting else database_now()
        step.save()
        if outcome.approval:
            outcome.approval.step = step
            outcome.approval.save()
        span = span_of(step, attributes=outcome.attributes, waited_ns=waited_ns)
        record_spans(session=run.session, spans=[span])
        if is_waiting:
            park_run(run)
    return not is_waiting
