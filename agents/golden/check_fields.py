"""Checks as people write them: from the texts of a form, to them, and what is wrong with one.

Pure; the names of the tools that there are come from the caller.
"""

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from agents.config import canonical_json
from agents.golden.checks import KINDS, Field, FieldKind, check_title
from agents.golden.conditions import BadConditionError, parsed_condition
from agents.golden.jsonpath import BadPathError, parsed
from agents.golden.judgements import Check
from agents.golden.patterns import (
    BadPatternError,
    HeavyPatternsError,
    compiled,
    schema_problem,
    weighing,
)

RECORD_KINDS = ("order", "user", "product")
MOST_CHECKS = 40
# Of the patterns of one field, in steps of RE2: an eighth of a second. A usual one has hundreds.
MOST_WEIGHT = 250_000
_LONGEST_TEXT = 2000
_MOST_LINES = 20
_LARGEST_DECIMAL = 1_000_000.0
_EMPTY: tuple[Any, ...] = (None, "", [], {})
_FLAGS = {"yes": True, "no": False}


class BadCheckError(ValueError):
    """A check cannot be used.

    Attributes:
        problems: A sentence by the name of the field.
    """

    def __init__(self, problems: Mapping[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = dict(problems)


def check_from_texts(kind: str, texts: Mapping[str, str], tools: Collection[str]) -> Check:
    """Return the check that the texts of a form say.

    Args:
        kind: Name of the check's kind.
        texts: By the name of the field; those that are missing are empty.
        tools: Names of the tools that may be called.

    Raises:
        BadCheckError: A text cannot be read, or the check cannot be used.
    """
    if kind not in KINDS:
        raise BadCheckError({"kind": f"There is no check called {kind!r}."})
    check: Check = {"kind": kind}
    problems: dict[str, str] = {}
    for field in KINDS[kind].fields:
        try:
            value = _read(field, texts.get(field.name, "").strip())
        except ValueError as error:
            problems[field.name] = str(error)
            continue
        if value not in _EMPTY or not field.is_more:
            check[field.name] = value
    problems |= {
        name: problem for name, problem in problems_of(check, tools).items() if name not in problems
    }
    if problems:
        raise BadCheckError(problems)
    return check


def texts_of(check: Check) -> dict[str, str]:
    """Return the texts with which a form shows the check."""
    return {
        field.name: _write(field, check.get(field.name)) for field in KINDS[check["kind"]].fields
    }


def problems_of(check: Check, tools: Collection[str]) -> dict[str, str]:
    """Return what is wrong with a check in its stored form, by field; empty if nothing is."""
    kind = KINDS.get(str(check.get("kind", "")))
    if kind is None:
        return {"kind": f"There is no check called {check.get('kind')!r}."}
    known = {"kind", *(field.name for field in kind.fields)}
    problems = {
        name: f"{kind.label} has no field called {name!r}." for name in check if name not in known
    }
    for field in kind.fields:
        is_left_out = field.name not in check and not field.is_required
        if is_left_out or (field.is_more and check[field.name] in _EMPTY):
            continue
        if problem := _weighed_problem(field, check.get(field.name), tools):
            problems[field.name] = problem
    return problems


def _weighed_problem(field: Field, value: Any, tools: Collection[str]) -> str:
    """Return what is wrong with a field, also that its patterns are too large together."""
    with weighing(MOST_WEIGHT) as scale:
        try:
            return _problem(field, value, tools)
        except HeavyPatternsError as error:
            if error.scale is not scale:
                raise
            return f"{field.label}: its patterns are too large together; use fewer or simpler ones."


def readable_title(check: Check) -> str:
    """Return the check's title, or the name of its kind where its fields are not filled rightly."""
    try:
        return check_title(check)
    except (AttributeError, KeyError, TypeError, ValueError):
        kind = KINDS.get(str(check.get("kind", "")))
        return kind.label if kind else "unknown check"


def _read(field: Field, text: str) -> Any:
    match field.kind:
        case FieldKind.ARGUMENTS | FieldKind.SCHEMA:
            return _json(field, text or "{}")
        case FieldKind.TOOLS:
            return [name for line in text.splitlines() for name in line.replace(",", " ").split()]
        case FieldKind.LINES | FieldKind.CONDITIONS:
            return [line.strip() for line in text.splitlines() if line.strip()]
        case FieldKind.FLAG:
            return _FLAGS.get(text)
        case FieldKind.NUMBER | FieldKind.DECIMAL:
            return _number(field, text)
        case FieldKind.VALUE:
            return _value(field, text)
    return text


def _write(field: Field, value: Any) -> str:
    if value is None and field.kind is not FieldKind.VALUE:
        return ""
    match field.kind:
        case FieldKind.TOOLS | FieldKind.LINES | FieldKind.CONDITIONS:
            return "\n".join(value)
        case FieldKind.FLAG:
            return "yes" if value else "no"
        case FieldKind.ARGUMENTS | FieldKind.SCHEMA:
            return json.dumps(value, ensure_ascii=False, indent=2) if value else ""
        case FieldKind.VALUE:
            is_text = isinstance(value, str) and _is_plain(value)
            return value if is_text else json.dumps(value, ensure_ascii=False)
    return str(value)


def _number(field: Field, text: str) -> int | float | None:
    if not text and not field.is_required:
        return None
    is_whole = text.isascii() and text.isdecimal()
    if is_whole:
        return int(text)
    given = repr(text) if text else "empty"
    if field.kind is FieldKind.NUMBER:
        raise ValueError(f"{field.label} is {given}; write a whole number such as 12.")
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{field.label} is {given}; write a number such as 0.5.") from None


def _problem(field: Field, value: Any, tools: Collection[str]) -> str:
    match field.kind:
        case FieldKind.ARGUMENTS:
            is_object = isinstance(value, dict)
            example = f'{field.label} must be a JSON object such as {{"order_id": "#A1"}}.'
            return "" if is_object else example
        case FieldKind.FLAG:
            return "" if isinstance(value, bool) else f"{field.label}: choose yes or no."
        case FieldKind.NUMBER | FieldKind.DECIMAL:
            return _number_problem(field, value)
        case FieldKind.TOOLS:
            return _tools_problem(field, value, tools)
        case FieldKind.VALUE:
            return "" if value != "" else f"{field.label}: write the value; “null” is none."
        case FieldKind.SCHEMA:
            problem = schema_problem(value)
            return f"{field.label}: {problem}." if problem else ""
        case FieldKind.LINES | FieldKind.CONDITIONS:
            return _lines_problem(field, value)
        case FieldKind.CHOICE:
            return _choice_problem(field, value)
    return _text_problem(field, value, tools)


def _number_problem(field: Field, value: Any) -> str:
    if field.kind is FieldKind.NUMBER:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        is_good = is_number and 1 <= value <= field.most
        return "" if is_good else f"{field.label} is {value}; it must be from 1 to {field.most}."
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and 0 < value <= _LARGEST_DECIMAL:
        return ""
    return f"{field.label} is {value}; it must be more than 0 and at most {_LARGEST_DECIMAL:,.0f}."


def _choice_problem(field: Field, value: Any) -> str:
    keys = [key for key, _ in field.choices]
    if value in keys:
        return ""
    given = f"{field.label} is {value!r}" if value else f"{field.label} is not chosen"
    return f"{given}; it must be one of {', '.join(keys)}."


def _lines_problem(field: Field, value: Any) -> str:
    if not isinstance(value, list) or not all(isinstance(line, str) for line in value):
        return f"{field.label} must be a list of texts."
    if len(value) > _MOST_LINES:
        return f"{field.label} has {len(value)} lines; {_MOST_LINES} at most."
    if field.is_required and not value:
        return f"{field.label} is empty."
    for line in value:
        if len(line) > _LONGEST_TEXT:
            return f"{field.label}: a line has {len(line):,} characters; {_LONGEST_TEXT:,} at most."
        if field.kind is FieldKind.CONDITIONS and (problem := _why(parsed_condition, line)):
            return f"{field.label}: {problem}."
    return ""


def _why(read: Callable[[str], Any], text: str) -> str:
    """Return why a text cannot be read, or nothing."""
    try:
        read(text)
    except (BadConditionError, BadPathError, BadPatternError) as error:
        return str(error)
    return ""


def _text_problem(field: Field, value: Any, tools: Collection[str]) -> str:
    if value in (None, ""):
        return f"{field.label} is empty." if field.is_required else ""
    if not isinstance(value, str):
        return f"{field.label} must be a text."
    if len(value) > _LONGEST_TEXT:
        return f"{field.label} has {len(value):,} characters; {_LONGEST_TEXT:,} at most."
    if field.kind is FieldKind.TOOL:
        return _tool_problem(value, tools)
    reads: dict[FieldKind, Callable[[str], Any]] = {
        FieldKind.PATTERN: compiled,
        FieldKind.JSONPATH: parsed,
    }
    if (read := reads.get(field.kind)) and (problem := _why(read, value)):
        return f"{field.label}: {problem}."
    if field.kind is FieldKind.RECORD and value not in RECORD_KINDS:
        return f"{field.label} is {value!r}; it must be one of {', '.join(RECORD_KINDS)}."
    return ""


def _tools_problem(field: Field, value: Any, tools: Collection[str]) -> str:
    if not isinstance(value, list) or len(value) < 2:
        return f"{field.label}: name at least two, one per line."
    return next((problem for name in value if (problem := _tool_problem(name, tools))), "")


def _tool_problem(name: Any, tools: Collection[str]) -> str:
    if name in tools:
        return ""
    return f"There is no tool called {name!r}; there are {', '.join(sorted(tools))}."


def _json(field: Field, text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{field.label}: this is not JSON ({error.msg.lower()} at line {error.lineno}, "
            f"column {error.colno}). Names and texts stand in double quotes."
        ) from error
    except RecursionError as error:
        raise ValueError(f"{field.label}: the JSON is nested too deeply.") from error
    canonical_json(value).encode()
    return value


def _value(field: Field, text: str) -> Any:
    return text if _is_plain(text) else _json(field, text)


def _is_plain(text: str) -> bool:
    """Say whether a text stands for itself: it is no number and does not begin like JSON."""
    if text[:1] in {"{", "[", '"'} or text in {"true", "false", "null"} or text != text.strip():
        return False
    try:
        return isinstance(json.loads(text, parse_constant=_refuse_constant), str)
    except (ValueError, RecursionError):
        return True


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value.")
