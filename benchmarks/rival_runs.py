"""Does the runs of `speed.py` with another framework, in that framework's own environment.

Run by `speed.py` with the Python of `.venv/rivals`; prints `{"seconds", "cpu_seconds", "rss_mb"}`.
Run -1 comes before the others, for imports and connections.

- `langgraph`: a graph of a model node and a tool node, its state kept by the asynchronous
  PostgreSQL checkpointer after every step (`durability="sync"`).
- `agents-sdk`: the OpenAI Agents SDK's runner; it keeps nothing, so it bounds what is possible.
"""

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable
from typing import Any

SYSTEM = "You reckon. Use the tool for every sum."
TOOL = {
    "type": "function",
    "function": {
        "name": "calculate",
        "description": "Calculate a sum, such as '19.90 + 2 * 5.50'.",
        "parameters": {
            "type": "object",
            "properties": {"expression": {"type": "string"}},
            "required": ["expression"],
            "additionalProperties": False,
        },
    },
}
Work = Callable[[int], Awaitable[object]]


async def main() -> None:
    """Do the runs, so many at a time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("framework", choices=["langgraph", "agents-sdk"])
    parser.add_argument("--url", required=True)
    parser.add_argument("--database", default="")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--at-once", type=int, default=100)
    options = parser.parse_args()
    make = _langgraph if options.framework == "langgraph" else _agents_sdk
    await make(options, lambda work: _all(work, options))


async def _all(work: Work, options: argparse.Namespace) -> None:
    places = asyncio.Semaphore(options.at_once)

    async def one(number: int) -> None:
        async with places:
            await work(number)

    await one(-1)
    began, worked = time.monotonic(), time.process_time()
    await asyncio.gather(*(one(number) for number in range(options.runs)))
    seconds, worked = time.monotonic() - began, time.process_time() - worked
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said = {"seconds": round(seconds, 2), "cpu_seconds": round(worked, 3), "rss_mb": round(rss)}
    print(json.dumps(said))


def calculate(expression: str) -> str:
    """Return the sum of `a + b`."""
    return str(sum(float(part) for part in expression.split("+")))


async def _langgraph(
    options: argparse.Namespace, do_all: Callable[[Work], Awaitable[None]]
) -> None:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from langgraph.graph import END, START, StateGraph
    from openai import AsyncOpenAI
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    client = AsyncOpenAI(base_url=options.url, api_key="none", max_retries=0)

    async def ask(state: dict[str, Any]) -> dict[str, Any]:
        answer = await client.chat.completions.create(
            model="slow", messages=state["messages"], tools=[TOOL]
        )
        message = answer.choices[0].message.model_dump(exclude_none=True)
        return {"messages": [*state["messages"], message]}

    async def call(state: dict[str, Any]) -> dict[str, Any]:
        results = [
            {
                "role": "tool",
                "tool_call_id": each["id"],
                "content": calculate(**json.loads(each["function"]["arguments"])),
            }
            for each in state["messages"][-1]["tool_calls"]
        ]
        return {"messages": [*state["messages"], *results]}

    graph = StateGraph(_state_type())
    graph.add_node("ask", ask)
    graph.add_node("call", call)
    graph.add_edge(START, "ask")
    graph.add_conditional_edges(
        "ask", lambda state: "call" if state["messages"][-1].get("tool_calls") else END
    )
    graph.add_edge("call", "ask")
    kwargs = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(options.database, max_size=40, kwargs=kwargs) as pool:
        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        compiled = graph.compile(checkpointer=saver)

        async def work(number: int) -> object:
            first = [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": f"run {number}"},
            ]
            config = {
                "configurable": {"thread_id": f"{options.at_once}-{number}"},
                "recursion_limit": 50,
            }
            return await compiled.ainvoke({"messages": first}, config, durability="sync")

        await do_all(work)


def _state_type() -> Any:
    from typing import TypedDict

    return TypedDict("State", {"messages": list})


async def _agents_sdk(
    options: argparse.Namespace, do_all: Callable[[Work], Awaitable[None]]
) -> None:
    from openai import AsyncOpenAI

    from agents import (
        Agent,
        OpenAIChatCompletionsModel,
        Runner,
        function_tool,
        set_tracing_disabled,
    )

    set_tracing_disabled(True)
    client = AsyncOpenAI(base_url=options.url, api_key="none", max_retries=0)
    agent = Agent(
        name="reckoner",
        instructions=SYSTEM,
        model=OpenAIChatCompletionsModel("slow", client),
        tools=[function_tool(calculate)],
    )

    async def work(number: int) -> object:
        return await Runner.run(agent, f"run {number}", max_turns=20)

    await do_all(work)


if __name__ == "__main__":
    asyncio.run(main())
