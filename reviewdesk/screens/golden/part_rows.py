"""The parts of a golden test's form beside its checks: expectations, customer, calls unrecorded."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict

from agents.errors import GoldenError
from agents.golden.content import Parts, checked_parts
from agents.golden.exchange import in_order
from agents.golden.files import BadFileError, read_value, readable
from agents.golden.parts import CUSTOMERS, EXPECTED
from agents.models import GoldenTest

CHANGES = ("add-expectation", "add-line", "add-rule")
_TURNS = "turns"
_USUAL_TURNS = 8
_LONGEST_FIXTURES = 200_000
_RULE_FIELDS = ("tool", "where", "outcome", "answer")


@dataclass(frozen=True)
class RuleRow:
    """A rule as the form shows it: for which calls, and what answers them."""

    tool: str = ""
    where: str = ""
    outcome: str = "result"
    answer: str = ""


@dataclass(frozen=True)
class PartsDraft:
    """What a person has made of these parts so far; the last row of each list may be empty.

    Attributes:
        expectations: Kind and text.
        lines: Of a scripted customer: when the agent says this, say that.
        fixtures: The recorded results as YAML; None where they are too long for the form.
        problem: Why it cannot be saved, or empty.
    """

    expectations: tuple[tuple[str, str], ...] = ()
    customer: str = _TURNS
    lines: tuple[tuple[str, str], ...] = ()
    goal: str = ""
    model: str = ""
    max_turns: str = str(_USUAL_TURNS)
    on_missing: str = GoldenTest.OnMissing.FAIL.value
    rules: tuple[RuleRow, ...] = ()
    fixtures: str | None = None
    problem: str = ""

    @property
    def has_turns(self) -> bool:
        """Say whether the customer says the turns of the form."""
        return self.customer == _TURNS

    @property
    def expected(self) -> dict[str, str]:
        """Return the kinds of expectations with their words."""
        return EXPECTED

    @property
    def customers(self) -> dict[str, str]:
        """Return the kinds of customers with their words."""
        return CUSTOMERS

    @property
    def missing_choices(self) -> list[tuple[str, str]]:
        """Return what may become of a call without a fixture."""
        return [(choice.value, str(choice.label)) for choice in GoldenTest.OnMissing]

    def read(self, tools: Collection[str]) -> tuple[Parts | None, "PartsDraft"]:
        """Return the parts, or None where one cannot be used; and the draft that says why."""
        try:
            parts: Parts = {
                "expectations": [
                    {"kind": kind, "text": text} for kind, text in self.expectations if text.strip()
                ],
                "customer": self._customer(),
                "on_missing": self.on_missing,
                "rules": self._rules(),
            }
            if self.fixtures is not None:
                parts["fixtures"] = _fixtures(self.fixtures)
            checked_parts(parts, tools)
        except GoldenError as error:
            return None, replace(self, problem=str(error))
        return parts, self

    def _customer(self) -> dict[str, Any]:
        if self.customer == "scripted":
            lines = [{"when": when, "say": say} for when, say in self.lines if when or say]
            return {"kind": "scripted", "lines": lines}
        if self.customer == "simulated":
            turns = self.max_turns.strip()
            return {
                "kind": "simulated",
                "goal": self.goal,
                "model": self.model,
                "max_turns": int(turns) if turns.isdecimal() and len(turns) < 10 else turns,
            }
        return {"kind": self.customer} if self.customer != _TURNS else {}

    def _rules(self) -> list[dict[str, Any]]:
        return [
            {
                "tool": row.tool,
                "where": _json(f"Rule {number}: its arguments", row.where or "{}"),
                row.outcome: row.answer
                if row.outcome == "error"
                else _json(f"Rule {number}: its answer", row.answer or "null"),
            }
            for number, row in enumerate(self.rules, 1)
            if row.tool or row.where or row.answer
        ]


def parts_of(content: Mapping[str, Any]) -> PartsDraft:
    """Return the parts of a content as the form shows them."""
    customer = content["customer"]
    return PartsDraft(
        expectations=tuple((each["kind"], each["text"]) for each in content["expectations"]),
        customer=customer.get("kind", _TURNS),
        lines=tuple((each["when"], each["say"]) for each in customer.get("lines", ())),
        goal=customer.get("goal", ""),
        model=customer.get("model", ""),
        max_turns=str(customer.get("max_turns", _USUAL_TURNS)),
        on_missing=content["on_missing"],
        rules=tuple(_rule_row(rule) for rule in content["rules"]),
        fixtures=_fixtures_text(content["fixtures"]),
    )


def parts_of_form(data: QueryDict) -> PartsDraft:
    """Return what was sent, with an empty row more where a button asked for it."""
    rules = zip(*(data.getlist(f"rule-{name}") for name in _RULE_FIELDS), strict=False)
    return PartsDraft(
        expectations=_pairs(data, "expect-kind", "expect-text", "add-expectation", ("must", "")),
        customer=data.get("customer", _TURNS),
        lines=_pairs(data, "line-when", "line-say", "add-line", ("", "")),
        goal=data.get("goal", ""),
        model=data.get("customer-model", ""),
        max_turns=data.get("max-turns", str(_USUAL_TURNS)),
        on_missing=data.get("on-missing", GoldenTest.OnMissing.FAIL.value),
        rules=(
            *(RuleRow(*texts) for texts in rules),
            *([RuleRow()] if "add-rule" in data else []),
        ),
        fixtures=data.get("fixtures"),
    )


def _pairs(
    data: QueryDict, first: str, second: str, adds: str, empty: tuple[str, str]
) -> tuple[tuple[str, str], ...]:
    given = zip(data.getlist(first), data.getlist(second), strict=False)
    kept = [(one, other) for one, other in given if other.strip() or one.strip() != empty[0]]
    return (*kept, empty) if adds in data else tuple(kept)


def _fixtures_text(fixtures: Sequence[dict[str, Any]]) -> str | None:
    text = readable([in_order(fixture) for fixture in fixtures]) if fixtures else ""
    return text if len(text) <= _LONGEST_FIXTURES else None


def _fixtures(text: str) -> list[Any]:
    try:
        fixtures = read_value(text)
    except BadFileError as error:
        raise GoldenError(f"The fixtures: {error}") from error
    if fixtures is not None and not isinstance(fixtures, list):
        raise GoldenError("The fixtures must be a list: each begins with a hyphen.")
    return fixtures or []


def _rule_row(rule: Mapping[str, Any]) -> RuleRow:
    where = rule.get("where", {})
    is_error = "error" in rule
    return RuleRow(
        tool=rule["tool"],
        where=_text(where) if where else "",
        outcome="error" if is_error else "result",
        answer=rule["error"] if is_error else _text(rule.get("result")),
    )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _json(what: str, text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise GoldenError(
            f"{what}: this is not JSON ({error.msg.lower()} at line {error.lineno}, column "
            f"{error.colno}). Names and texts stand in double quotes."
        ) from error
    except (ValueError, RecursionError) as error:
        raise GoldenError(f"{what}: this cannot be read as JSON.") from error
