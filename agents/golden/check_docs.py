"""The page about checks, `docs/checks.md`, made of the registry. Pure."""

from itertools import groupby

from agents.golden.checks import KINDS, CheckKind, FieldKind

_HEAD = """\
# Checks

A golden test passes where all of its checks hold. Exact checks are decided by code, the same way
every time; what only a judge can say is asked afterwards and counts where the judge is believed.

This page is made of the checks themselves: `python manage.py checks_page > docs/checks.md`.

## A new check

One function in `agents/golden/call_checks.py`, `answer_checks.py` or `run_checks.py`. Its name is
how the check is stored, its docstring is what stands below, its fields are what the editor asks
for, and `forbids` says that in an adversarial test the attack has succeeded where it fails:

    @check_kind(
        label="says thank you",
        group=Group.ANSWERS,
        title="thanks the customer at least {times} times",
        fields=(Field("times", "Times", FieldKind.NUMBER),),
    )
    def answer_thanks(check: Check, outcome: Outcome) -> Found:
        \"\"\"Pass if the agent says thank you as often as that.\"\"\"
        num = sum("thank you" in folded(message.content) for message in outcome.answers)
        return num >= check["times"], f"{num} times"

`outcome` holds messages and calls in their order, the records at the end, cost and time
(`agents/golden/outcome.py`). The result says whether it passes and what was found, in words.

## How they are stored

In `checks` of a test, and in JSONL and YAML files, each is an object with its kind and its fields:

    {"kind": "tool_called", "tool": "refund", "arguments": {"order_id": "#W1"},
     "where": ["amount <= 50", "$.items[?@.price > 10] is missing"]}

Patterns are RE2's, in conditions and in JSON schemas, too: they take time in proportion to the
text, whatever they are (docs/decisions/031). Paths that begin with `$` are JSONPath (RFC 9535),
others are names with dots such as `address.zip`.
"""

_FORBIDS = "In an adversarial test the attack has succeeded where it fails."
_HOLDS = {
    FieldKind.TOOL: "a tool's name",
    FieldKind.TOOLS: "a list of tools' names",
    FieldKind.ARGUMENTS: "an object",
    FieldKind.CONDITIONS: "a list of conditions",
    FieldKind.SCHEMA: "a JSON schema",
    FieldKind.JSONPATH: "a JSONPath",
    FieldKind.PATTERN: "a pattern",
    FieldKind.RECORD: "order, user or product",
    FieldKind.TEXT: "a text",
    FieldKind.LINES: "a list of texts",
    FieldKind.VALUE: "any JSON value",
    FieldKind.NUMBER: "a whole number",
    FieldKind.DECIMAL: "a number",
    FieldKind.FLAG: "true or false",
    FieldKind.JUDGE: "a judge's short name, as its address has it",
}


def checks_page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    for group, kinds in groupby(KINDS.values(), key=lambda kind: kind.group):
        parts.append(f"## {group}\n")
        parts += map(_kind, kinds)
    return "\n".join(parts)


def _kind(kind: CheckKind) -> str:
    forbids = f"\n\n{_FORBIDS}" if kind.forbids else ""
    rows = [
        f"| `{field.name}` | {_holds(field.kind, field.choices)} | {_note(field.hint)} |"
        for field in kind.fields
    ]
    head = ["| field | holds | |", "|---|---|---|"] if rows else []
    table = "\n".join([*head, *rows, ""]) if rows else ""
    return f"### `{kind.name}`: {kind.label}\n\n{kind.description}{forbids}\n\n{table}"


def _holds(kind: FieldKind, choices: tuple[tuple[str, str], ...]) -> str:
    if kind is FieldKind.CHOICE:
        return ", ".join(f"`{key}`" for key, _ in choices)
    return _HOLDS[kind]


def _note(hint: str) -> str:
    return hint.replace("|", "\\|")
