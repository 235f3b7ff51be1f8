"""One chat completion at an OpenAI-compatible endpoint; the only place that imports openai."""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import openai

from agents.errors import ModelRefusedError, ModelUnavailableError
from agents.llm.routing import Endpoint

TIMEOUT_SECONDS = 120.0
_RETRYABLE_STATUS = {408, 409, 429}


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
) -> Completion:
    """Ask the model once; the runtime retries, not the client.

    Raises:
        ModelUnavailableError: The endpoint is away, slow, or limits the rate.
        ModelRefusedError: It refused the call, or its answer cannot be used.
    """
    request: dict[str, Any] = {"model": model, "messages": messages, **parameters}
    if tools:
        request["tools"] = tools
    try:
        response = _client(endpoint.base_url, endpoint.api_key).chat.completions.create(**request)
    except openai.APIConnectionError as error:
        raise ModelUnavailableError(f"The model {model!r} cannot be reached: {error}") from error
    except openai.APIStatusError as error:
        raise _status_error(model, error) from error
    except (openai.OpenAIError, TypeError, json.JSONDecodeError) as error:
        raise ModelRefusedError(f"The call of the model {model!r} failed: {error}") from error
    return _completion(model, response)


@lru_cache(maxsize=32)
def _client(base_url: str | None, api_key: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=TIMEOUT_SECONDS)


def _status_error(
    model: str, error: openai.APIStatusError
) -> ModelUnavailableError | ModelRefusedError:
    text = f"The model {model!r} answered with {error.status_code}: {error.message}"
    if error.status_code in _RETRYABLE_STATUS or error.status_code >= 500:
        return ModelUnavailableError(text, _seconds(error.response.headers.get("retry-after")))
    return ModelRefusedError(text)


def _seconds(value: str | None) -> float | None:
    try:
        return min(max(float(value), 0.0), 300.0) if value else None
    except ValueError:
        return None


def _completion(model: str, response: Any) -> Completion:
    choices = getattr(response, "choices", None)
    if not choices:
        raise ModelRefusedError(f"The model {model!r} answered without a choice.")
    message = choices[0].message
    calls = tuple(_tool_call(call) for call in message.tool_calls or () if call.type == "function")
    if not calls and not (message.content or "").strip():
        raise ModelRefusedError(f"The model {model!r} answered with neither words nor a call.")
    usage = response.usage
    return Completion(
        content=message.content,
        tool_calls=calls,
        model=response.model or model,
        finish_reason=choices[0].finish_reason or "",
        input_tokens=usage.prompt_tokens if usage else None,
        output_tokens=usage.completion_tokens if usage else None,
    )


def _tool_call(call: Any) -> ToolCall:
    raw = call.function.arguments or "{}"
    try:
        arguments = json.loads(raw)
    except json.JSONDecodeError:
        arguments = None
    return ToolCall(
        id=call.id,
        name=call.function.name,
        arguments=cast(dict[str, Any], arguments) if isinstance(arguments, dict) else None,
        raw_arguments=raw,
    )
