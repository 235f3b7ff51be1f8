"""What a session did, with the values that its tools worked with.

The trace is masked; the journal of a run made here is not (docs/decisions/014). Golden tests are
made of, and judged by, what really happened.
"""

from collections.abc import Collection
from uuid import UUID

from agents.models import Run
from traces.models import Session, Span


def spans_of(session: Session) -> list[Span]:
    """Return a session's spans by start, those of a run made here as its journal has them.

    One query, and two more where something was masked. The rows are for reading, never to be
    saved.
    """
    return spans_of_many([session])[session.pk]


def spans_of_many(sessions: Collection[Session]) -> dict[UUID, list[Span]]:
    """Return the spans of each session, as `spans_of` does, by the session's id.

    One query, and two more for each session in which something was masked.
    """
    found: dict[UUID, list[Span]] = {session.pk: [] for session in sessions}
    spans = Span.objects.filter(session__in=[*found]).order_by("start_ns")
    if sessions:
        # Spans are kept by time: without a bound each session is looked up in every week.
        spans = spans.filter(start_ns__gte=min(session.first_ns for session in sessions))
    for span in spans:
        found[span.session_id].append(span)
    for own in found.values():
        _unmask(own)
    return found


def _unmask(spans: list[Span]) -> None:
    masked = [span for span in spans if span.masked]
    run = Run.objects.filter(session=spans[0].session_id).first() if masked else None
    if run is None:
        return
    steps = {step.span_id: step for step in run.steps.all()}
    given = [span for span in spans if span.attributes.get("given")]
    said = dict(zip([span.span_id for span in given], run.input["messages"], strict=False))
    for span in masked:
        step = steps.get(span.span_id)
        if step is not None:
            span.name = step.name or step.kind
            span.input, span.output = step.request or None, step.response
            span.status_message = str((step.response or {}).get("error", ""))
        elif span.span_id in said:
            span.output = {"content": said[span.span_id]["content"]}
