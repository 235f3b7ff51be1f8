"""The parts of a golden test that decide how it is replayed, and what must be true of them. Pure.

`fixtures`, `rules`, `expectations`, `customer` and `on_missing`; see `GoldenTest`.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from agents.errors import GoldenError
from agents.models import GoldenTest
from traces.clean import clean_json, is_deeper

MOST_FIXTURES = 2_000
MOST_RULES = 100
MOST_EXPECTATIONS = 20
MOST_LINES = 50
MOST_CUSTOMER_TURNS = 50
LONGEST_WORDS = 4_000
DEEPEST = 50
EXPECTED = {"must": "must", "must_not": "must not"}
CUSTOMERS = {
    "turns": "says these turns, one after each answer",
    "scripted": "answers by lines: when the agent says this, say that",
    "simulated": "is played by a model that has a goal",
}


def checked_fixtures(
    fixtures: Sequence[Any], tools: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Return recorded results in their stored form.

    Args:
        fixtures: `[{tool, arguments, result | error}]`.
        tools: Names that there are; None: any name, as in a recording.

    Raises:
        GoldenError: One of them cannot be used; the message says which, and why.
    """
    if len(fixtures) > MOST_FIXTURES:
        raise GoldenError(f"The test has {len(fixtures):,} fixtures; {MOST_FIXTURES:,} at most.")
    return [
        _answer(f"Fixture {number}", data, "arguments", tools)
        for number, data in enumerate(fixtures, 1)
    ]


def checked_rules(rules: Sequence[Any], tools: Collection[str] | None) -> list[dict[str, Any]]:
    """Return rules in their stored form: `[{tool, where, result | error}]`.

    Raises:
        GoldenError: One of them cannot be used; the message says which, and why.
    """
    if len(rules) > MOST_RULES:
        raise GoldenError(f"The test has {len(rules)} rules; {MOST_RULES} at most.")
    return [_answer(f"Rule {number}", data, "where", tools) for number, data in enumerate(rules, 1)]


def checked_expectations(expectations: Sequence[Any]) -> list[dict[str, str]]:
    """Return what must or must not be, in plain words: `[{kind: must | must_not, text}]`.

    Raises:
        GoldenError: One of them is empty, too long or of no such kind.
    """
    if len(expectations) > MOST_EXPECTATIONS:
        raise GoldenError(
            f"The test has {len(expectations)} expectations; {MOST_EXPECTATIONS} at most."
        )
    checked = []
    for number, data in enumerate(expectations, 1):
        name = f"Expectation {number}"
        _only(name, data, {"kind", "text"})
        if str(data.get("kind")) not in EXPECTED:
            raise GoldenError(f"{name}: its kind is {data.get('kind')!r}; write must or must_not.")
        checked.append({"kind": data["kind"], "text": _words(name, "text", data.get("text"))})
    return checked


def checked_customer(customer: Mapping[str, Any]) -> dict[str, Any]:
    """Return who speaks after the input, in its stored form; nothing and `turns` are the same.

    Raises:
        GoldenError: There is no such customer, or something of it is missing or too long.
    """
    kind = str(customer.get("kind", "turns"))
    if kind not in CUSTOMERS:
        raise GoldenError(f"The customer is {kind!r}; it must be one of {', '.join(CUSTOMERS)}.")
    if kind == "scripted":
        _only("The customer", customer, {"kind", "lines"})
        return {"kind": "scripted", "lines": _lines(customer.get("lines"))}
    if kind == "simulated":
        return _simulated(customer)
    _only("The customer", customer, {"kind"})
    return {}


def checked_on_missing(value: Any) -> str:
    """Return what becomes of a call that no fixture answers.

    Raises:
        GoldenError: There is no such choice.
    """
    if value not in GoldenTest.OnMissing.values:
        known = ", ".join(GoldenTest.OnMissing.values)
        raise GoldenError(
            f"For a call without a fixture it says {value!r}; it must be one of {known}."
        )
    return str(value)


def _answer(name: str, data: Any, asked: str, tools: Collection[str] | None) -> dict[str, Any]:
    _only(name, data, {"tool", asked, "result", "error"})
    tool = data.get("tool")
    if not isinstance(tool, str) or not tool:
        raise GoldenError(f"{name}: “tool” is missing: the name of the tool that it answers for.")
    if tools is not None and tool not in tools:
        raise GoldenError(
            f"{name}: there is no tool called {tool!r}; there are {', '.join(sorted(tools))}."
        )
    arguments = data.get(asked, {})
    if not isinstance(arguments, dict):
        raise GoldenError(f"{name}: “{asked}” must be an object of arguments.")
    if ("result" in data) == ("error" in data):
        raise GoldenError(f"{name}: it needs either a “result” or an “error”.")
    if "error" in data and not (isinstance(data["error"], str) and data["error"]):
        raise GoldenError(f"{name}: “error” must be a text.")
    if is_deeper(data, DEEPEST):
        raise GoldenError(f"{name}: it is nested over {DEEPEST} levels deep.")
    outcome = "error" if "error" in data else "result"
    return {
        "tool": tool,
        asked: clean_json(arguments),
        outcome: clean_json(data[outcome]),
    }


def _lines(lines: Any) -> list[dict[str, str]]:
    if not isinstance(lines, list) or not lines:
        raise GoldenError("The scripted customer has no lines: write at least one.")
    if len(lines) > MOST_LINES:
        raise GoldenError(f"The scripted customer has {len(lines)} lines; {MOST_LINES} at most.")
    checked = []
    for number, data in enumerate(lines, 1):
        name = f"Line {number} of the customer"
        _only(name, data, {"when", "say"})
        checked.append({part: _words(name, part, data.get(part)) for part in ("when", "say")})
    return checked


def _simulated(customer: Mapping[str, Any]) -> dict[str, Any]:
    _only("The customer", customer, {"kind", "goal", "model", "max_turns"})
    turns = customer.get("max_turns")
    is_number = isinstance(turns, int) and not isinstance(turns, bool)
    if not is_number or not 1 <= turns <= MOST_CUSTOMER_TURNS:  # type: ignore[operator]
        raise GoldenError(
            f"The simulated customer’s turns are {turns!r}; choose 1 to {MOST_CUSTOMER_TURNS}."
        )
    name = "The simulated customer"
    return {
        "kind": "simulated",
        "goal": _words(name, "goal", customer.get("goal")),
        "model": _words(name, "model", customer.get("model")),
        "max_turns": turns,
    }


def _only(name: str, data: Any, known: Collection[str]) -> None:
    if not isinstance(data, Mapping):
        raise GoldenError(f"{name} must be an object with {', '.join(sorted(known))}.")
    if unknown := [str(key) for key in data if key not in known]:
        raise GoldenError(
            f"{name} has “{unknown[0]}”, which means nothing here; it may have "
            f"{', '.join(sorted(known))}."
        )


def _words(name: str, part: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise GoldenError(f"{name}: “{part}” is empty.")
    text = str(clean_json(value)).strip()
    if len(text) > LONGEST_WORDS:
        raise GoldenError(
            f"{name}: “{part}” has {len(text):,} characters; {LONGEST_WORDS:,} at most."
        )
    return text
