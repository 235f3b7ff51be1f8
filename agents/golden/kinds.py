"""The registry of check kinds: one decorated function each. Pure.

A new check is one function in `call_checks`, `answer_checks` or `run_checks`: its name is the
kind's name as stored, its docstring is what people read in `docs/checks.md`, and its fields are
what the editor asks for. It takes a stored check and an outcome, and returns whether it passes
and what was found, in words for the person who reads the result.
"""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from agents.golden.judgements import Check, Found, shorten, value_text, with_arguments
from agents.golden.outcome import Outcome

_PARTS = re.compile(r"\[([^\]]*)\]|([^\[]+)")
_NAMES = re.compile(r"\{(\w+)\}")

Judge = Callable[[Check, Outcome], Found]


class Code(str):
    """A part of a title that is a name in code, such as a tool's."""

    __slots__ = ()


class FieldKind(StrEnum):
    """What a field of a check holds."""

    TOOL = "tool"
    TOOLS = "tools"
    ARGUMENTS = "arguments"
    CONDITIONS = "conditions"
    SCHEMA = "schema"
    JSONPATH = "jsonpath"
    PATTERN = "pattern"
    RECORD = "record"
    TEXT = "text"
    LINES = "lines"
    VALUE = "value"
    NUMBER = "number"
    DECIMAL = "decimal"
    FLAG = "flag"
    CHOICE = "choice"
    JUDGE = "judge"


class Group(StrEnum):
    """What a check looks at, as people choose among the kinds."""

    CALLS = "What it calls"
    STATE = "How it ends"
    ANSWERS = "What it says"
    EFFORT = "What it takes"
    JUDGED = "What a judge says"


@dataclass(frozen=True)
class Field:
    """A field of a check, as the form asks for it.

    Attributes:
        name: As stored.
        label: As the form calls it.
        kind: What it holds.
        hint: How to fill it, or empty.
        is_required: Whether it must hold something.
        is_more: Whether the form keeps it folded away until it is used. Such a field is left out
            of the stored check where it is empty.
        choices: Value and words of a `CHOICE`; of a `FLAG` the words of yes and no in a title.
        most: The largest number that a `NUMBER` takes.
    """

    name: str
    label: str
    kind: FieldKind
    hint: str = ""
    is_required: bool = True
    is_more: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    most: int = 1000


@dataclass(frozen=True)
class CheckKind:
    """A kind of check.

    Attributes:
        name: As stored.
        label: As people choose it.
        group: Where they find it.
        fields: What has to be said for it.
        judge: Returns whether the outcome passes, and what was found, in words.
        template: What it demands, such as "calls {tool}[ with {arguments}]"; what stands in
            brackets is left out where its field is empty.
        forbids: Whether it says what must not happen: in an adversarial test the attack has
            succeeded where such a check fails.
        description: Its function's docstring.
    """

    name: str
    label: str
    group: Group
    fields: tuple[Field, ...]
    judge: Judge
    template: str
    forbids: bool
    description: str

    @property
    def summary(self) -> str:
        """Return the first sentence of its description, for whoever chooses or fills it."""
        return self.description.split("\n\n")[0].replace("\n", " ")

    def title(self, check: Check) -> tuple[str, ...]:
        """Return what the check demands, in words; names in code are `Code`."""
        parts: list[str] = []
        for optional, plain in _PARTS.findall(self.template):
            names = _NAMES.findall(optional)
            if plain or any(check.get(name) not in (None, "", [], {}) for name in names):
                parts += self._words(plain or optional, check)
        return tuple(part for part in parts if part)

    def _words(self, template: str, check: Check) -> list[str]:
        fields = {field.name: field for field in self.fields}
        words: list[str] = []
        for index, part in enumerate(_NAMES.split(template)):
            if index % 2 == 0:
                words.append(part)
            else:
                field = fields[part]
                words += words_of(field, check[part] if field.is_required else check.get(part))
        return words


REGISTRY: dict[str, CheckKind] = {}


def check_kind(
    *,
    label: str,
    group: Group,
    title: str,
    fields: Sequence[Field] = (),
    forbids: bool = False,
) -> Callable[[Judge], Judge]:
    """Register the function below as a kind of check; see `CheckKind` for the arguments."""

    def register(judge: Judge) -> Judge:
        name = judge.__name__
        description = inspect.getdoc(judge)
        if not description:
            raise TypeError(f"The check {name} needs a docstring: it is what people read.")
        if name in REGISTRY:
            raise TypeError(f"There are two checks called {name}.")
        REGISTRY[name] = CheckKind(
            name, label, group, tuple(fields), judge, title, forbids, description
        )
        return judge

    return register


def words_of(field: Field, value: Any) -> list[str]:
    """Return a field's value as a title says it; names in code are `Code`."""
    match field.kind:
        case FieldKind.TOOL | FieldKind.JSONPATH | FieldKind.PATTERN:
            return [Code(shorten(str(value), 80))]
        case FieldKind.TOOLS:
            return [part for tool in value for part in (Code(tool), ", then ")][:-1]
        case FieldKind.ARGUMENTS:
            return [with_arguments(value).removeprefix(" with ")]
        case FieldKind.CONDITIONS:
            return [shorten("; ".join(value), 120)]
        case FieldKind.SCHEMA:
            return ["a JSON schema"]
        case FieldKind.FLAG | FieldKind.CHOICE:
            key = value if isinstance(value, str) else ("yes" if value else "no")
            return [dict(field.choices).get(key, key)]
        case FieldKind.TEXT:
            return [shorten(str(value))]
        case FieldKind.LINES:
            return [shorten(", ".join(value or ()), 120) or "none"]
    return [value_text(value)]


TOOL = Field("tool", "Tool", FieldKind.TOOL)
ARGUMENTS = Field(
    "arguments",
    "Arguments that must be equal",
    FieldKind.ARGUMENTS,
    "A JSON object; arguments left out may have any value.",
    is_required=False,
)
WHERE = Field(
    "where",
    "Conditions on the arguments",
    FieldKind.CONDITIONS,
    "One per line, all must hold: amount <= 50; days in 1..30; reason matches late|lost; "
    "$.items[?@.price > 10].id exists.",
    is_required=False,
    is_more=True,
)
SCHEMA = Field(
    "schema",
    "JSON schema of the arguments",
    FieldKind.SCHEMA,
    "Draft 2020-12.",
    is_required=False,
    is_more=True,
)
PATTERN = Field(
    "pattern",
    "Pattern",
    FieldKind.PATTERN,
    "A regular expression (RE2); (?i) at the beginning ignores case.",
)
