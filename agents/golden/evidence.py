"""What a session did, with the values that its tools worked with.

The trace is masked; the journal of a run made here is not (docs/decisions/014). Golden tests are
made of, and judged by, what really happened.
"""

from agents.models import Run
from traces.models import Session, Span


def spans_of(session: Session) -> list[Span]:
    """Return a session's spans by start, those of a run made here as its journal has them.

    One query, and two more where something was masked. The rows are for reading, never to be
    saved.
    """
    spans = list(Span.objects.filter(session=session).order_by("start_ns"))
    masked = [span for span in spans if span.masked]
    run = Run.objects.filter(session=session).first() if masked else None
    if run is None:
        return spans
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
    return spans
