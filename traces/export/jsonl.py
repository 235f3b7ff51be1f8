"""Sessions as JSON Lines, one a line, with everything that is known of them: `reviewdesk/1`.

`traces/ingest/importers/reviewdesk.py` reads it back; `docs/import.md` describes the form.
"""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from traces.export.reading import Emitters, Found, read_whole
from traces.export.sight import EVERYTHING, Sight
from traces.models import Label, LabelSet, Score, Session, Span
from traces.planted import is_secret, metadata_told
from traces.rows import SPAN_COLUMN_NAMES

FORMAT = "reviewdesk/1"

_SESSION = (
    "source",
    "external_id",
    "status",
    "status_reason",
    "is_golden",
    "agent_name",
    "version_name",
    "customer",
    "title",
    "started_at",
    "ended_at",
    "received_at",
    "first_ns",
    "last_ns",
    "working_ns",
    "num_steps",
    "num_spans",
    "num_errors",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_usd",
    "tools",
    "model_names",
    "masked",
    "metadata",
)
# Left as the text that the database has, which is JSON already.
_JSON = ("input", "output", "attributes", "otel", "masked")
_PLAIN = tuple(
    name
    for name in SPAN_COLUMN_NAMES
    if name not in {"session_id", "trace_id", "emitter_id", *_JSON}
)
_AUTHORED = ("answers", "first_wrong_span_id", "comment", "created_at", "updated_at")
_SCORE = (
    "span_id",
    "name",
    "value",
    "label",
    "explanation",
    "evaluator",
    "at",
    "attributes",
    "digest",
)


def export_jsonl(sessions: QuerySet[Session], sight: Sight = EVERYTHING) -> Iterator[str]:
    """Yield the sessions in their order, in pieces of lines: a session may be large."""
    spans = Span.objects.values_list(
        "session_id",
        "trace_id",
        "emitter_id",
        *_PLAIN,
        *(Cast(name, TextField()) for name in _JSON),
    )
    emitters = Emitters()
    for found in read_whole(sessions, spans):
        yield from _line(found, emitters, sight)


def _line(found: Found, emitters: Emitters, sight: Sight) -> Iterator[str]:
    columns = _SESSION if sight.has_masked else tuple(name for name in _SESSION if name != "masked")
    head = {
        "format": FORMAT,
        "session": {"id": str(found.session.pk), **_session(found.session, columns, sight)},
        "labels": [_label(label) for label in sight.labels_of(found.labels)],
        "scores": [_score(score) for score in found.scores],
    }
    yield _dump(head)[:-1] + ', "spans": ['
    told: set[int] = set()
    for index, row in enumerate(found.spans):
        yield (", " if index else "") + _span(row, emitters, told, sight)
    yield "]}\n"


def _session(session: Session, columns: tuple[str, ...], sight: Sight) -> dict[str, Any]:
    told = _columns(session, columns)
    if not sight.has_planted and is_secret(session):
        told |= {"is_golden": False, "metadata": metadata_told(session)}
    return told


def _span(row: tuple[Any, ...], emitters: Emitters, told: set[int], sight: Sight) -> str:
    """Return a span; its emitter is told in full where the line names it first."""
    _, trace_id, emitter_id, *rest = row
    plain = dict(zip(_PLAIN, rest, strict=False))
    kept = {name: value for name, value in plain.items() if value not in (None, "")}
    if trace_id:
        kept["trace_id"] = trace_id.hex
    if emitter := emitters.get(emitter_id):
        kept["emitter"] = {"number": emitter.pk}
        if emitter.pk not in told:
            kept["emitter"] |= {"resource": emitter.resource, "scope": emitter.scope}
            told.add(emitter.pk)
    members = [_dump(kept)[1:-1]]
    for name, text in zip(_JSON, rest[len(_PLAIN) :], strict=True):
        if name == "masked" and not sight.has_masked:
            continue
        if text not in (None, "{}" if name == "attributes" else None):
            members.append(f'"{name}": {text}')
    return "{" + ", ".join(members) + "}"


def _label(label: Label) -> dict[str, Any]:
    return {
        "author": str(label.author),
        "author_digest": digest_of_email(label.author.email),
        "label_set": {
            "version": label.label_set.version,
            "digest": digest_of_set(label.label_set),
        },
        "completed_at": _plain(label.completed_at),
        **_columns(label, _AUTHORED),
    }


def _score(score: Score) -> dict[str, Any]:
    trace_id = {"trace_id": score.trace_id.hex} if score.trace_id else {}
    return {**trace_id, **_columns(score, _SCORE)}


def digest_of_email(email: str) -> str:
    """Return what an author is recognised by elsewhere without telling the address."""
    return hashlib.sha256(email.strip().lower().encode()).hexdigest()


def digest_of_set(label_set: LabelSet) -> str:
    """Return what the same questions are recognised by in another project."""
    text = json.dumps(label_set.questions, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _columns(row: Any, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | list | dict):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _dump(value: Any) -> str:
    # Cost and times are text there: no JSON number holds them exactly.
    return json.dumps(value, ensure_ascii=False, default=_plain)
