"""Files of OpenAI's API as JSON Lines: fine-tuning examples, batches, logs, stored chats.

Forms: OpenAI's API reference, "Fine-tuning: chat format", "Batch: request input and output object",
"The chat completion object" and "The response object". A line is one session: what the model was
sent, and what it answered.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from traces.errors import BadRecordError
from traces.ingest.credentials import without_credentials
from traces.ingest.importers.chat import add_messages, said, tokens_of
from traces.ingest.importers.fields import count_at, list_at, object_at, text_at
from traces.ingest.importers.json_file import Found, Row, documents_of, records_of
from traces.ingest.importers.responses import messages_of_items
from traces.ingest.importers.source import Source
from traces.ingest.importers.steps import NO_TIMES, Steps, digest_of
from traces.models import Session
from traces.records import SessionRecord

_ONLY_ANSWER = "only the answer's is in the file; of the steps, only the order is known"
_SECOND = 1_000_000_000
_SETTINGS = (
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "reasoning_effort",
    "reasoning",
    "seed",
    "tool_choice",
    "response_format",
    "service_tier",
)


@dataclass(frozen=True)
class Exchange:
    """One request with its answer, whatever form the line has.

    Attributes:
        row: The line's own members beside them.
        request: What was sent; empty where the line does not have it.
        response: What came back; empty where the line does not have it.
        error: Why there is no answer.
    """

    row: dict[str, Any]
    request: dict[str, Any] = field(default_factory=dict)
    response: dict[str, Any] = field(default_factory=dict)
    error: str = ""


def read_openai(source: Source) -> Iterator[Found]:
    """Yield each line as a session, or as the reason why it is left out.

    Raises:
        BadImportError: The file is no JSON, or breaks off.
    """
    return records_of(documents_of(source), lambda row: _record_of(row, source.changed_ns))


def _record_of(row: Row, changed_ns: int) -> SessionRecord:
    exchange = _exchange_of(object_at(row.value, "the line"))
    request, response = exchange.request, exchange.response
    messages = _messages_of(exchange)
    created = count_at(response, "created", "the answer") or count_at(
        response, "created_at", "the answer"
    )
    model = text_at(response, "model") or text_at(request, "model")
    steps = Steps(first_ns=created * _SECOND if created else changed_ns, model=model)
    steps.tools = [*list_at(request, "tools", "it"), *list_at(request, "functions", "it")]
    reason = _finish_reason(response)
    add_messages(
        steps,
        messages,
        **tokens_of(response.get("usage"), "the answer"),
        attributes={"finish_reason": reason} if reason else {},
    )
    if not steps.spans:
        raise BadRecordError("it has no messages of a user, an assistant or a tool")
    return SessionRecord(
        source=Session.Source.OPENAI,
        external_id=text_at(response, "id") or digest_of(row.value),
        status=Session.Status.FAILED if exchange.error else Session.Status.COMPLETED,
        status_reason=exchange.error,
        agent_name=_agent_name(exchange),
        version_name=model,
        customer=text_at(request, "user") or text_at(request, "safety_identifier"),
        spans=steps.with_root("agent", error=exchange.error),
        metadata=_metadata(exchange, has_time=bool(created)),
    )


def _exchange_of(row: dict[str, Any]) -> Exchange:
    """Return the request and the answer of a line.

    Raises:
        BadRecordError: It is none of the forms.
    """
    request: dict[str, Any] = next(
        (row[key] for key in ("request", "body") if isinstance(row.get(key), dict)), {}
    )
    if isinstance(request.get("body"), dict):
        request = request["body"]
    response = row["response"] if isinstance(row.get("response"), dict) else {}
    failed = response.get("status_code", 200)
    if isinstance(response.get("body"), dict):
        response = response["body"]
    error = _error_of(row) or _error_of(response)
    if isinstance(failed, int) and failed >= 400 and not error:
        error = f"the answer's status was {failed}"
    if request or response:
        return Exchange(row, request, response, error)
    if row.get("object") in ("chat.completion", "response") or "choices" in row:
        stored = row.get("input") if isinstance(row.get("input"), list) else None
        asked = {**row, "messages": row.get("messages") or stored or []}
        return Exchange({}, asked, row, error)
    if isinstance(row.get("messages"), list):
        return Exchange({}, row, {}, error)
    if error:
        return Exchange(row, {}, {}, error)
    raise BadRecordError("it has neither messages nor request, body, response or choices")


def _messages_of(exchange: Exchange) -> list[Any]:
    """Return what was sent and answered, as chat messages."""
    request, response = exchange.request, exchange.response
    if response.get("object") == "response" or "instructions" in request or "input" in request:
        sent = request.get("input", response.get("input"))
        told = request.get("instructions", response.get("instructions"))
        return [
            *([{"role": "system", "content": told}] if isinstance(told, str) and told else []),
            *messages_of_items(sent, "the input"),
            *messages_of_items(response.get("output"), "the output"),
        ]
    messages = list_at(request, "messages", "the request")
    choices = list_at(response, "choices", "the answer")
    if not choices:
        return messages
    answer = object_at(choices[0], "the first choice").get("message")
    return [*messages, object_at(answer, "the first choice's message")]


def _finish_reason(response: dict[str, Any]) -> str:
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    reason = first.get("finish_reason") if isinstance(first, dict) else None
    return reason if isinstance(reason, str) else ""


def _error_of(value: dict[str, Any]) -> str:
    error = value.get("error")
    if isinstance(error, dict):
        return said(error.get("message")) or said(error.get("code")) or "an error without words"
    return said(error)


def _agent_name(exchange: Exchange) -> str:
    """Return the name that the caller gave in the metadata, where there is one."""
    for given in (exchange.request.get("metadata"), exchange.response.get("metadata")):
        if isinstance(given, dict):
            for name in ("agent", "agent_name", "app"):
                if isinstance(given.get(name), str):
                    return str(given[name])
    return "chat"


def _metadata(exchange: Exchange, *, has_time: bool) -> dict[str, Any]:
    row, request, response = exchange.row, exchange.request, exchange.response
    more = response.get("choices")
    kept = {
        "custom_id": row.get("custom_id"),
        "metadata": response.get("metadata") or request.get("metadata"),
        "settings": {name: request[name] for name in _SETTINGS if name in request},
        "weights": [m["weight"] for m in request.get("messages") or [] if "weight" in m],
        "other_choices": more[1:] if isinstance(more, list) else None,
        "system_fingerprint": response.get("system_fingerprint"),
        "times": _ONLY_ANSWER if has_time else NO_TIMES,
    }
    cleaned: dict[str, Any] = without_credentials(
        {name: value for name, value in kept.items() if value not in (None, [], {})}
    )
    return cleaned
