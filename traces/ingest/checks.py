"""What the store's columns can hold, checked before it is tried."""

import re
from collections.abc import Sequence

from traces.clean import clean_text
from traces.models import Session, Span
from traces.records import SpanRecord

MAX_ID = 200
# A column holds a million; below this no rounding to its eight decimals gets there.
MAX_COST_USD = 999_999

_INT32 = 2**31
_INT64 = 2**63
_SPAN_ID = re.compile(r"[0-9a-f]{16}")
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
# Enumerations are ten times slower to look into, and this is done for every span.
_KINDS = frozenset(Span.Kind.values)
_STATUSES = frozenset(Span.Status.values)
_COST_SOURCES = frozenset(Span.CostFrom.values)
_SESSION_STATUSES = frozenset(Session.Status.values)
_SOURCES = frozenset(Session.Source.values)


def problem_of_kind(*, source: str, status: str) -> str:
    """Return why a session cannot have this source and status, empty where it can."""
    if status in _SESSION_STATUSES and source in _SOURCES:
        return ""
    return f"unknown status {status!r} or source {source!r}"


def problem_of_id(external_id: str) -> str:
    """Return why the id cannot be stored as it is; one that was changed would not be found."""
    if len(external_id) > MAX_ID:
        return f"its id has {len(external_id):,} characters; {MAX_ID} are the most"
    if clean_text(external_id) != external_id:
        return f"its id {external_id[:60]!r} holds a NUL or half a character"
    return ""


def problem_of_span(span: SpanRecord) -> str:
    """Return why the span cannot be stored, empty where it can."""
    if not _SPAN_ID.fullmatch(span.span_id):
        return "its id is not 16 hex digits"
    if span.kind not in _KINDS or span.status not in _STATUSES:
        return f"unknown kind {span.kind!r} or status {span.status!r}"
    if span.cost_from not in _COST_SOURCES:
        return f"unknown source of its cost {span.cost_from!r}"
    if span.parent_id and not _SPAN_ID.fullmatch(span.parent_id):
        return f"its parent's id {span.parent_id[:60]!r} is not 16 hex digits"
    if span.trace_id and not _TRACE_ID.fullmatch(span.trace_id):
        return f"its trace's id {span.trace_id[:60]!r} is not 32 hex digits"
    return _problem_of_numbers(span)


def problem_of_totals(spans: Sequence[SpanRecord]) -> str:
    """Return why a session's totals over these spans cannot be stored, empty where they can."""
    worked_ns = sum(span.duration_ns for span in spans)
    if worked_ns >= _INT64:
        return f"its spans last {worked_ns} ns together, which is out of range"
    cost = sum(span.cost_usd or 0 for span in spans)
    return f"its cost {cost} USD is out of range" if cost >= MAX_COST_USD else ""


def _problem_of_numbers(span: SpanRecord) -> str:
    has_room = abs(span.start_ns) < _INT64 and span.end_ns < _INT64
    if not (has_room and 0 <= span.duration_ns < _INT64):
        return f"start {span.start_ns} ns with duration {span.duration_ns} ns is out of range"
    for tokens in (
        span.input_tokens,
        span.output_tokens,
        span.cached_tokens,
        span.reasoning_tokens,
    ):
        if tokens is not None and not 0 <= tokens < _INT32:
            return f"token count {tokens} is out of range"
    cost = span.cost_usd
    if cost is not None and not (cost.is_finite() and 0 <= cost < MAX_COST_USD):
        return f"cost {cost} USD is out of range"
    return ""
