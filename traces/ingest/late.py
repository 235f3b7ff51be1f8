"""Words of a span that come as log records, before the span or after it.

SDKs before the conventions of 1.37 send what was said to a model as events in the logs signal:
another request, at another time. Such a record waits in a row of its own until its span is there,
and then becomes a part of it (`otel["logs"]`), from which input and output are read anew.
`otel["from_logs"]` says which of them were, and how much was masked in the words, by kind.
"""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from traces.ingest.dialects import normalise
from traces.ingest.dialects.own import counts_of
from traces.ingest.wire import WireEvent, WireLog, WireSpan
from traces.models import Project, Span, WaitingEvent
from traces.records import SpanRecord
from traces.redaction import masker_for
from traces.rows import json_text

# By the sessions' traces, of which few have anything waiting.
_MET = """
SELECT event.id, event.event, event.masked, span.session_id, span.span_id, span.start_ns,
    span.duration_ns, span.kind, span.name, span.model, span.input, span.output, span.heard,
    span.otel, span.masked
FROM traces_trace AS trace
JOIN traces_waitingevent AS event
    ON event.project_id = trace.project_id AND event.trace_id = trace.trace_id
JOIN traces_session AS session ON session.id = trace.session_id
JOIN traces_span AS span ON span.session_id = session.id AND span.start_ns >= session.first_ns
    AND span.span_id = event.span_id AND span.trace_id = event.trace_id
WHERE trace.session_id = ANY(%s)
ORDER BY span.session_id, span.span_id, span.start_ns, event.id FOR UPDATE OF event, span
"""
# The lock waits for a refresher that is just giving words to one of these spans.
_GIVE_BACK = """
WITH replaced AS (
    SELECT session.project_id, span.trace_id, span.span_id, span.otel
    FROM traces_span AS span JOIN {table} AS incoming ON {condition}
    JOIN traces_session AS session ON session.id = span.session_id
    WHERE jsonb_typeof(span.otel -> 'logs') = 'array'
    ORDER BY span.session_id, span.span_id, span.start_ns FOR UPDATE OF span
)
INSERT INTO traces_waitingevent (
    project_id, trace_id, span_id, event, masked, digest, received_at)
SELECT project_id, trace_id, span_id, event,
    CASE WHEN place = 1 THEN otel #> '{{from_logs,masked}}' END,
    encode(sha256(convert_to(concat_ws(' ', trace_id, span_id, event), 'UTF8')), 'hex'),
    clock_timestamp()
FROM replaced, jsonb_array_elements(otel -> 'logs') WITH ORDINALITY AS logs (event, place)
WHERE trace_id IS NOT NULL AND jsonb_typeof(event) = 'object'
ON CONFLICT DO NOTHING
"""
_WRITE = """
UPDATE traces_span SET input = %s, output = %s, heard = %s, otel = %s, masked = %s
WHERE session_id = %s AND span_id = %s AND start_ns = %s
"""


@dataclass(frozen=True)
class _Met:
    """A waiting event beside its span; JSON as text."""

    pk: int
    event: str
    event_masked: str | None
    session_id: uuid.UUID
    span_id: str
    start_ns: int
    duration_ns: int
    kind: str
    name: str
    model: str
    input: str | None
    output: str | None
    heard: str
    otel: str | None
    masked: str | None

    @property
    def key(self) -> tuple[uuid.UUID, str, int]:
        return self.session_id, self.span_id, self.start_ns


@dataclass(frozen=True)
class _FromLogs:
    """Which of a span's input and output were made of log records, and what was masked there."""

    parts: set[str]
    masked: Counter[str]


def hold_events(*, project: Project, logs: Iterable[WireLog]) -> None:
    """Keep words, masked, until their spans come, or housekeeping drops them. One query."""
    masker = masker_for(project)
    rows = []
    for log in logs:
        event, masked = masker.json(asdict(log.event))
        rows.append(
            WaitingEvent(
                project=project,
                trace_id=uuid.UUID(log.trace_id),
                span_id=log.span_id,
                event=json.loads(json_text(event)),
                masked=masked or None,
                digest=_digest(log),
            )
        )
    if rows:
        WaitingEvent.objects.bulk_create(rows, ignore_conflicts=True)


def take_in_events(session_ids: Collection[uuid.UUID]) -> None:
    """Give these sessions' spans the words that wait for them.

    One query where none does; else one more per span. Whichever came first, the result is the same.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_MET, [list(session_ids)])
        met = [_Met(*row) for row in cursor.fetchall()]
        for key, together in groupby(met, lambda each: each.key):
            cursor.execute(_WRITE, [*_merged(list(together)), *key])
        if met:
            WaitingEvent.objects.filter(pk__in=[each.pk for each in met]).delete()


def give_back_words(cursor: CursorWrapper, *, table: str, condition: str) -> None:
    """Let the words of spans that are about to be replaced wait again, for their next version.

    Args:
        cursor: Of the transaction that replaces them.
        table: Where the next versions are, as `incoming`; ours, never from outside.
        condition: Which `span` each of them replaces, in SQL; likewise.
    """
    cursor.execute(_GIVE_BACK.format(table=table, condition=condition))


def _merged(together: list[_Met]) -> list[Any]:
    """Return input, output, heard, otel and masked of a span with what waited for it."""
    span = together[0]
    otel = json.loads(span.otel) if span.otel else {}
    logs, made = _taken_in(otel)
    masked = Counter(json.loads(span.masked or "{}"))
    for each in together:
        event = json.loads(each.event)
        if event in logs or not _is_event(event):
            continue
        logs.append(event)
        num_masked = counts_of(json.loads(each.event_masked or "{}"))
        masked.update(num_masked)
        made.masked.update(num_masked)
    logs.sort(key=lambda event: (event["time_ns"], json_text(event)))
    input_, output, heard = span.input, span.output, span.heard
    if span.kind == Span.Kind.MODEL:
        said = _normalised(span, logs)
        # What the span says itself stands.
        if said.input is not None and (input_ is None or "input" in made.parts):
            input_, heard = json_text(said.input), said.heard
            made.parts.add("input")
        if said.output is not None and (output is None or "output" in made.parts):
            output = json_text(said.output)
            made.parts.add("output")
    from_logs = {"parts": sorted(made.parts), "masked": made.masked}
    return [
        input_,
        output,
        heard,
        json_text({**otel, "logs": logs, "from_logs": from_logs}),
        json_text(masked) if masked else None,
    ]


def _taken_in(otel: dict[str, Any]) -> tuple[list[dict[str, Any]], _FromLogs]:
    """Return the words that a span holds, and what was made of them; a file may say anything."""
    logs, made = otel.get("logs"), otel.get("from_logs")
    if not isinstance(logs, list) or not isinstance(made, dict):
        return [], _FromLogs(set(), Counter())
    parts = {part for part in ("input", "output") if part in str(made.get("parts"))}
    masked = Counter(counts_of(made.get("masked")) or {})
    return [event for event in logs if _is_event(event)], _FromLogs(parts, masked)


def _is_event(event: Any) -> bool:
    return (
        isinstance(event, dict)
        and set(event) == {"name", "time_ns", "attributes", "body"}
        and isinstance(event["name"], str)
        and isinstance(event["time_ns"], int)
        and isinstance(event["attributes"], dict)
    )


def _normalised(span: _Met, logs: list[dict[str, Any]]) -> SpanRecord:
    """Return what the log records alone would make of a model call."""
    wire = WireSpan(
        trace_id="",
        span_id=span.span_id,
        parent_id=span.span_id,
        name=span.name,
        kind=3,
        start_ns=span.start_ns,
        end_ns=span.start_ns + span.duration_ns,
        attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": span.model},
        events=tuple(WireEvent(**event) for event in logs),
    )
    return normalise(wire).record


def _digest(log: WireLog) -> str:
    sent = json.dumps([log.trace_id, log.span_id, asdict(log.event)], sort_keys=True)
    return hashlib.sha256(sent.encode(errors="replace")).hexdigest()
