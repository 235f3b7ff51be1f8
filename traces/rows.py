"""Spans as rows of their table, for all that write them."""

import json
import uuid
from typing import Any

import orjson

from traces.clean import clean_json, clean_text, is_deeper
from traces.errors import BadRecordError
from traces.records import SpanRecord

SPAN_COLUMN_NAMES = (
    "session_id",
    "span_id",
    "parent_id",
    "kind",
    "name",
    "start_ns",
    "duration_ns",
    "status",
    "status_message",
    "model",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "cost_usd",
    "cost_from",
    "heard",
    "input",
    "output",
    "attributes",
    "trace_id",
    "emitter_id",
    "otel",
    "masked",
)
SPAN_COLUMNS = ", ".join(SPAN_COLUMN_NAMES)
# What identifies a span; the rest is replaced when a span is written again.
SPAN_KEY = ("session_id", "span_id", "start_ns")
# PostgreSQL reads some 6,000 levels, Python's own reader and writer fewer than 1,000.
MAX_DEPTH = 400


def span_row(session_id: uuid.UUID, span: SpanRecord, emitter_id: int | None = None) -> list[Any]:
    """Return the values of `SPAN_COLUMNS`, JSON as text.

    Raises:
        BadRecordError: A value is nested too deeply.
    """
    return [
        session_id,
        span.span_id,
        span.parent_id,
        span.kind,
        clean_text(span.name)[:200],
        span.start_ns,
        max(span.duration_ns, 0),
        span.status,
        clean_text(span.status_message),
        clean_text(span.model)[:120],
        span.input_tokens,
        span.output_tokens,
        span.cached_tokens,
        span.reasoning_tokens,
        span.cost_usd,
        span.cost_from,
        clean_text(span.heard),
        None if span.input is None else json_text(span.input),
        None if span.output is None else json_text(span.output),
        json_text(span.attributes),
        span.trace_id or None,
        emitter_id,
        None if not span.otel else json_text(span.otel),
        None if not span.masked else json_text(span.masked),
    ]


def json_text(value: Any) -> str:
    """Return JSON that PostgreSQL can store.

    Raises:
        BadRecordError: It is nested too deeply.
    """
    if not value and type(value) is dict:
        return "{}"
    try:
        text = _plain_json(value) or _dumps(clean_json(value))
    except RecursionError:
        raise BadRecordError("it holds a value that is nested too deeply") from None
    if text.count("[") + text.count("{") > MAX_DEPTH and is_deeper(value, MAX_DEPTH):
        raise BadRecordError("it holds a value that is nested too deeply")
    return text


def _plain_json(value: Any) -> str:
    """Return JSON of a value that needs no cleaning, else nothing.

    orjson is thirty times faster than walking through the value and refuses most of what must be
    cleaned; it writes NaN as null, which the standard library refuses, and NUL as an escape that
    may as well be a text's own.
    """
    try:
        text = orjson.dumps(value)
        if b"null" in text:
            json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        # Half a character, a key that is no text, a long integer, too deep for it, or NaN.
        return ""
    return "" if b"\\u0000" in text else text.decode()


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
