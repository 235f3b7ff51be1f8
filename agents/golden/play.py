"""What answers a golden run's call for which nothing was recorded.

A golden run changes nothing but its own copy of the shop, which answers for the shop's tools. A
tool outside is answered by the fixture with the same tool and arguments (`agents.golden.replay`),
else as the test chose: the call fails, the real tool is asked if it only reads, or the first rule
that fits answers. Rules also answer for the shop's tools that read, before the first write.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from agents.golden.replay import Fixture
from agents.models import GoldenTest, Run

_ANY = "*"


@dataclass(frozen=True)
class Play:
    """How a golden test is played, beside its fixtures.

    Attributes:
        on_missing: A `GoldenTest.OnMissing` value.
        rules: `[{tool, where, result | error}]`, the first that fits answers.
    """

    on_missing: str = GoldenTest.OnMissing.FAIL
    rules: Sequence[Mapping[str, Any]] = ()


def play_of(run: Run) -> Play:
    """Return how a run's test is played."""
    data = run.play or {}
    on_missing = data.get("on_missing", GoldenTest.OnMissing.FAIL)
    return Play(on_missing, tuple(data.get("rules", ())))


def rule_for(play: Play, tool: str, arguments: Mapping[str, Any]) -> Fixture | None:
    """Return the answer of the first rule that fits the call; None if none does."""
    if play.on_missing != GoldenTest.OnMissing.SIMULATE:
        return None
    for rule in play.rules:
        if rule["tool"] == tool and fits(rule.get("where", {}), arguments):
            return Fixture(tool, dict(arguments), rule.get("result"), rule.get("error"))
    return None


def fits(where: Mapping[str, Any], arguments: Mapping[str, Any]) -> bool:
    """Say whether arguments are as `where` wants them; those it leaves out may be anything.

    A text may hold `*` for any characters; other values must be equal.
    """
    return all(
        name in arguments and _is_like(wanted, arguments[name]) for name, wanted in where.items()
    )


def rule_problems(rules: Any) -> list[str]:
    """Return what is wrong with a test's rules, in words; empty if they can be used."""
    if not isinstance(rules, list):
        return ["The rules must be a list of {tool, where, result or error}."]
    problems = []
    for number, rule in enumerate(rules, 1):
        if not isinstance(rule, dict) or not isinstance(rule.get("tool"), str):
            problems.append(f"Rule {number} must be an object with the name of a 'tool'.")
        elif not isinstance(rule.get("where", {}), dict):
            problems.append(f"Rule {number}: 'where' must be an object of arguments.")
        elif ("result" in rule) == ("error" in rule):
            problems.append(f"Rule {number} needs a 'result' or an 'error', one of the two.")
        elif "error" in rule and not isinstance(rule["error"], str):
            problems.append(f"Rule {number}: 'error' must be a text.")
        elif unknown := sorted(rule.keys() - {"tool", "where", "result", "error"}):
            problems.append(f"Rule {number} has {', '.join(unknown)}, which no rule has.")
    return problems


def _is_like(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, str) and isinstance(given, str) and _ANY in wanted:
        # Only the star is special: brackets and question marks are what they are.
        pattern = wanted.replace("[", "[[]").replace("?", "[?]")
        return fnmatchcase(given, pattern)
    return bool(wanted == given)
