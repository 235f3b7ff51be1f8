"""MCP servers, over stdio or streamable HTTP: what tools they have, and one call of one.

Each call has a session of its own, and over stdio a process of its own: nothing is shared between
calls, so a server that dies, hangs or goes mad harms one call alone, and no session outlives a
change of its secret, its command or its list of hosts. That costs a handshake (some milliseconds
over HTTP; the start of a process over stdio), little beside the model's seconds.
"""

import logging
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TextIO, TypeVar

import anyio
import httpx2
import mcp_types as types
from anyio.from_thread import start_blocking_portal
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError

from agents.errors import HostRefusedError, ToolSourceError, ToolUnavailableError
from agents.models import ToolSource
from agents.tools.connections import AsyncGuardedTransport, Attempt
from agents.tools.contract import ToolError
from agents.tools.secrets import Secrets
from agents.tools.sources import Endpoint

MAX_TOOLS = 500
MAX_PAGES = 50
_Result = TypeVar("_Result")
_REFUSED = {types.INVALID_PARAMS, types.METHOD_NOT_FOUND, types.INVALID_REQUEST}

# It logs every line of a server that it cannot read, secrets and all.
logging.getLogger("mcp").setLevel(logging.CRITICAL)


@dataclass
class _Talk:
    """What became of one session, for the message when it fails."""

    endpoint: Endpoint
    is_called: bool = False
    is_garbage: bool = False
    last_words: str = ""


def list_tools(*, endpoint: Endpoint, secrets: Secrets, timeout_seconds: float) -> list[types.Tool]:
    """Return the tools that a server offers.

    Raises:
        ToolSourceError: It cannot be started, reached or understood; the message says which.
    """
    try:
        return _talk(endpoint, secrets, timeout_seconds, _Talk(endpoint), _all_tools)
    except (ToolError, ToolUnavailableError) as error:
        raise ToolSourceError(secrets.mask(str(error))) from None


def call(
    *,
    endpoint: Endpoint,
    secrets: Secrets,
    request: dict[str, Any],
    arguments: dict[str, Any],
    effect_key: str,
    timeout_seconds: float,
) -> Any:
    """Call a tool once, and return its result as JSON.

    Args:
        endpoint: The server.
        secrets: Of the server, by name.
        request: `{"tool": str}`, and `key`: the argument that takes the effect key, if any.
        arguments: As the contract has them.
        effect_key: Sent as that argument, and always in the call's `_meta`.
        timeout_seconds: For starting, connecting and answering together.

    Raises:
        ToolError: Refused for good, in the server's words.
        ToolUnavailableError: It may be repeated.
    """
    talk = _Talk(endpoint)
    if key := request.get("key"):
        arguments = {**arguments, key["name"]: effect_key}

    async def work(client: Client) -> Any:
        talk.is_called = True
        return await _call(client, endpoint, request["tool"], arguments, effect_key)

    return _talk(endpoint, secrets, timeout_seconds, talk, work)


def _talk(
    endpoint: Endpoint,
    secrets: Secrets,
    seconds: float,
    talk: _Talk,
    work: Callable[[Client], Awaitable[_Result]],
) -> _Result:
    async def whole() -> _Result:
        with anyio.fail_after(seconds):
            async with _client(endpoint, secrets, seconds, talk) as client:
                return await work(client)

    # On a thread of its own: the caller's may have a running event loop, and then takes no second.
    try:
        with start_blocking_portal(name=f"mcp {endpoint.name}") as portal:
            return portal.call(whole)
    except Exception as error:  # noqa: BLE001 task groups wrap what was raised in groups
        raise _judged(_innermost(error), talk, seconds) from None


@asynccontextmanager
async def _client(endpoint: Endpoint, secrets: Secrets, seconds: float, talk: _Talk) -> Any:
    async def listen(message: Any) -> None:
        talk.is_garbage = talk.is_garbage or isinstance(message, Exception)

    if endpoint.kind is ToolSource.Kind.MCP_HTTP:
        transport = AsyncGuardedTransport(endpoint.rules, Attempt(seconds))
        headers = endpoint.with_secrets(endpoint.headers, secrets)
        async with (
            httpx2.AsyncClient(
                transport=transport, trust_env=False, headers=headers, timeout=seconds
            ) as http,
            Client(
                streamable_http_client(endpoint.url, http_client=http),
                message_handler=listen,
                cache=None,
            ) as client,
        ):
            yield client
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as words:
        try:
            async with Client(
                stdio_client(_command(endpoint, secrets), errlog=words),
                message_handler=listen,
                cache=None,
            ) as client:
                yield client
        finally:
            talk.last_words = _last_words(words)


def _command(endpoint: Endpoint, secrets: Secrets) -> StdioServerParameters:
    program, *arguments = endpoint.command
    return StdioServerParameters(
        command=program,
        args=arguments,
        env=endpoint.with_secrets(endpoint.environment, secrets),
        encoding_error_handler="replace",
    )


def _last_words(file: TextIO) -> str:
    """Return the end of what a server wrote to stderr, in one line."""
    size = file.seek(0, 2)
    file.seek(max(size - 2000, 0))
    return " ".join(file.read().split())[-300:]


async def _all_tools(client: Client) -> list[types.Tool]:
    tools: list[types.Tool] = []
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None or len(tools) > MAX_TOOLS:
            break
    if len(tools) > MAX_TOOLS or cursor is not None:
        raise ToolError(f"The server offers more than {MAX_TOOLS} tools, or never ends its list.")
    return tools


async def _call(
    client: Client, endpoint: Endpoint, tool: str, arguments: dict[str, Any], effect_key: str
) -> Any:
    # Not `client.call_tool`: that lists all tools first and refuses results against their schema,
    # after the effect. Results are judged by the contract, elsewhere.
    meta = types.RequestParamsMeta(**{"reviewdesk/effect-key": effect_key})  # type: ignore[typeddict-unknown-key]
    parameters = types.CallToolRequestParams(name=tool, arguments=arguments, _meta=meta)
    request = types.CallToolRequest(params=parameters)
    try:
        try:
            result = await client.session.send_request(request, types.CallToolResult)
        except MCPError as error:
            if error.code != types.HEADER_MISMATCH:
                raise
            # It wants arguments in headers too, which the session learns from the list of tools.
            await _all_tools(client)
            result = await client.session.send_request(request, types.CallToolResult)
    except ValidationError:
        raise ToolError(
            f"{endpoint.name} answered {tool} with something that is no result of a tool."
        ) from None
    except MCPError as error:
        if error.code in _REFUSED:
            await _check_listed(client, endpoint, tool)
        raise
    if result.is_error:
        text = _text_of(result) or "it gave no words"
        await _check_listed(client, endpoint, tool)
        raise ToolError(text[:500])
    return _json_of(result)


async def _check_listed(client: Client, endpoint: Endpoint, tool: str) -> None:
    """Say so where the reason of a refusal is that the server has changed its tools."""
    listed = {each.name for each in await _all_tools(client)}
    if tool not in listed:
        raise ToolError(
            f"{endpoint.name} no longer has a tool called {tool}; someone who may connect tools "
            "should import its tools again."
        )


def _json_of(result: types.CallToolResult) -> Any:
    if result.structured_content is not None:
        return result.structured_content
    if all(isinstance(block, types.TextContent) for block in result.content):
        return _text_of(result)
    return {"content": [_block(block) for block in result.content]}


def _block(block: types.ContentBlock) -> dict[str, Any]:
    """Return a block without the bytes of pictures and sounds."""
    data = block.model_dump(mode="json", by_alias=True, exclude_none=True)
    for holder in (data, data.get("resource", {})):
        for name in ("data", "blob"):
            if name in holder:
                holder[name] = f"({len(holder[name]):,} characters left out)"
    return data


def _text_of(result: types.CallToolResult) -> str:
    texts = [block.text for block in result.content if isinstance(block, types.TextContent)]
    return "\n".join(texts)


def _innermost(error: BaseException) -> BaseException:
    """Return what was raised inside of task groups: a judged error, if there is one."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    found = [_innermost(each) for each in error.exceptions]
    judged = [each for each in found if isinstance(each, ToolError | HostRefusedError)]
    return (judged or found)[0]


def _judged(error: BaseException, talk: _Talk, seconds: float) -> Exception:
    name, is_sent = talk.endpoint.name, talk.is_called
    if isinstance(error, ToolError | HostRefusedError | ToolUnavailableError):
        return error
    if isinstance(error, TimeoutError):
        garbage = " What it wrote could not be read as MCP." if talk.is_garbage else ""
        text = f"{name} did not answer within {seconds:g} s.{garbage}"
        return ToolUnavailableError(text + _said(talk), is_sent=is_sent)
    if isinstance(error, MCPError):
        if error.code in _REFUSED and is_sent:
            return ToolError(f"{name} refused the call: {error.message[:500]}")
        what = "ended the session" if error.code == types.CONNECTION_CLOSED else "failed"
        detail = "" if error.code == types.CONNECTION_CLOSED else f": {error.message[:300]}"
        text = f"{name} {what}{detail}."
        return ToolUnavailableError(text + _said(talk), is_sent=is_sent)
    if isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError | ValueError):
        program = talk.endpoint.command[0] if talk.endpoint.command else "its program"
        return ToolUnavailableError(f"{name}: {program} cannot be started.", is_sent=False)
    if isinstance(error, OSError | httpx2.HTTPError | anyio.BrokenResourceError):
        detail = f"{name} cannot be reached: {error}."
        return ToolUnavailableError(detail[:500], is_sent=is_sent)
    if isinstance(error, Exception):
        return ToolUnavailableError(
            f"{name} could not be understood ({type(error).__name__}).{_said(talk)}",
            is_sent=is_sent,
        )
    raise error


def _said(talk: _Talk) -> str:
    return f" It said: {talk.last_words}" if talk.last_words else ""
