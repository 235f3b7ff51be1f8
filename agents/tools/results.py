"""What goes into a tool and comes out of it, held against its schemas, in words for the model.

A problem names the value's place, the value (shortened) and what is allowed. There are few of
them, and short: they are read by a model that pays for each word.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from agents.tools.contract import ToolContract

MAX_PROBLEMS = 5
MAX_LENGTH = 240
_MAX_READ = 50
_MAX_VALUE = 60
_MAX_NAMES = 12
_MAX_WAYS = 3


def argument_problems(contract: ToolContract, arguments: dict[str, Any]) -> list[str]:
    """Return a sentence per way in which the arguments do not fit the tool, empty if they do."""
    return _problems(contract.parameters, arguments, "the call")


def result_problems(contract: ToolContract, result: Any) -> list[str]:
    """Return a sentence per way in which a result breaks the contract, empty if it keeps it."""
    if contract.returns is None:
        return []
    return _problems(contract.returns, result, "the result")


def bad_result(contract: ToolContract, problems: list[str]) -> str:
    """Return what the model is told of a call outside whose result breaks the contract."""
    text = f"{contract.name} answered what its contract does not allow: {'; '.join(problems)}"
    return text if contract.is_read else f"{text}. The call was made and what it did stands."


def schema_problem(schema: dict[str, Any]) -> str:
    """Return why a JSON schema is none, or an empty string."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"{_place(error.absolute_path, 'the schema')}: {_shortened(error.message)}"
    return ""


def _problems(schema: dict[str, Any], value: Any, whole: str) -> list[str]:
    validator = _validator(json.dumps(schema))
    try:
        errors = list(islice(validator.iter_errors(value), _MAX_READ))
    except Unresolvable as error:
        ref = _shortened(error.ref, _MAX_VALUE)
        return [f"{whole} cannot be checked: its schema refers to {ref}, which is not in it"]
    found = list(dict.fromkeys(_sentences(errors, whole)))
    left = len(found) - MAX_PROBLEMS
    if left <= 0:
        return found
    at_least = "at least " if len(errors) == _MAX_READ else ""
    return [*found[:MAX_PROBLEMS], f"and {at_least}{left} more"]


@lru_cache(maxsize=1_000)
def _validator(schema: str) -> Draft202012Validator:
    """Return the validator of a schema, by its text: contracts from the database are made anew.

    Without a registry of its own it would fetch the schemas that a schema refers to.
    """
    return Draft202012Validator(json.loads(schema), registry=Registry())


def _sentences(errors: Iterable[ValidationError], whole: str) -> Iterator[str]:
    for error in sorted(errors, key=lambda error: [str(part) for part in error.absolute_path]):
        yield _shortened(_sentence(error, whole), MAX_LENGTH)


def _sentence(error: ValidationError, whole: str) -> str:
    place = _place(error.absolute_path, whole)
    describe = _WORDS.get(str(error.validator))
    if describe:
        return describe(place, error)
    if error.context:
        ways = [_sentence(inner, whole) for inner in error.context[:_MAX_WAYS]]
        return f"{place} has none of its forms: {' or '.join(dict.fromkeys(ways))}"
    return f"{place}: {error.message}"


def _place(path: Iterable[str | int], whole: str) -> str:
    return ".".join(str(part) for part in path) or whole


def _missing(place: str, error: Any) -> str:
    return f"{place} lacks {_names([n for n in error.validator_value if n not in error.instance])}"


def _unknown(place: str, error: Any) -> str:
    known = list(error.schema.get("properties", {}))
    extra = [name for name in error.instance if name not in known]
    allowed = f"allowed: {_names(known)}" if known else "none is allowed"
    return f"{place} has unknown {_names(extra)}; {allowed}"


def _wrong_type(place: str, error: Any) -> str:
    wanted = error.validator_value
    allowed = wanted if isinstance(wanted, str) else " or ".join(wanted)
    return f"{place} is {_value(error.instance)}, {_type_of(error.instance)}, not {allowed}"


def _not_among(place: str, error: Any) -> str:
    allowed = [_value(each) for each in error.validator_value]
    return f"{place} is {_value(error.instance)}; allowed: {_names(allowed)}"


def _not_constant(place: str, error: Any) -> str:
    return f"{place} is {_value(error.instance)}; allowed: {_value(error.validator_value)}"


def _bound(words: str) -> Callable[[str, Any], str]:
    def describe(place: str, error: Any) -> str:
        return f"{place} is {_value(error.instance)}; {words} {error.validator_value}"

    return describe


_WORDS: dict[str, Callable[[str, Any], str]] = {
    "required": _missing,
    "additionalProperties": _unknown,
    "type": _wrong_type,
    "enum": _not_among,
    "const": _not_constant,
    "minLength": _bound("its length is at least"),
    "maxLength": _bound("its length is at most"),
    "minimum": _bound("it is at least"),
    "maximum": _bound("it is at most"),
    "exclusiveMinimum": _bound("it is more than"),
    "exclusiveMaximum": _bound("it is less than"),
    "multipleOf": _bound("it is a multiple of"),
    "minItems": _bound("the least number of items is"),
    "maxItems": _bound("the largest number of items is"),
    "pattern": _bound("it matches"),
    "format": _bound("it is in the form"),
}


def _names(names: list[str]) -> str:
    shown = ", ".join(_shortened(name, _MAX_VALUE) for name in names[:_MAX_NAMES])
    left = len(names) - _MAX_NAMES
    return f"{shown} and {left} more" if left > 0 else shown


def _type_of(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


def _value(value: Any) -> str:
    match value:
        case str():
            return _shortened(json.dumps(value[: _MAX_VALUE + 1], ensure_ascii=False), _MAX_VALUE)
        case list():
            return f"[{len(value)} items]"
        case dict():
            return f"{{{_names(list(value)[:3])}…}}" if value else "{}"
    return _shortened(json.dumps(value, default=str), _MAX_VALUE)


def _shortened(text: str, length: int = MAX_LENGTH) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
