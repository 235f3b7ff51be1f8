"""Recorded tool results that answer a golden test's calls instead of the tool.

What answers which call (the executor asks, this module only matches):

- a tool that only reads is answered by its fixture until the run has written something, because
  from then on the recording no longer tells what the shop would say;
- every other call is done for real, in the run's own copy of the shop;
- a tool that is not in the registry can only be answered by a fixture.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from agents.config import canonical_json


@dataclass(frozen=True)
class Fixture:
    """One recorded answer of a tool.

    Attributes:
        tool: The tool's name.
        arguments: What it was called with.
        result: What it returned; meaningless where `error` is set.
        error: What it failed with, or None.
    """

    tool: str
    arguments: dict[str, Any]
    result: Any = None
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the form that is stored in `GoldenTest.fixtures` and `Run.fixtures`."""
        outcome = {"result": self.result} if self.error is None else {"error": self.error}
        return {"tool": self.tool, "arguments": self.arguments, **outcome}


def fixture_from_json(data: dict[str, Any]) -> Fixture:
    """Return the fixture that `Fixture.to_json` wrote."""
    return Fixture(data["tool"], data["arguments"], data.get("result"), data.get("error"))


def fixture_for(
    fixtures: Sequence[dict[str, Any]], tool: str, arguments: dict[str, Any]
) -> Fixture | None:
    """Return the first of `fixtures` (stored form) with this tool and the same arguments.

    Arguments are the same when their canonical JSON is: the order of keys does not count, the
    order of lists and the type of values do.
    """
    wanted = canonical_json(arguments)
    for data in fixtures:
        if data["tool"] == tool and canonical_json(data["arguments"]) == wanted:
            return fixture_from_json(data)
    return None


def without_doubles(fixtures: Iterable[Fixture]) -> tuple[Fixture, ...]:
    """Return the fixtures in their order, only the first of each tool and arguments."""
    first: dict[tuple[str, str], Fixture] = {}
    for fixture in fixtures:
        first.setdefault((fixture.tool, canonical_json(fixture.arguments)), fixture)
    return tuple(first.values())
