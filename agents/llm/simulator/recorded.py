"""A model that repeats recordings: tau2 results in, the recorded assistant messages out.

Form: sierra-research/tau2-bench, `src/tau2/data_model/simulation.py` and `message.py`.
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from agents.llm.simulator.server import Answer, RequestRefusedError

END_MARKS = ("###STOP###", "###TRANSFER###", "###OUT-OF-SCOPE###")
_Said = tuple[str, ...]


@dataclass(frozen=True)
class Recording:
    """One recorded session.

    Attributes:
        model: The agent's model, as its endpoint knows it.
        task: The task with its expected actions, as the file has it.
        messages: All messages, as the file has them.
        reached_goal: Whether the recorded shop ended as the task expects; None: not recorded.
    """

    id: str
    model: str
    task: dict[str, Any]
    messages: tuple[dict[str, Any], ...]
    reached_goal: bool | None

    @property
    def run_input(self) -> dict[str, Any]:
        """Return the input of a run that repeats it, without what nobody answered."""
        answered = max(
            (at for at, each in enumerate(self.messages) if each["role"] == "assistant"), default=0
        )
        said = [each for each in self.messages[: answered + 1] if each["role"] == "user"]
        start = self.messages.index(said[0]) + 1 if said else 0
        given = [
            {"role": each["role"], "content": each["content"]} for each in self.messages[:start]
        ]
        return {"messages": given, "turns": [each["content"] for each in said[1:]]}


def read_recordings(path: Path) -> tuple[Recording, ...]:
    """Return the recorded sessions of a tau2 results file, plain or gzipped."""
    data = path.read_bytes()
    content = json.loads(gzip.decompress(data) if path.suffix == ".gz" else data)
    tasks = {task["id"]: task for task in content["tasks"]}
    model = content["info"]["agent_info"]["llm"]
    return tuple(
        Recording(
            id=simulation["id"],
            model=model,
            task=tasks[simulation["task_id"]],
            messages=tuple(simulation["messages"]),
            reached_goal=_reached_goal(simulation),
        )
        for simulation in content["simulations"]
    )


class RecordedBrain:
    """Finds the recording by the conversation so far; results of tools are not looked at."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        """Index what was said next by model and everything said before."""
        self._next: dict[str, dict[tuple[_Said, ...], dict[str, Any]]] = {}
        self._whole: dict[str, list[tuple[_Said, ...]]] = {}
        for recording in recordings:
            known = self._next.setdefault(recording.model, {})
            said: list[_Said] = []
            for message in recording.messages:
                if message["role"] == "assistant":
                    known.setdefault(tuple(said), message)
                said += _said([message])
            self._whole.setdefault(recording.model, []).append(tuple(said))

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of the recorded models."""
        return tuple(sorted(self._next))

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return what was recorded next.

        Raises:
            RequestRefusedError: No recording goes on from there; the text says where it parts.
        """
        said = tuple(_said(request["messages"]))
        model = request["model"]
        message = self._next[model].get(said)
        if message is None:
            text = _where_it_parts(model, said, self._whole[model])
            raise RequestRefusedError(text, HTTPStatus.NOT_FOUND, "messages")
        usage = message.get("usage") or {}
        return Answer(
            _to_openai(message), usage.get("prompt_tokens"), usage.get("completion_tokens")
        )


def _said(messages: Sequence[dict[str, Any]]) -> Iterator[_Said]:
    """Yield what identifies each message of customer and agent."""
    for message in messages:
        if message["role"] in {"user", "assistant"}:
            calls = message.get("tool_calls") or []
            content = message.get("content") or ""
            yield (message["role"], content.strip(), *(call["id"] for call in calls))


def _to_openai(message: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"role": "assistant", "content": message.get("content")}
    if calls := message.get("tool_calls"):
        answer["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
            }
            for call in calls
        ]
    return answer


def _where_it_parts(model: str, said: tuple[_Said, ...], whole: list[tuple[_Said, ...]]) -> str:
    def agreeing(other: tuple[_Said, ...]) -> int:
        pairs = zip(said, other, strict=False)
        return next((at for at, (mine, its) in enumerate(pairs) if mine != its), len(other))

    closest = max(whole, key=agreeing)
    at = agreeing(closest)
    if at >= len(said):
        return f"No recording of {model!r} goes on after these {len(said)} messages."
    found = f"{said[at][0]} said {said[at][1][:80]!r}"
    if at >= len(closest):
        return f"The recordings of {model!r} end before message {at + 1}, where {found}."
    wanted = f"{closest[at][0]} said {closest[at][1][:80]!r}"
    return (
        f"No recording of {model!r} matches message {at + 1} of customer and agent: {found}; the "
        f"closest recording has: {wanted}."
    )


def _reached_goal(simulation: dict[str, Any]) -> bool | None:
    check = (simulation.get("reward_info") or {}).get("db_check") or {}
    match = check.get("db_match")
    return match if isinstance(match, bool) else None
