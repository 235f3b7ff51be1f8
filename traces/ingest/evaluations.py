"""Evaluation events as scores.

An evaluator says what it found as an event `gen_ai.evaluation.result`, a log record of the span it
judged or, where it runs within it, an event of that span:
https://github.com/open-telemetry/semantic-conventions-genai (`model/gen-ai/events.yaml`).
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from traces.errors import BadPayloadError
from traces.ingest.wire import WireEvent, WireLog, WireSpan
from traces.records import EmitterRecord

EVALUATION = "gen_ai.evaluation.result"
NAME = "gen_ai.evaluation.name"
VALUE = "gen_ai.evaluation.score.value"
LABEL = "gen_ai.evaluation.score.label"
EXPLANATION = "gen_ai.evaluation.explanation"
# All of a score as JSON, in our own export.
OWN_SCORE = "reviewdesk.score"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class ScoreRecord:
    """A score as it was sent; see `traces.models.Score`.

    Attributes:
        span_id: Empty where the whole trace was judged.
        time_ns: Nanoseconds since 1970; 0 is unknown.
        digest: The same for the same event, sent again.
    """

    trace_id: str
    span_id: str
    name: str
    value: float | None
    label: str
    explanation: str
    evaluator: str
    time_ns: int
    attributes: dict[str, Any]
    digest: str


def score_of_log(log: WireLog) -> ScoreRecord:
    """Return the score that an evaluation's log record says.

    Raises:
        BadPayloadError: It does not say what was evaluated, or of which trace, or no result.
    """
    if not log.trace_id:
        raise BadPayloadError(f"An {EVALUATION} has no trace id, so nobody knows what it judges.")
    return _score(log.trace_id, log.span_id, log.event, log.emitter)


def scores_in(span: WireSpan) -> Iterator[ScoreRecord]:
    """Yield the scores among a span's events; one that says too little stays an event."""
    for event in span.events:
        if event.name == EVALUATION:
            try:
                yield _score(span.trace_id, span.span_id, event, span.emitter)
            except BadPayloadError:
                continue


def _score(trace_id: str, span_id: str, event: WireEvent, emitter: EmitterRecord) -> ScoreRecord:
    # Before events had attributes only, they said it in their body.
    said = {**(event.body if isinstance(event.body, dict) else {}), **event.attributes}
    if exported := _own_score(trace_id, said.pop(OWN_SCORE, None)):
        return exported
    sent = json.dumps([trace_id, span_id, event.time_ns, said], sort_keys=True)
    name, label = _text(said.pop(NAME, "")), _text(said.pop(LABEL, ""))
    value, explanation = _number(said.pop(VALUE, None)), _text(said.pop(EXPLANATION, ""))
    if not name:
        raise BadPayloadError(f"An {EVALUATION} has no {NAME}.")
    if value is None and not label and not explanation:
        raise BadPayloadError(f"The {EVALUATION} {name[:60]!r} has neither value nor label.")
    evaluator = emitter.scope.get("name") or emitter.resource.get("service.name")
    return ScoreRecord(
        trace_id=trace_id,
        span_id=span_id,
        name=name,
        value=value,
        label=label,
        explanation=explanation,
        evaluator=_text(evaluator or ""),
        time_ns=event.time_ns,
        attributes=said,
        digest=hashlib.sha256(sent.encode(errors="replace")).hexdigest(),
    )


def _own_score(trace_id: str, told: Any) -> ScoreRecord | None:
    """Return the score that our own export tells; None where that is no whole one."""
    try:
        own = json.loads(told) if isinstance(told, str) else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(own, dict) or not isinstance(own.get("attributes"), dict):
        return None
    texts: dict[str, Any] = {
        name: own.get(name)
        for name in ("span_id", "name", "label", "explanation", "evaluator", "digest")
    }
    time_ns = own.get("time_ns")
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    if not isinstance(time_ns, int) or abs(time_ns) >= 2**63:
        return None
    if not texts["name"] or not _DIGEST.fullmatch(texts["digest"]) or len(texts["span_id"]) > 16:
        return None
    return ScoreRecord(
        trace_id=trace_id,
        value=_number(own.get("value")),
        time_ns=time_ns,
        attributes=own["attributes"],
        **texts,
    )


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
