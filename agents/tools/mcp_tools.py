"""The tools of an MCP server as drafts. Its annotations are hints of a stranger, no more."""

from typing import Any

import mcp_types as types

from agents.models import Effect
from agents.tools.drafts import (
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
from traces.clean import clean_json

_KEY_ARGUMENTS = {"idempotency_key", "idempotencykey", "idempotency-key"}


def to_document(tools: list[types.Tool]) -> dict[str, Any]:
    """Return a server's list of tools as it is kept with its source."""
    dumped = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    document: dict[str, Any] = clean_json({"tools": dumped})
    return document


def drafts_of(
    document: dict[str, Any], *, slug: str, taken: frozenset[str] = frozenset()
) -> Drafts:
    """Return what a server's tools become.

    Args:
        document: As `to_document` returned it.
        slug: The source's; goes before a name that is taken.
        taken: Names of other tools of the project and of the code.
    """
    tools: list[ToolDraft] = []
    left_out: list[tuple[str, str]] = []
    for each in document["tools"]:
        name = str(each.get("name", ""))
        try:
            draft = _draft(each, name)
        except CannotInlineError as error:
            left_out.append((short(name, 100), str(error)))
            continue
        if problem := problem_of(draft.parameters):
            left_out.append((short(name, 100), problem))
            continue
        names = taken | {tool.name for tool in tools}
        tools.append(draft.called(unique_name(draft.name, names, slug)))
    return Drafts(tuple(tools), tuple(left_out))


def _draft(tool: dict[str, Any], name: str) -> ToolDraft:
    given = tool.get("inputSchema") or {}
    parameters = Inliner(given).inline(given)
    request: dict[str, Any] = {"tool": name}
    if key := _take_key(parameters):
        request["key"] = {"in": "argument", "name": key}
    effect, note = _guess(tool.get("annotations") or {}, has_key=bool(key))
    returns, about_returns = _returns(tool.get("outputSchema"))
    description = short(str(tool.get("description") or tool.get("title") or name))
    return ToolDraft(
        name=safe_name(name),
        description=description,
        parameters=parameters,
        returns=returns,
        effect=effect,
        tier=guess_tier(effect, f"{name} {description}"),
        request=request,
        notes=tuple(filter(None, (note, about_returns))),
    )


def _take_key(parameters: Any) -> str:
    """Take the argument for an idempotency key out of the schema: the desk fills it in."""
    names = parameters.get("properties") if isinstance(parameters, dict) else None
    if not isinstance(names, dict):
        return ""
    found = next((name for name in names if name.lower() in _KEY_ARGUMENTS), "")
    if found:
        parameters["properties"] = {name: names[name] for name in names if name != found}
        required = parameters.get("required")
        if isinstance(required, list):
            parameters["required"] = [name for name in required if name != found]
    return found


def _guess(annotations: dict[str, Any], *, has_key: bool) -> tuple[Effect, str]:
    if annotations.get("readOnlyHint") is True:
        return Effect.READ, "the server says that it only reads; check that"
    if has_key:
        return Effect.KEYED, "it has an argument for an idempotency key"
    if annotations.get("idempotentHint") is True:
        return Effect.IDEMPOTENT, "the server says that it may be repeated; check that"
    return Effect.UNKEYED, ""


def _returns(schema: Any) -> tuple[dict[str, Any] | None, str]:
    if not isinstance(schema, dict):
        return None, ""
    try:
        found = Inliner(schema).inline(schema)
    except CannotInlineError as error:
        return None, f"its results are not checked: {error}"
    return (found if isinstance(found, dict) and found else None), ""
