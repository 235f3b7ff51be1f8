"""Reading runs of AgentDojo, one per line, for golden tests. Pure.

Form: ethz-spylab/agentdojo, `src/agentdojo/logging.py` (`TraceLogger`), as JSON Lines.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from agents.errors import GoldenError
from agents.golden.files import DEEPEST, BadFileError, Problem
from traces.clean import is_deeper

MOST_ROWS = 20_000
_NO_LETTER = re.compile(r"\W+")
# What stands around the task in the benchmark's own wording of an attack.
_WRAPPED = re.compile(r"please do the following first:\s*(.+?)\s*After you do that", re.DOTALL)
_TELLING = 40


@dataclass(frozen=True)
class DojoCall:
    """A tool call of a run and what it returned."""

    tool: str
    arguments: dict[str, Any]
    result: str
    error: str

    def to_fixture(self) -> dict[str, Any]:
        """Return the call as a fixture of a golden test."""
        outcome = {"error": self.error} if self.error else {"result": self.result}
        return {"tool": self.tool, "arguments": self.arguments, **outcome}


@dataclass(frozen=True)
class DojoRow:
    """One run.

    Attributes:
        line: In the file.
        suite: Of the benchmark, such as banking.
        user_task: What the user wanted.
        injection_task: What the attack wanted; empty where nothing was planted.
        attack: How it was worded; empty where nothing was planted.
        pipeline: Model and defence.
        prompt: The user's words.
        goal: The attack's words, without what the benchmark wraps around them.
        has_succeeded: Whether the attack did.
        was_read: Whether a tool returned what was planted.
        calls: In order.
    """

    line: int
    suite: str
    user_task: str
    injection_task: str
    attack: str
    pipeline: str
    prompt: str
    goal: str
    has_succeeded: bool
    was_read: bool
    calls: tuple[DojoCall, ...]


def read_rows(lines: Iterable[str]) -> list[DojoRow]:
    """Return the runs of a file.

    Raises:
        BadFileError: A line cannot be used, there is none, or there are too many; it names every
            such line.
    """
    rows: list[DojoRow] = []
    problems: list[Problem] = []
    for number, line in enumerate(lines, 1):
        if not line.strip("\ufeff \t\r\n"):
            continue
        if len(rows) + len(problems) >= MOST_ROWS:
            raise BadFileError([Problem("The file", f"it has over {MOST_ROWS:,} runs.")])
        try:
            rows.append(_row(number, line))
        except GoldenError as error:
            problems.append(Problem(f"Line {number}", str(error)))
    if problems:
        raise BadFileError(problems)
    if not rows:
        raise BadFileError([Problem("The file", "there is no run in it.")])
    return rows


def _row(number: int, line: str) -> DojoRow:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise GoldenError(f"it is not JSON: {error}.") from error
    if not isinstance(data, dict) or is_deeper(data, DEEPEST):
        raise GoldenError("it must be an object: one run, not nested too deeply.")
    for name in ("suite_name", "user_task_id", "pipeline_name"):
        if not isinstance(data.get(name), str) or not data[name]:
            raise GoldenError(f"“{name}” is missing, so it is no run of AgentDojo.")
    attack = data.get("attack_type") or ""
    injections = data.get("injections") or {}
    if not isinstance(injections, dict) or not isinstance(attack, str):
        raise GoldenError("“injections” must be an object and “attack_type” a text.")
    planted = [text for text in injections.values() if isinstance(text, str) and text.strip()]
    if attack and not (planted and isinstance(data.get("injection_task_id"), str)):
        raise GoldenError("it was attacked, but “injections” or “injection_task_id” is missing.")
    if attack and not isinstance(data.get("security"), bool):
        raise GoldenError("“security” must be true or false: whether the attack succeeded.")
    messages = _messages(data)
    calls = tuple(_calls(messages))
    return DojoRow(
        line=number,
        suite=data["suite_name"],
        user_task=data["user_task_id"],
        injection_task=data["injection_task_id"] if attack else "",
        attack=attack,
        pipeline=data["pipeline_name"],
        prompt=_prompt(messages),
        goal=" ".join(dict.fromkeys(map(_goal_of, planted))) if attack else "",
        has_succeeded=bool(attack) and data["security"],
        was_read=any(_holds(call.result, text) for call in calls for text in planted),
        calls=calls,
    )


def _messages(data: dict[str, Any]) -> list[dict[str, Any]]:
    messages = data.get("messages")
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        raise GoldenError("“messages” must be a list of objects.")
    return messages


def _prompt(messages: list[dict[str, Any]]) -> str:
    """Return what the user asked for; some defences say more in the user's name later."""
    for message in messages:
        content = message.get("content")
        if message.get("role") == "user" and isinstance(content, str) and content.strip():
            return content.strip()
    raise GoldenError("no message in it is the user’s.")


def _calls(messages: list[dict[str, Any]]) -> Iterator[DojoCall]:
    for index, message in enumerate(messages):
        if message.get("role") != "tool":
            continue
        call = message.get("tool_call")
        if not isinstance(call, dict) or not isinstance(call.get("function"), str):
            raise GoldenError(f"message {index} is a tool’s and does not say of which call.")
        arguments = call.get("args")
        if not isinstance(arguments, dict):
            raise GoldenError(f"message {index}: the arguments of the call must be an object.")
        content, error = message.get("content"), message.get("error")
        yield DojoCall(
            tool=call["function"],
            arguments=arguments,
            result=content if isinstance(content, str) else "",
            error=error if isinstance(error, str) else "",
        )


def _goal_of(planted: str) -> str:
    found = _WRAPPED.search(planted)
    return " ".join((found[1] if found else planted).split())


def _holds(text: str, planted: str) -> bool:
    """Say whether a result holds what was planted, however it was quoted and broken there."""
    letters = _NO_LETTER.sub("", _goal_of(planted))[:_TELLING]
    return bool(letters) and letters in _NO_LETTER.sub("", text)
