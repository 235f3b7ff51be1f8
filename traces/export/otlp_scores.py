"""Scores as the GenAI conventions' evaluation events, on the spans that an export has."""

import json
from typing import Any

from traces.export.otlp_values import Json, is_native
from traces.ingest.evaluations import EVALUATION, EXPLANATION, LABEL, NAME, OWN_SCORE, VALUE
from traces.models import Score
from traces.records import to_ns


class ScoresToTell:
    """A session's scores that no span of its export has told yet."""

    def __init__(self, scores: list[Score]) -> None:
        self._by_span: dict[str, list[Score]] = {}
        for score in scores:
            self._by_span.setdefault(score.span_id, []).append(score)

    def take(self, row: dict[str, Any], *, is_last: bool) -> list[Score]:
        """Return the scores for this span to tell: its own, and its trace's if it is the first.

        The session's last span tells all that is left, such as those of spans that never came.
        """
        if not self._by_span:
            return []
        found: list[Score] = []
        for span_id in list(self._by_span) if is_last else ["", row["span_id"]]:
            for score in self._by_span.pop(span_id, []):
                if is_last or score.trace_id in (None, row["trace_id"]):
                    found.append(score)
                else:
                    self._by_span.setdefault(span_id, []).append(score)
        return found


def told_by(events: list[Json], scores: list[Score]) -> list[Json]:
    """Return a span's events with these scores, instead of the events that those were made of."""
    names = {score.name for score in scores}
    kept = [
        event
        for event in events
        if event.get("name") != EVALUATION or (event.get("attributes") or {}).get(NAME) not in names
    ]
    return [*kept, *map(_event, scores)]


def _event(score: Score) -> Json:
    """Return what the conventions say of a score, and all of it in an attribute of ours."""
    own = {
        "span_id": score.span_id,
        "name": score.name,
        "value": score.value,
        "label": score.label,
        "explanation": score.explanation,
        "evaluator": score.evaluator,
        "time_ns": to_ns(score.at),
        "attributes": score.attributes,
        "digest": score.digest,
    }
    said = {
        **{name: value for name, value in score.attributes.items() if is_native(value)},
        NAME: score.name,
        VALUE: score.value,
        LABEL: score.label,
        EXPLANATION: score.explanation,
        OWN_SCORE: json.dumps(own, ensure_ascii=False),
    }
    kept = {name: value for name, value in said.items() if name and value not in (None, "")}
    return {"name": EVALUATION, "time_ns": max(to_ns(score.at), 0), "attributes": kept}
