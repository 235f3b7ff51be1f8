"""Contracts of tools as people read them: schemas as rows, versions with their differences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.models import ToolDefinition
from agents.tools.contract import policy_from_json


@dataclass(frozen=True)
class SchemaRow:
    """One argument of a tool, or one part of its result, readable.

    Attributes:
        depth: How deep it stands, from 0.
        facts: Type, choices and bounds in words.
    """

    name: str
    depth: int
    facts: str
    is_required: bool
    description: str


def rows_of(schema: Any, *, limit: int = 80) -> list[SchemaRow]:
    """Return a schema's fields as rows, what is nested below what it is in."""
    found: list[SchemaRow] = []
    _add_rows(found, schema, 0)
    return found[:limit]


def with_differences(versions: Sequence[ToolDefinition]) -> list[dict[str, Any]]:
    """Return each version with what it changed: (name, before, after)."""
    pairs = zip(versions, [*versions[1:], None], strict=True)
    return [
        {"row": row, "differences": _differences(before, row) if before else []}
        for row, before in pairs
    ]


def _differences(before: ToolDefinition, after: ToolDefinition) -> list[tuple[str, str, str]]:
    found = []
    if before.effect != after.effect:
        found.append(("effect", before.get_effect_display(), after.get_effect_display()))
    if before.tier != after.tier:
        found.append(("tier", before.get_tier_display(), after.get_tier_display()))
    was, is_now = (policy_from_json(row.policy).__dict__ for row in (before, after))
    found += [
        (name.replace("_", " "), _word(was[name]), _word(is_now[name]))
        for name in was
        if was[name] != is_now[name]
    ]
    if before.description != after.description:
        found.append(("description", before.description, after.description))
    found += _schema_differences("arguments", before.parameters, after.parameters)
    found += _schema_differences("result", before.returns, after.returns)
    if before.request != after.request:
        found.append(("called", call_text(before.request), call_text(after.request)))
    return found


def _schema_differences(what: str, before: Any, after: Any) -> list[tuple[str, str, str]]:
    was, is_now = ({row.name: row for row in rows_of(each)} for each in (before, after))
    return [
        (f"{what}: {name}", _row_text(was.get(name)), _row_text(is_now.get(name)))
        for name in [*was, *(name for name in is_now if name not in was)]
        if was.get(name) != is_now.get(name)
    ]


def call_text(request: dict[str, Any]) -> str:
    """Return in words how a tool is called."""
    if "tool" in request:
        return f"the server's tool {request['tool']}"
    text = f"{request.get('method', '')} {request.get('url', '')}{request.get('path', '')}"
    key = request.get("key")
    lookup = request.get("lookup")
    return "".join(
        (
            text,
            f", key in the {key['in']} {key['name']}" if key else "",
            f", looked up at {lookup}" if lookup else "",
        )
    )


def _row_text(row: SchemaRow | None) -> str:
    if row is None:
        return "—"
    return f"{row.facts}{', required' if row.is_required else ''} {row.description}".strip()


def _word(value: Any) -> str:
    if value in (None, "", (), {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {each}" for key, each in value.items())
    return str(value)


def _add_rows(found: list[SchemaRow], schema: Any, depth: int, prefix: str = "") -> None:
    if not isinstance(schema, dict) or depth > 4:
        return
    required = schema.get("required")
    names = schema.get("properties")
    for name, part in names.items() if isinstance(names, dict) else ():
        part = part if isinstance(part, dict) else {}
        is_required = isinstance(required, list) and name in required
        description = str(part.get("description", ""))
        found.append(SchemaRow(f"{prefix}{name}", depth, _facts(part), is_required, description))
        inner = part.get("items") if part.get("type") == "array" else part
        _add_rows(found, inner, depth + 1, f"{prefix}{name}.")


def _facts(part: dict[str, Any]) -> str:
    kind = part.get("type")
    if isinstance(kind, list):
        text = " or ".join(str(each) for each in kind)
    elif kind == "array" and isinstance(part.get("items"), dict):
        text = f"list of {part['items'].get('type', 'anything')}"
    else:
        text = str(kind or "anything")
    if isinstance(part.get("enum"), list):
        text = " | ".join(str(each) for each in part["enum"][:12])
    bounds = [
        f"{word} {part[key]}"
        for key, word in (
            ("format", "as"),
            ("minimum", "at least"),
            ("maximum", "at most"),
            ("minLength", "from characters"),
            ("maxLength", "up to characters"),
        )
        if key in part
    ]
    return ", ".join((text, *bounds))
