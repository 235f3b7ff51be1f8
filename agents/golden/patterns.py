"""Regular expressions of people's writing, matched in linear time (RE2), and JSON schemas. Pure.

The text is hostile and the pattern may be careless: Python's own engine takes exponential time for
some (docs/decisions/031). RE2 has no backreferences and no look-around.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, cast

import re2
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from agents.golden.judgements import UncheckableError

LONGEST_PATTERN = 500
LONGEST_SCHEMA = 20_000
_MEMORY = 4 << 20
# What RE2 does at most before it refuses a pattern as too large.
_REFUSED = 100_000
_MOST_REFERENCES = 2_000
_references: ContextVar[int] = ContextVar("references followed", default=0)
_UNBOUNDED = frozenset({"unevaluatedProperties", "unevaluatedItems"})
_compile: Callable[..., Any] = re2.compile


class Matched(Protocol):
    """What a pattern found."""

    def group(self, index: int = 0) -> str:
        """Return the text that was found."""


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: str) -> Matched | None:
        """Return the first place where the pattern fits."""

    def fullmatch(self, text: str) -> Matched | None:
        """Return the text where the pattern fits all of it."""


class BadPatternError(ValueError):
    """A pattern or a schema cannot be used; the message says why."""


class HeavyPatternsError(Exception):
    """Patterns are too large together for the one `scale` that says so."""

    def __init__(self, scale: "Scale") -> None:
        self.scale = scale
        super().__init__(f"the patterns are too large together: over {scale.most:,} steps")


@dataclass
class Scale:
    """What the patterns read so far weigh together, and how much they may.

    Steps of RE2's program: 1,000 take half a millisecond to make. A count and not a time, so that
    the same patterns are taken on a busy machine, too.
    """

    most: int
    weight: int = 0


_scales: ContextVar[tuple[Scale, ...]] = ContextVar("scales", default=())


@contextmanager
def weighing(most: int) -> Iterator[Scale]:
    """Bound what the patterns inside may weigh together; scales around it weigh them, too.

    Raises:
        HeavyPatternsError: They are over it, or over one around it: `error.scale` says which.
    """
    scale = Scale(most)
    token = _scales.set((*_scales.get(), scale))
    try:
        yield scale
    finally:
        _scales.reset(token)


def compiled(pattern: str, *, ignores_case: bool = False) -> Pattern:
    """Return a pattern, ready to be matched in linear time.

    Raises:
        BadPatternError: It is too long, or RE2 does not take it.
        HeavyPatternsError: It is one too many of those that are weighed.
    """
    try:
        found, weight = _compiled(pattern, ignores_case)
    except BadPatternError:
        _weigh(_REFUSED)
        raise
    _weigh(weight)
    return found


def _weigh(weight: int) -> None:
    for scale in _scales.get():
        scale.weight += weight
        if scale.weight > scale.most:
            raise HeavyPatternsError(scale)


@lru_cache(maxsize=500)
def _compiled(pattern: str, ignores_case: bool) -> tuple[Pattern, int]:
    """Return a pattern and its weight."""
    if len(pattern) > LONGEST_PATTERN:
        raise BadPatternError(
            f"the pattern has {len(pattern):,} characters; {LONGEST_PATTERN:,} at most"
        )
    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    options.case_sensitive = not ignores_case
    try:
        made = _compile(pattern, options)
        return cast("Pattern", made), int(made.programsize)
    except re2.error as error:
        why = error.args[0].decode(errors="replace") if error.args else "it is not a pattern"
        raise BadPatternError(
            f"the pattern cannot be used: {why} (RE2: no look-around, no backreferences)"
        ) from error
    except UnicodeEncodeError as error:
        raise BadPatternError("the pattern holds half a character") from error


def finds(pattern: str, text: str, *, ignores_case: bool = False) -> str | None:
    """Return the first text that the pattern fits, None where there is none.

    Raises:
        BadPatternError: The pattern cannot be used.
    """
    # Half a character, as JSON can hold it, has no UTF-8.
    found = compiled(pattern, ignores_case=ignores_case).search(_whole(text))
    return found.group(0) if found else None


def fits(pattern: str, text: str) -> bool:
    """Say whether a pattern fits all of a text.

    Raises:
        BadPatternError: The pattern cannot be used.
    """
    return compiled(pattern).fullmatch(_whole(text)) is not None


def schema_problem(schema: Any) -> str:
    """Return why a JSON schema cannot be used, or nothing."""
    if not isinstance(schema, dict):
        return 'it must be a JSON object such as {"required": ["order_id"]}'
    try:
        if len(json.dumps(schema)) > LONGEST_SCHEMA:
            return f"it has more than {LONGEST_SCHEMA:,} characters"
        Draft202012Validator.check_schema(schema)
        for name, text in _texts_in(schema):
            if name == "pattern":
                compiled(text)
            elif name != "$ref":
                return f"{name} cannot be used; write additionalProperties or items"
            elif not text.startswith("#"):
                return f"it refers to a schema that is not in it: {text[:80]}"
    except SchemaError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        return f"{place}: {error.message}"[:300] if place else error.message[:300]
    except BadPatternError as error:
        return str(error)
    except RecursionError:
        return "it is nested too deeply"
    try:
        unfit(schema, {})
    except UncheckableError as error:
        return str(error)
    return ""


def unfit(schema: dict[str, Any], value: Any) -> str:
    """Return how a value does not fit a schema, or nothing where it does.

    Nothing is fetched for it: a reference leads into the schema itself.

    Raises:
        UncheckableError: The schema refers to its parts without end, or to what is not in it.
    """
    _references.set(0)
    try:
        found = next(_validator(json.dumps(schema)).iter_errors(value), None)
    except Unresolvable as error:
        raise UncheckableError(
            f"the schema refers to what is not in it: {error.ref[:80]}"
        ) from error
    except RecursionError as error:
        raise UncheckableError("the schema refers to itself without end") from error
    if found is None:
        return ""
    place = ".".join(str(part) for part in found.absolute_path)
    return f"{place}: {found.message}"[:240] if place else found.message[:240]


def _whole(text: str) -> str:
    return text.encode(errors="replace").decode()


def _pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and finds(pattern, value) is None:
        yield ValidationError(f"{value[:60]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, properties: dict[str, Any], value: Any, __: Any
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    for pattern, schema in properties.items():
        for name, item in value.items():
            if finds(pattern, name) is not None:
                yield from validator.descend(item, schema, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, allowed: Any, value: Any, schema: dict[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    patterns = schema.get("patternProperties", {})
    known = schema.get("properties", {})
    for name, item in value.items():
        if name in known or any(finds(pattern, name) is not None for pattern in patterns):
            continue
        if allowed is False:
            yield ValidationError(f"{name[:60]!r} is not allowed")
        elif isinstance(allowed, dict):
            yield from validator.descend(item, allowed, path=name)


def _reference(validator: Any, reference: Any, value: Any, _: Any) -> Iterator[ValidationError]:
    """Follow a reference; parts that each refer twice to the next double with every one."""
    _references.set(_references.get() + 1)
    if _references.get() > _MOST_REFERENCES:
        raise UncheckableError("the schema refers to its parts too often")
    yield from validator._validate_reference(ref=reference, instance=value)


def _texts_in(schema: Any) -> Iterator[tuple[str, str]]:
    """Yield patterns and references of a schema, which the validator would meet only with a value.

    Each with `pattern` or `$ref`; and names of keywords for which the validator would follow
    references and match patterns by itself, without a bound.
    """
    if isinstance(schema, dict):
        for name, item in schema.items():
            if name == "pattern" and isinstance(item, str):
                yield name, item
            elif name in {"$ref", "$dynamicRef"} and isinstance(item, str):
                yield "$ref", item
            elif name in _UNBOUNDED:
                yield name, ""
            elif name == "patternProperties" and isinstance(item, dict):
                yield from (("pattern", pattern) for pattern in item)
            yield from _texts_in(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from _texts_in(item)


_extend: Callable[..., Any] = extend
_Linear = _extend(
    Draft202012Validator,
    {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "$ref": _reference,
        "$dynamicRef": _reference,
    },
)


@lru_cache(maxsize=200)
def _validator(schema: str) -> Any:
    return _Linear(json.loads(schema), registry=Registry())
