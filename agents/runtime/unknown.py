"""Calls of which nobody knows whether they happened: a person has to find out.

Each function is called with the run's row locked.
"""

from agents.models import EffectReview, Run, Step
from agents.outbox import tell
from agents.runtime.record import span_of
from agents.tools.registry import UnknownToolError, contract_for
from traces.recorder import record_spans


def may_have_happened(run: Run, step: Step) -> bool:
    """Say whether a call that has not ended may have changed something outside."""
    if step.kind != Step.Kind.TOOL or not step.effect_key:
        return False
    is_in_the_dark = step.status == Step.Status.STARTED or was_sent(step)
    return is_in_the_dark and not _only_reads(run, step.name)


def was_sent(step: Step | None) -> bool:
    """Say whether an earlier attempt of a call that waits for its next may have arrived."""
    return bool(step and step.response and step.response.get("is_sent"))


def ask_what_happened(run: Run, step: Step, why: str) -> EffectReview:
    """Mark a call as unknown, and ask people; whoever wants to know of it is told."""
    step.status, step.finished_at = Step.Status.UNKNOWN, None
    step.response = None
    step.save(update_fields=["status", "finished_at", "response"])
    review, is_new = EffectReview.objects.get_or_create(
        run=run, step=step, verdict=EffectReview.Verdict.WAITING, defaults={"why": why[:500]}
    )
    if is_new:
        tell(
            project=run.project,
            event="run_needs_review",
            payload={
                "title": f"{run.agent}: nobody knows whether {step.name} happened",
                "url": f"/p/{run.project.slug}/sessions/{run.session_id}/",
                "run": str(run.pk),
                "review": review.pk,
            },
            key=f"effect_review:{review.pk}",
        )
    attributes = {
        "effect_key": step.effect_key,
        "attempt": step.num_attempts,
        "is_unknown": True,
    }
    record_spans(session=run.session, spans=[span_of(step, attributes=attributes)])
    return review


def _only_reads(run: Run, tool: str) -> bool:
    try:
        return contract_for(tool, run.project_id).is_read
    except UnknownToolError:
        return False
