"""OpenAPI 3.0 and 3.1 documents: each operation becomes the draft of a tool.

What is read: https://spec.openapis.org/oas/v3.0.4 and v3.1.1 (paths, parameters, request bodies in
JSON or as a form, responses, servers, security schemes). Everything else is left out.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

from agents.errors import ToolSourceError
from agents.models import Effect
from agents.tools.drafts import (
    MAX_TOOLS,
    CannotInlineError,
    Drafts,
    Inliner,
    ToolDraft,
    guess_tier,
    problem_of,
    safe_name,
    short,
    unique_name,
)

_METHODS = ("get", "head", "put", "delete", "post", "patch")
_EFFECTS = {
    "get": Effect.READ,
    "head": Effect.READ,
    "put": Effect.IDEMPOTENT,
    "delete": Effect.IDEMPOTENT,
}
_KEY_HEADERS = {"idempotency-key", "x-idempotency-key"}
# Set by the connection or by the source's headers, never by a model.
_OWN_HEADERS = {"accept", "content-type", "authorization", "host", "content-length", "cookie"}
_FORM = "application/x-www-form-urlencoded"


def drafts_of(
    document: dict[str, Any],
    *,
    slug: str,
    taken: frozenset[str] = frozenset(),
    base_url: str = "",
    document_url: str = "",
) -> Drafts:
    """Return what a document's operations become.

    Args:
        document: As `openapi_document.read_document` returned it.
        slug: The source's; goes before a name that is taken.
        taken: Names of other tools of the project and of the code.
        base_url: Where the calls go; empty: where the document says.
        document_url: Where it was fetched from: its server may be relative to that.

    Raises:
        ToolSourceError: It names no server, or is too large.
    """
    base = (base_url or _server_of(document, document_url)).rstrip("/")
    inliner = Inliner(document, is_30=str(document["openapi"]).startswith("3.0"))
    tools: list[ToolDraft] = []
    left_out: list[tuple[str, str]] = []
    for method, path, item, operation in _operations(document, inliner, left_out):
        what = f"{method.upper()} {short(path, 100)}"
        names = taken | {tool.name for tool in tools}
        try:
            draft = _draft(method, path, item, operation, inliner, base)
        except CannotInlineError as error:
            left_out.append((what, str(error)))
            continue
        if problem := problem_of(draft.parameters):
            left_out.append((what, problem))
            continue
        tools.append(draft.called(unique_name(draft.name, names, slug)))
        if len(tools) > MAX_TOOLS:
            raise ToolSourceError(f"The document has more than {MAX_TOOLS} operations.")
    return Drafts(tuple(tools), tuple(left_out), _hints(document), base)


def _operations(
    document: dict[str, Any], inliner: Inliner, left_out: list[tuple[str, str]]
) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    found = []
    # Sorted, as the database keeps no order of keys: the same document gives the same names.
    for path, given in sorted(document["paths"].items()):
        try:
            item = inliner.follow(given)
        except CannotInlineError as error:
            left_out.append((short(path, 100), str(error)))
            continue
        if not isinstance(item, dict) or not path.startswith("/"):
            left_out.append((short(path, 100), "it is no path with operations"))
            continue
        for method in _METHODS:
            if isinstance(operation := item.get(method), dict):
                found.append((method, path, item, operation))  # noqa: PERF401 two loops, one list
    return found


@dataclass
class _Arguments:
    """The arguments of one operation, as they are collected."""

    properties: dict[str, Any] = field(default_factory=dict)
    required: list[str] = field(default_factory=list)
    places: dict[str, dict[str, Any]] = field(default_factory=dict)
    key: dict[str, str] | None = None
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, where: str, schema: Any, *, is_required: bool, **more: str) -> None:
        argument = name if name not in self.properties else f"{name}_{where}"
        self.properties[argument] = schema if isinstance(schema, dict) else {}
        self.places[argument] = {"in": where, "name": name, **more}
        if is_required:
            self.required.append(argument)

    def to_schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": self.properties,
            "required": sorted(self.required),
            "additionalProperties": False,
        }


def _draft(
    method: str,
    path: str,
    item: dict[str, Any],
    operation: dict[str, Any],
    inliner: Inliner,
    base: str,
) -> ToolDraft:
    arguments = _Arguments()
    for parameter in _parameters(item, operation, inliner):
        _add_parameter(arguments, parameter, inliner)
    is_form = _add_body(arguments, operation, inliner)
    effect = _EFFECTS.get(method, Effect.KEYED if arguments.key else Effect.UNKEYED)
    said = [operation.get("summary"), operation.get("description")]
    description = "\n".join(short(text) for text in said if isinstance(text, str) and text.strip())
    name = operation.get("operationId")
    name = name if isinstance(name, str) and name.strip() else f"{method}_{path}"
    request: dict[str, Any] = {
        "method": method.upper(),
        "url": base,
        "path": path,
        "places": arguments.places,
    }
    if is_form:
        request["form"] = True
    if arguments.key:
        request["key"] = arguments.key
    lookup = operation.get("x-reviewdesk-lookup")
    if isinstance(lookup, str) and lookup.startswith("/") and "{key}" in lookup:
        request["lookup"] = lookup
    if missing := _missing_places(path, arguments):
        raise CannotInlineError(f"its path has {missing}, which no parameter describes")
    returns, note = _returns(operation, inliner)
    return ToolDraft(
        name=safe_name(name),
        description=short(description) or f"{method.upper()} {path}",
        parameters=arguments.to_schema(),
        returns=returns,
        effect=effect,
        tier=guess_tier(effect, f"{name} {path} {description}"),
        request=request,
        notes=tuple([*arguments.notes, note] if note else arguments.notes),
    )


def _missing_places(path: str, arguments: _Arguments) -> str:
    names = {part.split("}")[0] for part in path.split("{")[1:]}
    known = {place["name"] for place in arguments.places.values() if place["in"] == "path"}
    return ", ".join(f"{{{name}}}" for name in sorted(names - known))


def _parameters(
    item: dict[str, Any], operation: dict[str, Any], inliner: Inliner
) -> list[dict[str, Any]]:
    """Return an operation's parameters; its own replace those of its path (name and place)."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for holder in (item, operation):
        given = holder.get("parameters")
        for each in given if isinstance(given, list) else []:
            parameter = inliner.follow(each)
            if isinstance(parameter, dict) and isinstance(parameter.get("name"), str):
                found[parameter["name"], str(parameter.get("in"))] = parameter
    return list(found.values())


def _add_parameter(arguments: _Arguments, parameter: dict[str, Any], inliner: Inliner) -> None:
    name, where = parameter["name"], parameter.get("in")
    is_required = parameter.get("required") is True or where == "path"
    if where == "header" and name.lower() in _KEY_HEADERS:
        arguments.key = {"in": "header", "name": name}
        return
    if where == "header" and name.lower() in _OWN_HEADERS:
        return
    if where not in {"path", "query", "header"}:
        if is_required:
            raise CannotInlineError(f"it needs {short(name, 60)} in a {where}, which is not sent")
        return
    more: dict[str, str] = {}
    if parameter.get("style") == "deepObject":
        raise CannotInlineError(f"{short(name, 60)} is a deepObject, which cannot be written")
    if where == "query" and parameter.get("explode") is False:
        more["join"] = ","
    schema = inliner.inline(_schema_of(parameter))
    if isinstance(schema, dict) and isinstance(parameter.get("description"), str):
        schema = {**schema, "description": short(parameter["description"], 500)}
    arguments.add(name, where, schema, is_required=is_required, **more)


def _schema_of(parameter: dict[str, Any]) -> Any:
    content = parameter.get("content")
    if isinstance(content, dict):
        media: Any = next(iter(content.values()), {})
        return media.get("schema", {}) if isinstance(media, dict) else {}
    return parameter.get("schema", {})


def _add_body(arguments: _Arguments, operation: dict[str, Any], inliner: Inliner) -> bool:
    """Add the body's properties, or the body itself; True if it is sent as a form."""
    body = inliner.follow(operation.get("requestBody"))
    if not isinstance(body, dict):
        return False
    content = body.get("content")
    content = content if isinstance(content, dict) else {}
    kind = next((kind for kind in content if _is_json(kind)), _FORM if _FORM in content else "")
    is_required = body.get("required") is True
    if not kind:
        if is_required:
            raise CannotInlineError(
                f"its body is {short(', '.join(content) or 'of no kind', 80)}, not JSON or a form"
            )
        return False
    media: dict[str, Any] = content[kind] if isinstance(content[kind], dict) else {}
    schema = _without_read_only(inliner.inline(media.get("schema", {})))
    needed = schema.get("required", []) if isinstance(schema, dict) else []
    names = schema.get("properties", {}) if isinstance(schema, dict) else {}
    is_flat = (
        bool(names)
        and not set(names) & set(arguments.properties)
        and not {"allOf", "anyOf", "oneOf"} & set(schema)
        and not isinstance(schema.get("additionalProperties"), dict)
        and (is_required or not needed)
    )
    if not is_flat:
        arguments.add("body", "whole", schema, is_required=is_required)
    for name, each in names.items() if is_flat else ():
        arguments.add(name, "body", each, is_required=name in needed)
    return kind == _FORM


def _without_read_only(schema: Any) -> Any:
    """Return a body's schema without what only answers have."""
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        return schema
    names = {
        name: each
        for name, each in schema["properties"].items()
        if not (isinstance(each, dict) and each.get("readOnly") is True)
    }
    given = schema.get("required")
    required = [name for name in given if name in names] if isinstance(given, list) else []
    return {**schema, "properties": names, "required": required}


def _returns(operation: dict[str, Any], inliner: Inliner) -> tuple[dict[str, Any] | None, str]:
    """Return the schema of the success, and a note where it cannot be used."""
    responses = operation.get("responses")
    responses = responses if isinstance(responses, dict) else {}
    codes = sorted(code for code in responses if str(code).upper().startswith("2"))
    for code in codes:
        try:
            response = inliner.follow(responses[code])
            content = response.get("content") if isinstance(response, dict) else None
            for kind, media in (content or {}).items() if isinstance(content, dict) else ():
                if _is_json(kind) and isinstance(media, dict) and "schema" in media:
                    schema = inliner.inline(media["schema"])
                    return (schema, "") if isinstance(schema, dict) and schema else (None, "")
        except CannotInlineError as error:
            return None, f"its results are not checked: {error}"
    return None, ""


def _is_json(kind: str) -> bool:
    plain = kind.split(";")[0].strip().lower()
    return plain == "application/json" or plain.endswith("+json")


def _server_of(document: dict[str, Any], document_url: str) -> str:
    servers = document.get("servers")
    first = servers[0] if isinstance(servers, list) and servers else {}
    url = first.get("url", "/") if isinstance(first, dict) else "/"
    variables = first.get("variables", {}) if isinstance(first, dict) else {}
    for name, variable in variables.items() if isinstance(variables, dict) else ():
        if isinstance(variable, dict):
            url = str(url).replace(f"{{{name}}}", str(variable.get("default", "")))
    url = urljoin(document_url, str(url)) if document_url else str(url)
    if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).netloc:
        raise ToolSourceError(
            "The document names no server with a full address. Fill in the base URL that its "
            "paths begin at, such as https://api.example.com/v1."
        )
    return url


def _hints(document: dict[str, Any]) -> tuple[str, ...]:
    """Return what the security schemes want, in words."""
    components = document.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    hints = []
    for scheme in schemes.values() if isinstance(schemes, dict) else ():
        if not isinstance(scheme, dict):
            continue
        kind, where = scheme.get("type"), scheme.get("in")
        if kind == "http" and str(scheme.get("scheme", "")).lower() == "bearer":
            hints.append("It wants a header Authorization: Bearer NAME_OF_SECRET.")
        elif kind == "http":
            hints.append("It wants a header Authorization: Basic NAME_OF_SECRET.")
        elif kind == "apiKey" and where == "header":
            hints.append(f"It wants a header {short(str(scheme.get('name')), 60)}: NAME_OF_SECRET.")
        elif kind:
            hints.append(f"It names a sign-in of the kind {short(str(kind), 30)}, not done here.")
    return tuple(dict.fromkeys(hints))
