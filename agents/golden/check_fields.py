"""Checks as people write them: from the texts of a form, to them, and what is wrong with one.

Pure; the names of the tools that there are come from the caller.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from agents.config import canonical_json
from agents.golden.checks import KINDS, Field, FieldKind, check_title
from agents.golden.judgements import Check

RECORD_KINDS = ("order", "user", "product")
MOST_CHECKS = 40
_MOST_STEPS = 1000
_LONGEST_TEXT = 2000
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
            check[field.name] = _read(field, texts.get(field.name, "").strip())
        except ValueError as error:
            problems[field.name] = str(error)
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
    kind = KINDS.get(check.get("kind", ""))
    if kind is None:
        return {"kind": f"There is no check called {check.get('kind')!r}."}
    problems = {}
    for field in kind.fields:
        if problem := _problem(field, check.get(field.name), tools):
            problems[field.name] = problem
    return problems


def readable_title(check: Check) -> str:
    """Return the check's title, or the name of its kind where its fields are not filled yet."""
    try:
        return check_title(check)
    except (KeyError, TypeError):
        kind = KINDS.get(check.get("kind", ""))
        return kind.label if kind else "unknown check"


def _read(field: Field, text: str) -> Any:
    if field.kind is FieldKind.ARGUMENTS:
        return _json(field, text or "{}")
    if field.kind is FieldKind.TOOLS:
        return [name for line in text.splitlines() for name in line.replace(",", " ").split()]
    if field.kind is FieldKind.FLAG:
        return _FLAGS.get(text)
    if field.kind is FieldKind.NUMBER:
        if not (text.isascii() and text.isdecimal()):
            given = repr(text) if text else "empty"
            raise ValueError(f"{field.label} is {given}; write a whole number such as 12.")
        return int(text)
    if field.kind is FieldKind.VALUE:
        return _value(field, text)
    return text


def _write(field: Field, value: Any) -> str:
    if value is None and field.kind is not FieldKind.VALUE:
        return ""
    if field.kind is FieldKind.TOOLS:
        return "\n".join(value)
    if field.kind is FieldKind.FLAG:
        return "yes" if value else "no"
    if field.kind is FieldKind.ARGUMENTS:
        return json.dumps(value, ensure_ascii=False, indent=2) if value else ""
    if field.kind is FieldKind.VALUE:
        is_text = isinstance(value, str) and _is_plain(value)
        return value if is_text else json.dumps(value, ensure_ascii=False)
    return str(value)


def _problem(field: Field, value: Any, tools: Collection[str]) -> str:
    if field.kind is FieldKind.ARGUMENTS:
        if not isinstance(value, dict):
            return f'{field.label} must be a JSON object such as {{"order_id": "#A1"}}.'
        return ""
    if field.kind is FieldKind.FLAG:
        return "" if isinstance(value, bool) else f"{field.label}: choose yes or no."
    if field.kind is FieldKind.NUMBER:
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if not is_number or not 1 <= value <= _MOST_STEPS:
            return f"{field.label} is {value}; it must be from 1 to {_MOST_STEPS}."
        return ""
    if field.kind is FieldKind.TOOLS:
        return _tools_problem(field, value, tools)
    if field.kind is FieldKind.VALUE:
        return "" if value != "" else f"{field.label}: write the value; “null” is none."
    return _text_problem(field, value, tools)


def _text_problem(field: Field, value: Any, tools: Collection[str]) -> str:
    if value in (None, ""):
        return f"{field.label} is empty." if field.is_required else ""
    if not isinstance(value, str):
        return f"{field.label} must be a text."
    if len(value) > _LONGEST_TEXT:
        return f"{field.label} has {len(value):,} characters; {_LONGEST_TEXT:,} at most."
    if field.kind is FieldKind.TOOL:
        return _tool_problem(value, tools)
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
