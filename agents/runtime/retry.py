"""Retrying a run from a step: a new run that goes on from a copy of what came before it.

Copied are the journal, the conversation and the shop as the run had left it. Nothing of that is
done again; from the step on everything is decided and done anew, under new keys. What the first
run did from that step on stays done: `later_effects` tells people of it before they decide.
"""

import time
from dataclasses import replace

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction

from agents.errors import RunError
from agents.models import Run, ShopWrite, Step
from agents.runtime.budgets import count
from agents.runtime.hints import hint_on_commit
from agents.runtime.journal import Finish, next_action
from agents.runtime.record import opening_spans, root_span_id, span_of
from agents.tools.autonomy import database_now
from agents.tools.contract import NOT_MADE, ToolContract
from agents.tools.registry import contracts_named
from traces.clean import clean_text
from traces.recorder import new_span_id, open_session, record_spans
from traces.records import SpanRecord

MIN_REASON, MAX_REASON = 3, 1000
_SETTLED = (Step.Status.DONE, Step.Status.FAILED)
# Not done again: its own fixtures, or people's doing.
_RETRIED_KINDS = (Run.Kind.LIVE,)


def retry_from(*, run: Run, index: int, by: AbstractBaseUser, reason: str) -> Run:
    """Queue a new run that starts before the step `index` of a run that has ended.

    The new run is of the same version. Levels, budgets and approvals are those of now.

    Raises:
        RunError: The run has not ended or is no live run; there is no such step, an earlier one
            is not settled, nothing is left to do from there, or there is no reason.
    """
    reason = clean_text(reason.strip())[:MAX_REASON]
    if len(reason) < MIN_REASON:
        raise RunError(
            f"Say why, in at least {MIN_REASON} characters: it is kept with the new run."
        )
    with transaction.atomic():
        first = (
            Run.objects.select_for_update(of=("self",))
            .select_related("agent", "version", "session", "project")
            .get(pk=run.pk)
        )
        kept = steps_before(first, index)
        new = _open(first, index, by, reason, num_kept=len(kept))
        _copy_steps(first, new, kept)
        _copy_writes(first, new, index)
        count(new, runs=1)
        hint_on_commit()
    return new


def steps_before(run: Run, index: int) -> list[Step]:
    """Return the steps that a retry from `index` keeps.

    Raises:
        RunError: As `retry_from`, except for the reason.
    """
    if run.kind not in _RETRIED_KINDS:
        raise RunError(f"A {run.get_kind_display()} run is not retried; start it again as a whole.")
    if run.status in Run.OPEN:
        raise RunError(
            f"This run has not ended: it is {run.get_status_display()}. Cancel it first."
        )
    steps = list(run.steps.order_by("index"))
    last = max((step.index for step in steps), default=-1)
    if not 0 <= index <= last + 1:
        raise RunError(f"There is no step {index}; the run has steps 0 to {last}.")
    kept = [step for step in steps if step.index < index]
    for step in kept:
        if not _is_settled(step):
            raise RunError(
                f"Step {step.index} ({step.name}) is {step.get_status_display()}: "
                "retry from it or from an earlier one."
            )
    if isinstance(next_action(run.input, kept), Finish):
        raise RunError(f"Nothing is left to do from step {index}: the run had come to its end.")
    return kept


def resume_index(run: Run) -> int:
    """Return the step at which a run broke off: the first that did not come to an end of its own.

    One query.
    """
    following = 0
    for step in run.steps.order_by("index"):
        broke_off = step.status == Step.Status.FAILED and step.finished_at == run.finished_at
        if broke_off or not _is_settled(step):
            return step.index
        following = step.index + 1
    return following


def later_effects(run: Run, index: int) -> list[Step]:
    """Return the calls from `index` on that changed something, or may have: they stay done."""
    steps = list(run.steps.filter(kind=Step.Kind.TOOL, index__gte=index).order_by("index"))
    known = contracts_named({step.name for step in steps}, run.project_id)
    return [step for step in steps if _changed_something(step, known.get(step.name))]


def _is_settled(step: Step) -> bool:
    if step.kind == Step.Kind.MODEL:
        return step.status == Step.Status.DONE
    return step.status in _SETTLED


def _changed_something(step: Step, contract: ToolContract | None) -> bool:
    if contract is not None and contract.is_read:
        return False
    if step.status == Step.Status.UNKNOWN:
        return True
    response = step.response or {}
    is_made = step.status == Step.Status.DONE and not any(key in response for key in NOT_MADE)
    return is_made and "undone" not in response


def _open(first: Run, index: int, by: AbstractBaseUser, reason: str, *, num_kept: int) -> Run:
    start_ns = time.time_ns()
    old = first.session
    session = open_session(
        project=first.project,
        agent_name=old.agent_name,
        version_name=old.version_name,
        start_ns=start_ns,
        customer=old.customer,
        title=old.title,
        metadata={
            **{key: value for key, value in old.metadata.items() if key != "session_id"},
            "retried_from": str(first.session_id),
            "retried_from_step": index,
            "retry_reason": reason,
        },
    )
    spans = opening_spans(first.agent.slug, session.pk, first.input["messages"], start_ns)
    record_spans(session=session, spans=spans)
    taint = first.taint if first.taint and first.taint.get("step", 0) < index else None
    return Run.objects.create(
        id=session.pk,
        project_id=first.project_id,
        agent=first.agent,
        version=first.version,
        session=session,
        kind=first.kind,
        input=first.input,
        started_by_id=by.pk,
        taint=taint,
        retried_from=first,
        retried_from_index=index,
        retry_reason=reason,
        next_at=database_now(),
    )


def _copy_steps(first: Run, new: Run, kept: list[Step]) -> None:
    """Copy steps and spans; what they cost was paid by the first run."""
    spans: list[SpanRecord] = []
    copies: list[Step] = []
    start_ns = new.session.first_ns + len(first.input["messages"])
    for offset, step in enumerate(kept, 1):
        copy = Step(**{field: getattr(step, field) for field in _COPIED})
        copy.run, copy.claim_token, copy.span_id = new, 0, new_span_id()
        copy.start_ns = start_ns + offset
        copies.append(copy)
        span = span_of(copy, attributes={"given": True, "copied_from": step.span_id})
        spans.append(replace(span, parent_id=root_span_id(new.pk), duration_ns=0, cost_from=""))
    Step.objects.bulk_create(copies)
    if spans:
        record_spans(session=new.session, spans=spans)


def _copy_writes(first: Run, new: Run, index: int) -> None:
    """Copy what the kept calls wrote, so that the new run sees the shop as they left it."""
    keys = {f"{first.pk}:{number}": f"{new.pk}:{number}" for number in range(index)}
    writes = ShopWrite.objects.filter(run=first, effect_key__in=keys).order_by("id")
    ShopWrite.objects.bulk_create(
        ShopWrite(
            run=new,
            kind=write.kind,
            key=write.key,
            data=write.data,
            tool=write.tool,
            effect_key=keys[write.effect_key],
        )
        for write in writes
    )


_COPIED = (
    "index", "kind", "status", "name", "call_id", "request", "response", "tool_version",
    "num_attempts", "started_at", "finished_at",
)  # fmt: skip
