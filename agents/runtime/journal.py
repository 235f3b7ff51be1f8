"""The journal read back: what a run has done, what comes next, and the conversation so far.

Pure: what follows is decided by the recorded steps alone, never by asking the model again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.config import canonical_json
from agents.golden.customer import next_line
from agents.models import Run, Step
from agents.tools.contract import NOT_MADE


@dataclass(frozen=True)
class CallModel:
    """Ask the model. `step` is one that was started and never ended, or None."""

    index: int
    step: Step | None


@dataclass(frozen=True)
class CallTool:
    """Do one call that the model asked for, the first of its turn that is not settled.

    Attributes:
        index: Of its step: each call of a turn has its own place, whether it was begun or not.
        step: None where it was not begun. Else it waits (for a person, or its next attempt), was
            started by a worker that never said how it ended, or its outcome is unknown.
        later: The calls of the same turn after it that were not begun.
    """

    index: int
    step: Step | None
    call_id: str
    name: str
    arguments: dict[str, Any] | None
    raw_arguments: str
    later: tuple["CallTool", ...] = ()


@dataclass(frozen=True)
class TellCustomer:
    """The agent has answered; the customer says the next turn."""

    index: int
    content: str


@dataclass(frozen=True)
class AskCustomer:
    """The agent has answered; a model that plays the customer says what comes next.

    Attributes:
        step: One that was started and never ended, or None.
    """

    index: int
    step: Step | None
    model: str
    goal: str


@dataclass(frozen=True)
class Finish:
    """Nothing is left to do."""


Action = CallModel | CallTool | TellCustomer | AskCustomer | Finish
_SETTLED = frozenset({Step.Status.DONE, Step.Status.FAILED})
_MADE_NOTHING = frozenset({"error", "undone", *NOT_MADE})


def next_action(
    run_input: dict[str, Any], steps: Sequence[Step], customer: Mapping[str, Any] | None = None
) -> Action:
    """Return what comes after `steps` (all of the run's, by index).

    `customer` says who plays the customer of a golden test after the recorded turns (see
    `GoldenTest`); None: nobody.
    """
    turn = next((step for step in reversed(steps) if step.kind != Step.Kind.TOOL), None)
    if turn is None:
        return CallModel(0, None)
    if turn.kind == Step.Kind.CUSTOMER:
        if turn.status == Step.Status.STARTED:
            return _ask_customer(customer or {}, turn.index, turn)
        is_over = bool((turn.response or {}).get("is_over"))
        return Finish() if is_over else CallModel(turn.index + 1, None)
    if turn.status == Step.Status.STARTED:
        return CallModel(turn.index, turn)
    calls = (turn.response or {}).get("tool_calls", [])
    begun = {step.call_id: step for step in steps if step.index > turn.index}
    actions = [
        _tool_action(turn.index + place, begun.get(call["id"]), call)
        for place, call in enumerate(calls, 1)
    ]
    for place, action in enumerate(actions):
        if action.step is None or action.step.status not in _SETTLED:
            later = tuple(each for each in actions[place + 1 :] if each.step is None)
            return replace(action, later=later)
    index = turn.index + len(calls) + 1
    if calls:
        return CallModel(index, None)
    told = [_words(step) for step in steps if step.kind == Step.Kind.CUSTOMER]
    turns = run_input.get("turns", [])
    if len(told) < len(turns):
        return TellCustomer(index, turns[len(told)])
    return _played(customer or {}, index, told[len(turns) :], _words(turn))


def messages_of(
    system_prompt: str, run_input: dict[str, Any], steps: Sequence[Step]
) -> list[dict[str, Any]]:
    """Return the conversation in the form of a chat-completions request."""
    messages: list[dict[str, Any]] = [{"role": "system", "content": system_prompt}]
    messages += [
        {"role": message["role"], "content": message["content"]}
        for message in run_input["messages"]
    ]
    for step in steps:
        response = step.response or {}
        if step.kind == Step.Kind.CUSTOMER and "content" in response:
            messages.append({"role": "user", "content": response["content"]})
        elif step.kind == Step.Kind.TOOL and step.status in _SETTLED:
            messages.append(
                {"role": "tool", "tool_call_id": step.call_id, "content": result_text(response)}
            )
        elif step.kind == Step.Kind.MODEL and step.status == Step.Status.DONE:
            messages.append(_assistant_message(response))
    return messages


def result_text(response: dict[str, Any]) -> str:
    """Return a tool step's response as the model reads it."""
    if "error" in response:
        return f"Error: {response['error']}"
    result = response["result"]
    text = result if isinstance(result, str) else canonical_json(result)
    if "undone" in response:
        text += f"\n(A person has undone this call since; it no longer holds: {response['undone']})"
    return text


def totals(steps: Sequence[Step]) -> tuple[int, float]:
    """Return the tokens and US dollars used so far (unknown ones count as none)."""
    tokens = sum((step.input_tokens or 0) + (step.output_tokens or 0) for step in steps)
    return tokens, float(sum(step.cost_usd or 0 for step in steps))


def is_handed_over(run: Run, steps: Sequence[Step], handover_tools: set[str]) -> bool:
    """Say whether a call that hands over to a person was made, and stands."""
    return any(
        step.kind == Step.Kind.TOOL
        and step.name in handover_tools
        and step.status == Step.Status.DONE
        and not _MADE_NOTHING & set(step.response or {})
        for step in steps
    )


def _played(customer: Mapping[str, Any], index: int, said: list[str], answer: str) -> Action:
    if customer.get("kind") == "scripted":
        words = next_line(customer["lines"], said, answer)
        return Finish() if words is None else TellCustomer(index, words)
    if customer.get("kind") == "simulated" and len(said) < customer["max_turns"]:
        return _ask_customer(customer, index, None)
    return Finish()


def _ask_customer(customer: Mapping[str, Any], index: int, step: Step | None) -> AskCustomer:
    return AskCustomer(index, step, customer.get("model", ""), customer.get("goal", ""))


def _words(step: Step) -> str:
    return str((step.response or {}).get("content") or "")


def _tool_action(index: int, step: Step | None, call: dict[str, Any]) -> CallTool:
    return CallTool(
        index=step.index if step else index,
        step=step,
        call_id=call["id"],
        name=call["name"],
        arguments=call["arguments"],
        raw_arguments=call.get("raw_arguments", ""),
    )


def _assistant_message(response: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": response.get("content")}
    if calls := response.get("tool_calls"):
        message["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {
                    "name": call["name"],
                    "arguments": call.get("raw_arguments") or canonical_json(call["arguments"]),
                },
            }
            for call in calls
        ]
    return message
