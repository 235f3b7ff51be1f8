"""Our own export, one session a line, with labels and scores.

`traces/export/jsonl.py` writes it; what it says of a session is taken as it is, and nothing is
computed or masked anew that was so before.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.dialects.own import counts_of
from traces.ingest.importers.fields import (
    count_at,
    decimal_of,
    list_at,
    object_at,
    text_at,
)
from traces.ingest.importers.json_file import Found, Row, documents_of, records_of
from traces.ingest.importers.source import Source
from traces.records import EmitterRecord, SessionRecord, SpanRecord

FORMAT = "reviewdesk/1"
_TEXTS = (
    "span_id",
    "parent_id",
    "kind",
    "name",
    "status",
    "status_message",
    "model",
    "cost_from",
    "heard",
    "trace_id",
)
_COUNTS = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")


@dataclass(frozen=True)
class ExportedSession(SessionRecord):
    """A session as it was exported.

    Attributes:
        columns: All columns of the session, of which its spans do not tell the rest.
        labels: Completed labels, with the author's name and digest.
        scores: What evaluators said.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    labels: tuple[dict[str, Any], ...] = ()
    scores: tuple[dict[str, Any], ...] = ()


def read_reviewdesk(source: Source) -> Iterator[Found]:
    """Yield each line as a session, or as the reason why it is left out.

    Raises:
        BadImportError: The file is no JSON, or breaks off.
    """
    return records_of(documents_of(source), _record_of)


def _record_of(row: Row) -> SessionRecord:
    line = object_at(row.value, "the line")
    if line.get("format") != FORMAT:
        raise BadRecordError(f"its format is {line.get('format')!r:.40}; {FORMAT} is read")
    session = object_at(line.get("session"), "session")
    emitters: dict[Any, EmitterRecord] = {}
    spans = tuple(
        _span(object_at(value, f"span {index}"), emitters)
        for index, value in enumerate(list_at(line, "spans", "the line"))
    )
    return ExportedSession(
        source=text_at(session, "source"),
        external_id=text_at(session, "external_id") or text_at(session, "id"),
        status=text_at(session, "status"),
        status_reason=text_at(session, "status_reason"),
        agent_name=text_at(session, "agent_name"),
        version_name=text_at(session, "version_name"),
        customer=text_at(session, "customer"),
        spans=spans,
        metadata=object_at(session.get("metadata") or {}, "metadata"),
        columns=session,
        labels=tuple(_objects(line, "labels")),
        scores=tuple(_objects(line, "scores")),
    )


def _span(span: dict[str, Any], emitters: dict[Any, EmitterRecord]) -> SpanRecord:
    where = f"span {span.get('span_id')!r:.20}"
    start_ns = count_at(span, "start_ns", where)
    if start_ns is None:
        raise BadRecordError(f"{where} has no start_ns")
    cost: Decimal | None = None
    if span.get("cost_usd") is not None:
        cost = decimal_of(span["cost_usd"], f"the cost of {where}")
    otel = span.get("otel")
    plain: dict[str, Any] = {name: text_at(span, name) for name in _TEXTS}
    plain |= {name: count_at(span, name, where) for name in _COUNTS}
    return SpanRecord(
        **plain,
        start_ns=start_ns,
        duration_ns=count_at(span, "duration_ns", where) or 0,
        cost_usd=cost,
        input=span.get("input"),
        output=span.get("output"),
        attributes=object_at(span.get("attributes") or {}, f"the attributes of {where}"),
        emitter=_emitter(span.get("emitter"), emitters, where),
        otel=otel if isinstance(otel, dict) else None,
        masked=counts_of(span.get("masked")),
    )


def _emitter(value: Any, emitters: dict[Any, EmitterRecord], where: str) -> EmitterRecord | None:
    """Return the emitter; a line tells each in full once, and by its number afterwards."""
    if value is None:
        return None
    said = object_at(value, f"the emitter of {where}")
    number = count_at(said, "number", where)
    if "resource" in said:
        resource = object_at(said["resource"], f"the resource of {where}")
        scope = object_at(said.get("scope") or {}, f"the scope of {where}")
        emitters[number] = EmitterRecord(resource, scope)
    if number not in emitters:
        raise BadRecordError(f"{where} names the emitter {number}, which the line does not tell")
    return emitters[number]


def _objects(line: dict[str, Any], name: str) -> list[dict[str, Any]]:
    values = list_at(line, name, "the line")
    return [object_at(value, f"{name}[{index}]") for index, value in enumerate(values)]
