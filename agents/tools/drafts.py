"""Tools as a document or server describes them, before a person confirms any of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from agents.config import content_hash
from agents.errors import ToolSourceError
from agents.models import Effect, Tier

MAX_TOOLS = 500
# Where a document was fetched from, kept in it: its server may be relative to that.
FETCHED_FROM = "x-reviewdesk-fetched-from"
MAX_NAME = 64
MAX_DESCRIPTION = 2000
MAX_NODES = 50_000
MAX_DEPTH = 60
# Said of other things in the schema, or of no use to a model; OpenAPI 3.0 has its own.
_DROPPED = {
    "$schema",
    "$id",
    "$anchor",
    "$comment",
    "$defs",
    "definitions",
    "deprecated",
    "discriminator",
    "example",
    "examples",
    "externalDocs",
    "patternProperties",
    "xml",
}
_MONEY = re.compile(
    r"pay(?!load)|refund|charge|invoice|transfer|credit|debit|payout|price|purchase|withdraw", re.I
)


@dataclass(frozen=True)
class ToolDraft:
    """A tool to be: its contract without what only people decide.

    Attributes:
        effect: Guessed.
        tier: Guessed, cautiously.
        request: How it is called.
        notes: What was guessed or left out, for the person who confirms it.
    """

    name: str
    description: str
    parameters: dict[str, Any]
    returns: dict[str, Any] | None
    effect: Effect
    tier: Tier
    request: dict[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def described_hash(self) -> str:
        """Return the hash of what the source says, without what people decide."""
        return described_hash(self.description, self.parameters, self.returns, self.request)

    def called(self, name: str) -> "ToolDraft":
        """Return the draft under another name, which its notes then explain."""
        if name == self.name:
            return self
        note = f"called {name}, because {self.name} is the name of another tool"
        return replace(self, name=name, notes=(*self.notes, note))


@dataclass(frozen=True)
class Drafts:
    """All that a source offers.

    Attributes:
        tools: By name.
        left_out: (what, why) of operations that cannot become tools.
        hints: What to know before any call, e.g. which header wants a secret.
        base_url: Where the calls go, or empty for MCP.
    """

    tools: tuple[ToolDraft, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    hints: tuple[str, ...] = ()
    base_url: str = ""


def described_hash(
    description: str,
    parameters: dict[str, Any],
    returns: dict[str, Any] | None,
    request: dict[str, Any],
) -> str:
    """Return the SHA-256 (hex) of what a source says of a tool."""
    return content_hash([description, parameters, returns, request])


def safe_name(text: str) -> str:
    """Return a name that model endpoints accept: letters, digits, `_` and `-`, at most 64."""
    name = re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_-")[:MAX_NAME]
    return name or "tool"


def unique_name(name: str, taken: Iterable[str], prefix: str) -> str:
    """Return the name, with the source's slug before it or a number after it if it is taken."""
    used = set(taken)
    if name not in used:
        return name
    longer = safe_name(f"{prefix.replace('-', '_')}_{name}")
    number, found = 2, longer
    while found in used:
        found = f"{longer[: MAX_NAME - 1 - len(str(number))]}_{number}"
        number += 1
    return found


def guess_tier(effect: Effect, words: str) -> Tier:
    """Return the tier to begin with: never less than careful."""
    if effect is Effect.READ:
        return Tier.READ_SENSITIVE
    return Tier.MONEY if _MONEY.search(words) else Tier.WRITE_IRREVERSIBLE


def short(text: str, limit: int = MAX_DESCRIPTION) -> str:
    """Return text without outer space, cut where it is too long."""
    text = text.strip()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def problem_of(parameters: Any) -> str:
    """Return why this cannot be the schema of a tool's arguments, or nothing."""
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        return "its arguments are not an object"
    try:
        Draft202012Validator.check_schema(parameters)
    except (SchemaError, RecursionError) as error:
        words = error.message if isinstance(error, SchemaError) else "nested too deep"
        return f"the schema of its arguments is broken: {short(words, 200)}"
    return ""


class CannotInlineError(ToolSourceError):
    """A schema refers to itself, to another document, or to what is not there."""


@dataclass
class Inliner:
    """Copies schemas of one document with their references filled in, and counts as it goes.

    References to other documents are refused: a validator would fetch them. Patterns are left out
    of what is checked: one that backtracks for ever would hold a worker; the model is told them.

    Attributes:
        root: What local references start from.
        is_30: Whether it is OpenAPI 3.0, whose schemas say `nullable` and boolean exclusives.
    """

    root: dict[str, Any]
    is_30: bool = False
    num_nodes: int = 0
    _open: list[str] = field(default_factory=list)

    def inline(self, value: Any, depth: int = 0) -> Any:
        """Return a copy without references.

        Raises:
            CannotInlineError: A reference leads nowhere, outside, or back to itself.
            ToolSourceError: The document unfolds to too much.
        """
        self._count(depth)
        if isinstance(value, list):
            return [self.inline(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        if isinstance(value.get("$ref"), str):
            return self._inline_reference(value, depth)
        copied = {
            str(key): self._inline_part(str(key), item, depth)
            for key, item in value.items()
            if key not in _DROPPED and not str(key).startswith("x-")
        }
        return _adapted(copied, is_30=self.is_30)

    def follow(self, value: Any) -> Any:
        """Return what a reference leads to, or the value itself where it is none."""
        seen = set()
        while isinstance(value, dict) and isinstance(value.get("$ref"), str):
            if value["$ref"] in seen:
                raise CannotInlineError(f"{value['$ref']} leads back to itself")
            seen.add(value["$ref"])
            value = self._target(value["$ref"])
        return value

    def _inline_part(self, key: str, item: Any, depth: int) -> Any:
        # Names of properties may be any words, `example` and `x-…` among them.
        if key == "properties" and isinstance(item, dict):
            self._count(depth)
            return {str(name): self._part(each, depth + 2) for name, each in item.items()}
        if key == "items" and isinstance(item, bool):
            return self._part(item, depth + 1)
        if key in {"enum", "const", "default", "required"}:
            return item
        return self.inline(item, depth + 1)

    def _part(self, value: Any, depth: int) -> Any:
        """Return a schema as an object: whoever shows it need not know `true` and `false`."""
        if isinstance(value, dict):
            return self.inline(value, depth)
        return {"not": {}} if value is False else {}

    def _inline_reference(self, value: dict[str, Any], depth: int) -> Any:
        reference = value["$ref"]
        if reference in self._open:
            raise CannotInlineError(f"{reference} refers to itself")
        self._open.append(reference)
        try:
            found = self.inline(self._target(reference), depth + 1)
        finally:
            self._open.pop()
        if isinstance(found, dict) and isinstance(value.get("description"), str):
            return {**found, "description": value["description"]}
        return found

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#"):
            raise CannotInlineError(f"{short(reference, 100)} is in another document")
        found: Any = self.root
        for part in reference[1:].split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            else:
                raise CannotInlineError(f"{short(reference, 100)} is not in the document")
        return found

    def _count(self, depth: int) -> None:
        self.num_nodes += 1
        if self.num_nodes > MAX_NODES:
            raise ToolSourceError(
                f"The document unfolds to more than {MAX_NODES:,} parts. Import a smaller one: the "
                "operations that agents need."
            )
        if depth > MAX_DEPTH:
            raise CannotInlineError(f"it is nested deeper than {MAX_DEPTH} levels")


def _adapted(schema: dict[str, Any], *, is_30: bool) -> dict[str, Any]:
    """Return a schema as JSON Schema 2020-12 has it, its pattern told instead of checked."""
    pattern = schema.pop("pattern", None)
    if isinstance(pattern, str):
        said = schema.get("description")
        words = f"{said} " if isinstance(said, str) else ""
        schema["description"] = f"{words}(Form: {short(pattern, 200)})"
    if not is_30:
        return schema
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(exclusive) is True and limit in schema:
            schema[exclusive] = schema.pop(limit)
        elif isinstance(schema.get(exclusive), bool):
            del schema[exclusive]
    if schema.pop("nullable", False) is True and isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    return schema
