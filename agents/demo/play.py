"""A customer's task played in memory: the runtime's own order of steps, the scripted model, tools.

What a run of the same task with the same version does, without database, worker or server.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.config import VersionConfig
from agents.llm.simulator.brain import answer
from agents.llm.simulator.server import estimated_tokens
from agents.models import Step
from agents.runtime.journal import (
    CallModel,
    CallTool,
    TellCustomer,
    messages_of,
    next_action,
)
from agents.tools.contract import ToolError
from agents.tools.executor import argument_problems
from agents.tools.registry import contract_for
from agents.tools.world import World


@dataclass(frozen=True)
class Played:
    """What a run came to.

    Attributes:
        steps: Unsaved, in order.
        error: Why it was ended early, or empty.
    """

    steps: tuple[Step, ...]
    error: str = ""

    @property
    def is_handed_over(self) -> bool:
        """Say whether the customer was handed over to a person."""
        return any(
            step.kind == Step.Kind.TOOL
            and step.status == Step.Status.DONE
            and contract_for(step.name).is_handover
            for step in self.steps
        )


def play(*, run_input: dict[str, Any], config: VersionConfig, world: World) -> Played:
    """Return the steps of the run; `world` is left as the run left it.

    It ends when customer and agent have said everything, or at the version's limit of steps.
    """
    steps: list[Step] = []
    while True:
        action = next_action(run_input, steps)
        if isinstance(action, TellCustomer):
            steps.append(_step(Step.Kind.CUSTOMER, action.index, {"content": action.content}))
            continue
        if not isinstance(action, CallModel | CallTool):
            return Played(tuple(steps))
        if sum(step.kind != Step.Kind.CUSTOMER for step in steps) >= config.limits.max_steps:
            return Played(tuple(steps), f"over its limit of {config.limits.max_steps} steps")
        if isinstance(action, CallModel):
            steps.append(_ask_model(config, run_input, steps, action.index))
        else:
            steps.append(_call_tool(config, action, world))


def _ask_model(
    config: VersionConfig, run_input: dict[str, Any], steps: Sequence[Step], index: int
) -> Step:
    messages = messages_of(config.system_prompt, run_input, steps)
    tools = sorted(config.tools)
    message = answer(messages, tools)
    calls = [
        {
            "id": call["id"],
            "name": call["function"]["name"],
            "arguments": _arguments(call),
            "raw_arguments": call["function"]["arguments"],
        }
        for call in message.get("tool_calls", [])
    ]
    response = {
        "content": message["content"],
        "tool_calls": calls,
        "model": config.model,
        "finish_reason": "tool_calls" if calls else "stop",
    }
    step = _step(Step.Kind.MODEL, index, response, name=config.model)
    step.request = {"parameters": config.parameters, "tools": tools}
    said = {"content": message["content"], "tool_calls": message.get("tool_calls")}
    step.output_tokens = estimated_tokens({key: value for key, value in said.items() if value})
    offered = [contract_for(name).to_openai() for name in tools]
    step.input_tokens = estimated_tokens([messages, offered])
    return step


def _call_tool(config: VersionConfig, action: CallTool, world: World) -> Step:
    step = _step(Step.Kind.TOOL, action.index, {}, name=action.name)
    step.call_id = action.call_id
    step.request = {"arguments": action.arguments}
    step.response = _result(config, action, world)
    if "error" in step.response:
        step.status = Step.Status.FAILED
    return step


def _result(config: VersionConfig, action: CallTool, world: World) -> dict[str, Any]:
    if action.name not in config.tools or action.arguments is None:
        return {"error": f"the tool {action.name} may not be used: it is not given to this agent"}
    contract = contract_for(action.name)
    if problems := argument_problems(contract, action.arguments):
        return {"error": f"the arguments do not fit the tool: {'; '.join(problems)}"}
    try:
        return {"result": contract.run_inside(world, action.arguments)}
    except ToolError as error:
        return {"error": str(error)}


def _step(kind: Step.Kind, index: int, response: dict[str, Any], *, name: str = "customer") -> Step:
    return Step(index=index, kind=kind, status=Step.Status.DONE, name=name, response=response)


def _arguments(call: dict[str, Any]) -> dict[str, Any]:
    arguments: dict[str, Any] = json.loads(call["function"]["arguments"])
    return arguments
