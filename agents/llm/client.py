"""One chat completion at an OpenAI-compatible endpoint; the only place that imports openai."""

import json
import threading
import time
import weakref
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, cast

import httpx2
import openai

from agents.errors import ModelRefusedError, ModelUnavailableError, Usage
from agents.llm.routing import Endpoint
from agents.llm.waits import wait_seconds
from traces.clean import is_deeper

TIMEOUT_SECONDS = 120.0
CONNECT_SECONDS = 10.0
MAX_ANSWER_BYTES = 20_000_000
# Of a call's arguments: what is nested deeper is no call that anybody could read.
MAX_DEPTH = 100
# 200 runs in flight, and room for attempts that are being given up.
_LIMITS = httpx2.Limits(max_connections=400, max_keepalive_connections=256)
_RETRYABLE_STATUS = {408, 409, 429}
_clients = threading.Lock()


@dataclass(frozen=True)
class ToolCall:
    """A call that the model asks for.

    Attributes:
        arguments: The parsed object, or None where the model wrote no JSON object.
        raw_arguments: What it wrote.
    """

    id: str
    name: str
    arguments: dict[str, Any] | None
    raw_arguments: str


@dataclass(frozen=True)
class Completion:
    """The model's answer. Tokens are None where the endpoint does not say."""

    content: str | None
    tool_calls: tuple[ToolCall, ...]
    model: str
    finish_reason: str
    input_tokens: int | None
    output_tokens: int | None


def complete(
    *,
    endpoint: Endpoint,
    model: str,
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]],
    parameters: dict[str, Any],
    response_format: dict[str, Any] | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Completion:
    """Ask the model once; the runtime retries, not the client.

    Args:
        endpoint: Where to ask.
        model: Its name there.
        messages: The conversation.
        tools: What it may call.
        parameters: Sent as they are.
        response_format: Such as a JSON schema that the answer has to fit; parameters may bring
            another, for endpoints that know a simpler form only.
        timeout_seconds: For the whole answer. An endpoint that stalls in the middle of one is
            noticed after at most twice that time.

    Raises:
        ModelUnavailableError: The endpoint is away, slow, or limits the rate.
        ModelRefusedError: It refused the call, or its answer cannot be used.
    """
    request: dict[str, Any] = {"model": model, "messages": messages, **parameters}
    if tools:
        request["tools"] = tools
    if response_format:
        request.setdefault("response_format", response_format)
    try:
        answer = _ask(endpoint, request, timeout_seconds)
    except (openai.APITimeoutError, httpx2.TimeoutException) as error:
        text = f"The model {model!r} did not answer within {timeout_seconds:g} s."
        raise ModelUnavailableError(text) from error
    except (openai.APIConnectionError, httpx2.TransportError) as error:
        raise ModelUnavailableError(f"The model {model!r} cannot be reached: {error}") from error
    except openai.APIStatusError as error:
        raise _status_error(model, error) from error
    except (openai.OpenAIError, TypeError, ValueError) as error:
        raise ModelRefusedError(f"The call of the model {model!r} failed: {error}") from error
    return _completion(model, answer)


def _ask(endpoint: Endpoint, request: dict[str, Any], timeout_seconds: float) -> Any:
    """Return the answer's JSON; it is read piece by piece so that its time and size are held."""
    deadline = time.monotonic() + timeout_seconds
    timeout = httpx2.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds))
    with _clients:
        client = _client(endpoint.base_url, endpoint.api_key)
    body = bytearray()
    create = client.chat.completions.with_streaming_response.create
    # As a body of ours: what the client does to typed parameters takes as long as a query.
    with create(
        model=request["model"], messages=[], extra_body=request, timeout=timeout
    ) as response:
        for piece in response.iter_bytes():
            body += piece
            if time.monotonic() > deadline:
                raise httpx2.ReadTimeout("The answer took too long.")
            if len(body) > MAX_ANSWER_BYTES:
                raise ValueError(f"the answer has over {MAX_ANSWER_BYTES:,} bytes")
    return json.loads(bytes(body))


@lru_cache(maxsize=32)
def _client(base_url: str | None, api_key: str) -> openai.OpenAI:
    """Return the process's client of an endpoint; threads share it and its connections."""
    connections = openai.DefaultHttpxClient(limits=_LIMITS)
    client = openai.OpenAI(
        base_url=base_url, api_key=api_key, max_retries=0, http_client=connections
    )
    # One that the cache has dropped is closed once no thread uses it.
    weakref.finalize(client, connections.close)
    return client


def _status_error(
    model: str, error: openai.APIStatusError
) -> ModelUnavailableError | ModelRefusedError:
    text = f"The model {model!r} answered with {error.status_code}: {_words(error)}"
    is_rate_limit = error.status_code == 429
    # Money that is used up does not come back by waiting.
    if error.code == "insufficient_quota":
        return ModelRefusedError(text)
    if error.status_code not in _RETRYABLE_STATUS and error.status_code < 500:
        return ModelRefusedError(text)
    wait = wait_seconds(
        error.response.headers, now=datetime.now(tz=UTC), is_rate_limit=is_rate_limit
    )
    return ModelUnavailableError(text, wait, is_rate_limit=is_rate_limit)


def _words(error: openai.APIStatusError) -> str:
    """Return what the endpoint said, without what the client puts around it."""
    body = error.body.get("error", error.body) if isinstance(error.body, dict) else error.body
    said = body.get("message") if isinstance(body, dict) else body
    return said if isinstance(said, str) and said.strip() else error.message


def _completion(model: str, answer: Any) -> Completion:
    found = _usable(answer)
    usage = _usage(found, model)
    message = _message(found)
    if message is None:
        raise ModelRefusedError(f"The model {model!r} answered without a choice.", usage)
    asked = message.get("tool_calls")
    calls = tuple(
        _tool_call(call["function"], call.get("id"))
        for call in (asked if isinstance(asked, list) else ())
        if isinstance(call, dict) and isinstance(call.get("function"), dict)
    )
    content = message.get("content")
    content = content if isinstance(content, str) else None
    if not calls and not (content or "").strip():
        raise ModelRefusedError(
            f"The model {model!r} answered with neither words nor a call.", usage
        )
    return Completion(
        content=content,
        tool_calls=calls,
        model=usage.model,
        finish_reason=str(found["choices"][0].get("finish_reason") or ""),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
    )


def _usable(answer: Any) -> dict[str, Any]:
    return answer if isinstance(answer, dict) else {}


def _message(answer: dict[str, Any]) -> dict[str, Any] | None:
    choices = answer.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    return message if isinstance(message, dict) else None


def _usage(answer: dict[str, Any], model: str) -> Usage:
    told = _usable(answer.get("usage"))
    name = answer.get("model")
    return Usage(
        model=name if isinstance(name, str) and name else model,
        input_tokens=_tokens(told.get("prompt_tokens")),
        output_tokens=_tokens(told.get("completion_tokens")),
    )


def _tokens(value: Any) -> int | None:
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return value if is_number and 0 <= value < 2**31 else None


def _tool_call(function: dict[str, Any], call_id: Any) -> ToolCall:
    raw = function.get("arguments") or "{}"
    # Some servers send the object itself instead of its text.
    raw = raw if isinstance(raw, str) else json.dumps(raw)
    try:
        arguments = json.loads(raw)
    except (ValueError, RecursionError):
        arguments = None
    if is_deeper(arguments, MAX_DEPTH):
        arguments = None
    return ToolCall(
        id=call_id if isinstance(call_id, str) else "",
        name=str(function.get("name") or ""),
        arguments=cast(dict[str, Any], arguments) if isinstance(arguments, dict) else None,
        raw_arguments=raw,
    )
