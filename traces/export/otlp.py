"""Sessions as OTLP in JSON, one document a line, under OpenTelemetry's GenAI conventions.

Form: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, as the collector's file
exporter writes it. What the conventions cannot say stands in attributes `reviewdesk.*`;
`traces/ingest/dialects/own.py` reads both back.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.db.models import QuerySet

from traces.export.otlp_scores import ScoresToTell, told_by
from traces.export.otlp_values import Json, is_native, pairs_of
from traces.export.reading import Emitters, Found, read_whole
from traces.export.sight import EVERYTHING, Sight
from traces.ingest.dialects.own import KIND, PREFIX, SCOPE, WRITTEN
from traces.ingest.dialects.own_messages import message_of, messages_of, with_parts
from traces.models import Session, Span
from traces.planted import metadata_told
from traces.rows import SPAN_COLUMN_NAMES

_WINDOW = 100
_ZERO_ID = "0" * 16
_OPERATIONS = {
    Span.Kind.MODEL: "chat",
    Span.Kind.TOOL: "execute_tool",
    Span.Kind.AGENT: "invoke_agent",
}
_COUNTS = {
    "gen_ai.usage.input_tokens": "input_tokens",
    "gen_ai.usage.output_tokens": "output_tokens",
    "gen_ai.usage.cache_read.input_tokens": "cached_tokens",
    "gen_ai.usage.reasoning.output_tokens": "reasoning_tokens",
}
_INTERNAL, _CLIENT = 1, 3
_OK, _ERROR = 1, 2

Row = dict[str, Any]


def export_otlp(sessions: QuerySet[Session], sight: Sight = EVERYTHING) -> Iterator[str]:
    """Yield lines, each an `ExportTraceServiceRequest` with spans of one session.

    What the spans say of their session stands on the first of them; scores are events of the spans
    that they judge.
    """
    emitters = Emitters()
    for found in read_whole(
        sessions, Span.objects.values_list(*SPAN_COLUMN_NAMES), has_labels=False
    ):
        for rows in _windows(found, sight):
            groups = _groups(found.session, rows, emitters)
            yield json.dumps({"resourceSpans": groups}, ensure_ascii=False) + "\n"


def _windows(found: Found, sight: Sight) -> Iterator[list[Row]]:
    """Yield the spans some at a time, and what each tells of the session beside itself."""
    scores, is_first = ScoresToTell(found.scores), True
    window = list(islice(found.spans, _WINDOW))
    while window:
        following = list(islice(found.spans, _WINDOW))
        rows = [dict(zip(SPAN_COLUMN_NAMES, values, strict=True)) for values in window]
        for row in rows:
            if not sight.has_masked:
                row["masked"] = None
            row["scores"] = scores.take(row, is_last=row is rows[-1] and not following)
            row["about"] = _about(found.session, sight) if is_first else None
            is_first = False
        yield rows
        window = following


def _groups(session: Session, rows: list[Row], emitters: Emitters) -> list[Json]:
    """Return the spans by who sent them."""
    by_emitter: dict[int | None, list[Json]] = {}
    for row in rows:
        by_emitter.setdefault(row["emitter_id"], []).append(_span(session, row))
    groups = []
    for number, spans in by_emitter.items():
        emitter = emitters.get(number)
        resource = emitter.resource if emitter else {"service.name": session.agent_name}
        scope = emitter.scope if emitter else {"name": SCOPE}
        group: Json = {"scope": _scope(scope), "spans": spans}
        if scope.get("schema_url"):
            group["schemaUrl"] = scope["schema_url"]
        groups.append({"resource": {"attributes": pairs_of(resource)}, "scopeSpans": [group]})
    return groups


def _scope(scope: Json) -> Json:
    said = {name: scope[name] for name in ("name", "version") if scope.get(name)}
    attributes = scope.get("attributes")
    return {**said, "attributes": pairs_of(attributes)} if attributes else said


def _span(session: Session, row: Row) -> Json:
    otel = row["otel"] or {}
    start_ns = max(row["start_ns"], 1)
    is_error = row["status"] == Span.Status.ERROR
    span: Json = {
        "traceId": row["trace_id"].hex if row["trace_id"] else session.pk.hex,
        "spanId": _id(row["span_id"]),
        "name": " ".join(filter(None, [_OPERATIONS.get(row["kind"]), row["name"]])),
        "kind": otel.get("kind") or (_CLIENT if row["kind"] == Span.Kind.MODEL else _INTERNAL),
        "startTimeUnixNano": str(start_ns),
        "endTimeUnixNano": str(start_ns + row["duration_ns"]),
        "attributes": pairs_of(_attributes(session, row)),
        "status": {"code": otel.get("status_code") or (_ERROR if is_error else _OK)},
    }
    if row["parent_id"]:
        span["parentSpanId"] = _id(row["parent_id"])
    if is_error and row["status_message"]:
        span["status"]["message"] = row["status_message"]
    return {**span, **_rest({**otel, "events": told_by(otel.get("events") or [], row["scores"])})}


def _rest(otel: Json) -> Json:
    """Return events, links and flags."""
    events = [
        {
            "name": event.get("name", ""),
            "timeUnixNano": str(event.get("time_ns", 0)),
            "attributes": pairs_of(event.get("attributes") or {}),
        }
        for event in otel.get("events") or []
    ]
    links = [
        {
            "traceId": link.get("trace_id", ""),
            "spanId": link.get("span_id", ""),
            "attributes": pairs_of(link.get("attributes") or {}),
        }
        for link in otel.get("links") or []
    ]
    said = {
        "events": events,
        "links": links,
        "flags": otel.get("flags"),
        "traceState": otel.get("trace_state"),
    }
    return {name: value for name, value in said.items() if value}


def _attributes(session: Session, row: Row) -> Json:
    """Return the span's attributes: the conventions', ours, and those it came with."""
    own = row["attributes"] or {}
    native = {
        name: value
        for name, value in own.items()
        if name and name not in WRITTEN and not name.startswith(PREFIX) and is_native(value)
    }
    rest = {name: value for name, value in own.items() if name not in native}
    said = {
        **_conventions(session, row),
        **_input(row),
        **_output(row),
        KIND: row["kind"],
        "reviewdesk.status": row["status"],
        "reviewdesk.status_message": row["status_message"],
        "reviewdesk.cost_usd": None if row["cost_usd"] is None else f"{row['cost_usd']:f}",
        "reviewdesk.cost_from": row["cost_from"],
        "reviewdesk.heard": row["heard"],
        "reviewdesk.attributes": _json(rest) if rest else None,
        "reviewdesk.otel": _json(row["otel"]) if row["otel"] else None,
        "reviewdesk.masked": _json(row["masked"]) if row["masked"] else None,
        "reviewdesk.span_id": _ZERO_ID if row["span_id"] == _ZERO_ID else None,
        "reviewdesk.parent_id": _ZERO_ID if row["parent_id"] == _ZERO_ID else None,
        "reviewdesk.session": _json(row["about"]) if row["about"] else None,
    }
    kept = {name: value for name, value in said.items() if value not in (None, "")}
    kept["reviewdesk.name"] = row["name"]
    if row["start_ns"] < 1:
        kept["reviewdesk.start_ns"] = row["start_ns"]
    return {**native, **kept}


def _conventions(session: Session, row: Row) -> Json:
    is_tool = row["kind"] == Span.Kind.TOOL
    return {
        "gen_ai.operation.name": _OPERATIONS.get(row["kind"]),
        "gen_ai.conversation.id": session.external_id or str(session.pk),
        "gen_ai.agent.name": session.agent_name,
        "gen_ai.agent.version": session.version_name,
        "gen_ai.request.model": row["model"],
        "gen_ai.tool.name": row["name"] if is_tool else None,
        "gen_ai.tool.call.id": (row["attributes"] or {}).get("call_id") if is_tool else None,
        "user.id": session.customer,
        **{name: row[column] for name, column in _COUNTS.items()},
    }


def _input(row: Row) -> Json:
    """Return what was put in; in our own attribute where the conventions would lose some of it."""
    given = row["input"]
    if given is None:
        return {}
    if row["kind"] == Span.Kind.TOOL and _has_only(given, "arguments"):
        return {"gen_ai.tool.call.arguments": _json(given["arguments"])}
    if row["kind"] != Span.Kind.MODEL or not _are_messages(given):
        return {"reviewdesk.input": _json(given)}
    messages = [with_parts(message) for message in given["messages"]]
    said: Json = {"gen_ai.input.messages": _json(messages)}
    if "tools" in given:
        said["gen_ai.tool.definitions"] = _json(given["tools"])
    if set(given) <= {"messages", "new", "tools"} and messages_of(messages) == given["messages"]:
        return {**said, "reviewdesk.new": given.get("new")}
    return {**said, "reviewdesk.input": _json(given)}


def _output(row: Row) -> Json:
    """Return what came out, likewise."""
    made = row["output"]
    if made is None:
        return {}
    if row["kind"] == Span.Kind.TOOL and _has_only(made, "result"):
        return {"gen_ai.tool.call.result": _json(made["result"])}
    if row["kind"] != Span.Kind.MODEL or not isinstance(made, dict):
        return {"reviewdesk.output": _json(made)}
    message = with_parts(made, role="assistant")
    said = {"gen_ai.output.messages": _json([message])}
    if message_of(message) == {"role": "assistant", **made} and "role" not in made:
        return said
    return {**said, "reviewdesk.output": _json(made)}


def _are_messages(given: Any) -> bool:
    messages = given.get("messages") if isinstance(given, dict) else None
    return isinstance(messages, list) and all(isinstance(each, dict) for each in messages)


def _has_only(value: Any, name: str) -> bool:
    return isinstance(value, dict) and list(value) == [name]


def _about(session: Session, sight: Sight) -> Json:
    names = ("customer", "agent_name", "version_name", "title", "metadata")
    told = {name: getattr(session, name) for name in names}
    return told if sight.has_planted else {**told, "metadata": metadata_told(session)}


def _id(span_id: str) -> str:
    """Return an id that is valid: OpenTelemetry has none of zeros only."""
    return "f" * 16 if span_id == _ZERO_ID else span_id


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
