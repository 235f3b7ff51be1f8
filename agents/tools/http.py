"""One attempt at an HTTP tool: the request made from the arguments, and its answer judged.

The `request` of such a contract:

- `method`, `url` (the server's base, without slash at the end) and `path` with `{argument}`s;
- `places`: `{argument: {"in": "path" | "query" | "header" | "body" | "whole", "name": str}}`,
  `body` being a property of the JSON body and `whole` the body itself; a list in a query is
  repeated, or written as one where its place has `join`;
- `form`: true where the body is form-encoded;
- `key`: `{"in": "header" | "query" | "body", "name": str}`, where the effect key goes;
- `lookup`: a path with `{key}` that answers GET with what became of a key, 404 for nothing.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx2

from agents.errors import HostRefusedError
from agents.tools.connections import Attempt, GuardedTransport, unavailable
from agents.tools.contract import ToolError
from agents.tools.hosts import HostRules
from agents.tools.http_answers import MAX_ANSWER, Answer, as_text, result_of, status_text, words_of

MAX_REDIRECTS = 3
# What a path segment may hold as it is (RFC 3986, `pchar`).
_SEGMENT = "!$&'()*+,;=:@"
_Primitive = str | int | float | bool | None
_REDIRECTS = {301, 302, 303, 307, 308}


@dataclass(frozen=True)
class Sender:
    """Who calls: the hosts it may reach, and the headers (with secrets) of its first host.

    Attributes:
        what: The tool or source, for messages.
        headers: Sent to the first origin alone, never after a redirect elsewhere.
    """

    what: str
    rules: HostRules
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def call(
    *,
    sender: Sender,
    request: dict[str, Any],
    arguments: dict[str, Any],
    effect_key: str,
    timeout_seconds: float,
) -> Any:
    """Do the call once, and return its result as JSON.

    Raises:
        ToolError: It was refused for good, in the server's words.
        ToolUnavailableError: It may be repeated.
    """
    attempt = Attempt(timeout_seconds)
    prepared = _prepared(request, arguments, effect_key)
    answer = send(sender, prepared, attempt)
    return result_of(sender.what, answer, is_keyed="key" in request, method=prepared.method)


def look_up(
    *, sender: Sender, request: dict[str, Any], effect_key: str, timeout_seconds: float
) -> dict[str, Any] | None:
    """Return `{"result": JSON}` of an effect key, or None where it never arrived.

    Raises:
        ToolError: The server does not say.
        ToolUnavailableError: It may be asked again.
    """
    path = request["lookup"].replace("{key}", quote(effect_key, safe=_SEGMENT))
    prepared = _Prepared("GET", httpx2.URL(request["url"] + path))
    answer = send(sender, prepared, Attempt(timeout_seconds))
    if answer.status in {404, 410}:
        return None
    return {"result": result_of(sender.what, answer, is_keyed=False, method="GET")}


def shown(*, request: dict[str, Any], arguments: dict[str, Any], key: str) -> tuple[str, str]:
    """Return a call as it would be sent, for people: its first line and body, without headers.

    Raises:
        ToolError: It cannot be sent so.
    """
    prepared = _prepared(request, arguments, key)
    return f"{prepared.method} {prepared.url}", prepared.content.decode("utf-8", "replace")


def fetch(*, sender: Sender, url: str, timeout_seconds: float, max_bytes: int) -> bytes:
    """Return what an address answers a GET with.

    Raises:
        HostRefusedError: It may not be reached.
        ToolError: It answered with an error, or with too much.
        ToolUnavailableError: It may be asked again.
    """
    prepared = _Prepared("GET", url_of(url))
    answer = send(sender, prepared, Attempt(timeout_seconds), max_bytes=max_bytes)
    if not answer.is_success:
        raise ToolError(f"{sender.what} answered {status_text(answer.status)}: {words_of(answer)}")
    if not answer.is_whole:
        raise ToolError(f"{sender.what} answered with more than {max_bytes:,} bytes.")
    return answer.body


@dataclass(frozen=True)
class _Prepared:
    method: str
    url: httpx2.URL
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


def send(
    sender: Sender, prepared: _Prepared, attempt: Attempt, *, max_bytes: int = MAX_ANSWER
) -> Answer:
    """Send a request, follow at most three redirects, and read the answer.

    Raises:
        HostRefusedError: An address on the way may not be reached.
        ToolError: A redirect cannot be followed.
        ToolUnavailableError: The connection failed or took too long.
    """
    transport = GuardedTransport(sender.rules, attempt)
    headers = {**sender.headers, **prepared.headers}
    with httpx2.Client(transport=transport, trust_env=False, headers=_HEADERS) as client:
        for _ in range(MAX_REDIRECTS + 1):
            answer, location = _exchange(client, sender, prepared, headers, attempt, max_bytes)
            if location is None:
                return answer
            previous = prepared
            prepared = _redirected(sender.what, previous, answer.status, location)
            if _origin(prepared.url) != _origin(previous.url):
                headers = dict(prepared.headers)
    raise ToolError(f"{sender.what} redirects more than {MAX_REDIRECTS} times.")


_HEADERS = {
    "User-Agent": "reviewdesk",
    "Accept": "application/json, */*;q=0.5",
    # A packed answer may unfold to any size.
    "Accept-Encoding": "identity",
}


def _exchange(
    client: httpx2.Client,
    sender: Sender,
    prepared: _Prepared,
    headers: Mapping[str, str],
    attempt: Attempt,
    max_bytes: int,
) -> tuple[Answer, str | None]:
    try:
        with client.stream(
            prepared.method, prepared.url, headers=headers, content=prepared.content or None
        ) as response:
            body, is_whole = _read(response, max_bytes)
            answer = Answer(response.status_code, response.headers, body, is_whole)
    except httpx2.HTTPError as error:
        raise unavailable(sender.what, error, attempt) from error
    location = answer.headers.get("location") if answer.status in _REDIRECTS else None
    return answer, location


def _read(response: httpx2.Response, max_bytes: int) -> tuple[bytes, bool]:
    parts, size = [], 0
    for chunk in response.iter_raw():
        parts.append(chunk)
        size += len(chunk)
        if size > max_bytes:
            return b"".join(parts)[:max_bytes], False
    return b"".join(parts), True


def _redirected(what: str, sent: _Prepared, status: int, location: str) -> _Prepared:
    """Return the request that follows a redirect (RFC 9110, 15.4)."""
    target = url_of(location, base=sent.url)
    if sent.url.scheme == "https" and target.scheme != "https":
        raise ToolError(f"{what} redirects from https to {target.scheme}; that is not followed.")
    if sent.method in {"GET", "HEAD"} or status in {307, 308}:
        return _Prepared(sent.method, target, sent.headers, sent.content)
    if status == HTTPStatus.SEE_OTHER:
        return _Prepared("GET", target)
    raise ToolError(
        f"{what} answered {sent.method} with a redirect ({status}) that would turn it into "
        "another request; that is not followed."
    )


def _origin(url: httpx2.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port


def _prepared(request: dict[str, Any], arguments: dict[str, Any], effect_key: str) -> _Prepared:
    method, path = request["method"], request["path"]
    query: list[tuple[str, _Primitive]] = []
    headers: dict[str, str] = {}
    body: Any = None
    places = dict(request.get("places", {}))
    values = dict(arguments)
    if key := request.get("key"):
        places["\0key"], values["\0key"] = key, effect_key
    for argument, value in values.items():
        place = places.get(argument)
        if place is None or value is None:
            continue
        where, name = place["in"], place["name"]
        if where == "path":
            path = path.replace(f"{{{name}}}", _path_text(argument, value))
        elif where == "query":
            query += [(name, text) for text in _texts(value, place.get("join"))]
        elif where == "header":
            headers[name] = _header_text(argument, value)
        elif where == "whole":
            body = value
        else:
            body = {**(body or {}), name: value}
    content = _content(body, headers, is_form=bool(request.get("form")))
    url = url_of(request["url"] + path)
    return _Prepared(method, url.copy_merge_params(query) if query else url, headers, content)


def _content(body: Any, headers: dict[str, str], *, is_form: bool) -> bytes:
    if body is None:
        return b""
    if is_form and isinstance(body, dict):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return str(httpx2.QueryParams({key: as_text(body[key]) for key in body})).encode()
    headers["Content-Type"] = "application/json"
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")


def _path_text(argument: str, value: Any) -> str:
    """Return a path segment: it may hold anything but be empty or walk up."""
    text = as_text(value)
    if text in {"", ".", ".."}:
        raise ToolError(f"{argument}: {text!r} cannot be part of the address.")
    return quote(text, safe=_SEGMENT)


def _header_text(argument: str, value: Any) -> str:
    text = as_text(value)
    if not (text.isascii() and text.isprintable()):
        raise ToolError(f"{argument}: only printable ASCII can be sent in a header.")
    return text


def _texts(value: Any, join: str | None) -> list[str]:
    """Return the texts that a query names: each item of a list, or all in one."""
    if not isinstance(value, list):
        return [as_text(value)]
    texts = [as_text(each) for each in value]
    return texts if join is None else [join.join(texts)]


def url_of(text: str, base: httpx2.URL | None = None) -> httpx2.URL:
    """Return an address, relative to `base` where one is given.

    Raises:
        HostRefusedError: It is none.
    """
    try:
        return base.join(text) if base else httpx2.URL(text)
    except httpx2.InvalidURL as error:
        raise HostRefusedError(f"{text[:200]!r} is no address: {error}.") from error
