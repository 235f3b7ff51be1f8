"""The kinds of checks with their fields and titles, and judging an outcome by them. Pure.

A check is stored as `{"kind": …, …}` with the fields of its kind; `KINDS` holds the kinds.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from agents.golden import judgements
from agents.golden.judgements import Check, Found, shorten, value_text, with_arguments
from agents.golden.outcome import Outcome


class Code(str):
    """A part of a title that is a name in code, such as a tool's."""

    __slots__ = ()


class FieldKind(StrEnum):
    """What a field of a check holds."""

    TOOL = "tool"
    TOOLS = "tools"
    ARGUMENTS = "arguments"
    RECORD = "record"
    TEXT = "text"
    VALUE = "value"
    NUMBER = "number"
    FLAG = "flag"


@dataclass(frozen=True)
class Field:
    """A field of a check, as the form asks for it."""

    name: str
    label: str
    kind: FieldKind
    hint: str = ""
    is_required: bool = True


@dataclass(frozen=True)
class CheckKind:
    """A kind of check.

    Attributes:
        name: As stored.
        label: As people choose it.
        fields: What has to be said for it.
        judge: Returns whether the outcome passes, and what was found, in words.
        title: Returns what the check demands, in words; names in code are `Code`.
    """

    name: str
    label: str
    fields: tuple[Field, ...]
    judge: Callable[[Check, Outcome], Found]
    title: Callable[[Check], tuple[str, ...]]


@dataclass(frozen=True)
class CheckResult:
    """What one check found in one outcome."""

    kind: str
    title: str
    passed: bool
    found: str

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in `EvalResult.checks`."""
        return asdict(self)


def judge_outcome(checks: Sequence[Check], outcome: Outcome) -> tuple[CheckResult, ...]:
    """Return what each check found, in their order."""
    results = []
    for check in checks:
        passed, found = KINDS[check["kind"]].judge(check, outcome)
        results.append(CheckResult(check["kind"], check_title(check), passed, found))
    return tuple(results)


def check_title(check: Check) -> str:
    """Return what a check demands, such as "calls cancel_order with order_id #A1"."""
    return "".join(KINDS[check["kind"]].title(check))


def records_asked(checks: Sequence[Check]) -> set[tuple[str, str]]:
    """Return kind and key of the records that the checks look at."""
    return {(check["record"], check["key"]) for check in checks if check["kind"] == "final_state"}


_TOOL = Field("tool", "Tool", FieldKind.TOOL)
_ARGUMENTS = Field(
    "arguments",
    "Arguments that must match",
    FieldKind.ARGUMENTS,
    "A JSON object; arguments left out may have any value.",
    is_required=False,
)
_TEXT = Field("text", "Text", FieldKind.TEXT, "Case and line breaks don't count.")

KINDS: dict[str, CheckKind] = {
    kind.name: kind
    for kind in (
        CheckKind(
            "tool_called",
            "calls a tool",
            (_TOOL, _ARGUMENTS),
            judgements.tool_called,
            lambda check: ("calls ", Code(check["tool"]), with_arguments(check["arguments"])),
        ),
        CheckKind(
            "tool_not_called",
            "never calls a tool",
            (_TOOL, _ARGUMENTS),
            judgements.tool_not_called,
            lambda check: ("never calls ", Code(check["tool"]), with_arguments(check["arguments"])),
        ),
        CheckKind(
            "tools_in_order",
            "calls tools in this order",
            (Field("tools", "Tools", FieldKind.TOOLS, "One name per line, first to last."),),
            judgements.tools_in_order,
            lambda check: (
                "calls ",
                *[part for tool in check["tools"] for part in (Code(tool), ", then ")][:-1],
            ),
        ),
        CheckKind(
            "confirmed_before",
            "asks for a yes before a tool",
            (
                _TOOL,
                Field(
                    "mentions",
                    "The question names this argument",
                    FieldKind.TEXT,
                    "Such as order_id. Empty: any question counts.",
                    is_required=False,
                ),
            ),
            judgements.confirmed_before,
            lambda check: (
                "asks and gets a yes before ",
                Code(check["tool"]),
                f", naming {check['mentions']}" if check.get("mentions") else "",
            ),
        ),
        CheckKind(
            "final_state",
            "leaves a record like this",
            (
                Field("record", "Record", FieldKind.RECORD),
                Field("key", "Id", FieldKind.TEXT),
                Field("path", "Field", FieldKind.TEXT, "Such as status or address.zip."),
                Field("equals", "Equals", FieldKind.VALUE, "Text, a number, or JSON."),
            ),
            judgements.final_state,
            lambda check: (
                f"final state: {check['record']} {check['key']} has {check['path']} ",
                value_text(check["equals"]),
            ),
        ),
        CheckKind(
            "answer_contains",
            "says a text",
            (_TEXT,),
            judgements.answer_contains,
            lambda check: (f"says “{shorten(check['text'])}”",),
        ),
        CheckKind(
            "answer_lacks",
            "never says a text",
            (_TEXT,),
            judgements.answer_lacks,
            lambda check: (f"never says “{shorten(check['text'])}”",),
        ),
        CheckKind(
            "handed_over",
            "hands over to a person, or not",
            (Field("expected", "Hands over", FieldKind.FLAG),),
            judgements.handed_over,
            lambda check: (
                "hands over to a person" if check["expected"] else "does not hand over",
            ),
        ),
        CheckKind(
            "at_most_steps",
            "takes at most so many steps",
            (Field("limit", "Steps", FieldKind.NUMBER, "Model calls and tool calls together."),),
            judgements.at_most_steps,
            lambda check: (f"at most {check['limit']} steps",),
        ),
        CheckKind(
            "no_failed_calls",
            "has no failed call",
            (),
            judgements.no_failed_calls,
            lambda check: ("no tool call fails",),
        ),
    )
}
