"""How soon a kill switch holds: many runs in flight, and a switch that is flipped again and again.

    python benchmarks/stops.py [--flips 200] [--runs 100]

Each run pays twenty times at a till over HTTP, as soon as its model has asked for it. The till is
outside: only what reaches it counts, by the moment at which the request came. Of each flip, three
times:

- **flip**: how long the click took, with the wait for effects that were being begun;
- **after the flip**: from its return to the last effect that came after it; 0 where none did;
- **from the click**: from the click to the last effect that came; 0 where none did.

The desk is `manage.py up` with its worker; the switches are of the project, the agent, the tool and
everything in turn.
"""

import argparse
import asyncio
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from desk import Desk, machine, print_result, running_desk

NUM_CALLS = 20
_MODEL_SECONDS = 0.1
_TILL_SECONDS = 0.02
# So long nothing must have come before the next flip.
_QUIET_SECONDS = 0.5


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--flips", type=int, default=200)
    parser.add_argument("--runs", type=int, default=100, help="in flight")
    options = parser.parse_args()
    with running_desk() as desk, _outside() as outside:
        facts = machine(desk.connect())
        desk.use_django()
        flips = _flip(desk, outside, options.flips, options.runs)
    figures = {
        "flip_ms": _percentiles([each.seconds for each in flips]),
        "after_the_flip_ms": _percentiles([each.after for each in flips]),
        "from_the_click_ms": _percentiles([each.from_click for each in flips]),
    }
    for name, each in figures.items():
        print(f"{name:20} " + "  ".join(f"{key} {value:7.1f}" for key, value in each.items()))
    num_late = sum(each.after > 0 for each in flips)
    print(f"{num_late} of {len(flips)} flips saw an effect come after they had returned;")
    print(f"{len(outside.effects)} effects in all.")
    print_result("stops", facts, **figures, effects=len(outside.effects), flips=len(flips))


@dataclass(frozen=True)
class Flip:
    """One flip, in seconds."""

    seconds: float
    after: float
    from_click: float


@dataclass
class Outside:
    """The till and the model, and when each payment came."""

    url: str = ""
    effects: list[float] = field(default_factory=list)


def _flip(desk: Desk, outside: Outside, num_flips: int, num_runs: int) -> list[Flip]:
    # Django's models can be imported from here on only.
    import stops_shop

    shop = stops_shop.make_shop(outside.url)
    is_over = threading.Event()
    feeder = threading.Thread(target=shop.feed, args=(num_runs, is_over))
    feeder.start()
    try:
        while len(outside.effects) < num_runs:
            time.sleep(0.1)
        targets = itertools.cycle(shop.targets())
        return [_one(shop, outside, next(targets)) for _ in range(num_flips)]
    finally:
        is_over.set()
        feeder.join()


def _one(shop: Any, outside: Outside, target: dict[str, Any]) -> Flip:
    """Let runs go on for a while, stop them, and see what still comes."""
    num_before = len(outside.effects)
    time.sleep(random.uniform(0.2, 0.5))
    while len(outside.effects) == num_before:
        time.sleep(0.05)
    clicked = time.monotonic()
    switch = shop.stop(target)
    returned = time.monotonic()
    while time.monotonic() - max(returned, outside.effects[-1]) < _QUIET_SECONDS:
        time.sleep(0.05)
    last = outside.effects[-1]
    shop.lift(switch)
    return Flip(returned - clicked, max(last - returned, 0.0), max(last - clicked, 0.0))


@contextmanager
def _outside() -> Iterator[Outside]:
    """Serve the till and the model on a thread of their own."""
    outside, loop, is_ready = Outside(), asyncio.new_event_loop(), threading.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await _answer_one(outside, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
        outside.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        is_ready.set()

    def work() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(serve())
        loop.run_forever()

    async def end() -> None:
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    is_ready.wait()
    yield outside
    asyncio.run_coroutine_threadsafe(end(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _answer_one(
    outside: Outside, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    came = time.monotonic()
    path = head.split(" ", 2)[1]
    lengths = [line[15:] for line in head.lower().split("\r\n") if line[:15] == "content-length:"]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    if path == "/unkeyed":
        outside.effects.append(came)
        await asyncio.sleep(_TILL_SECONDS)
        answer: Any = {"receipt": len(outside.effects)}
    else:
        await asyncio.sleep(_MODEL_SECONDS)
        messages = json.loads(body)["messages"]
        answer = _completion(sum(message["role"] == "tool" for message in messages))
    data = json.dumps(answer).encode()
    lines = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
    writer.write(f"{lines}{len(data)}\r\n\r\n".encode() + data)
    await writer.drain()


def _completion(num_results: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "That is all."}
    if num_results < NUM_CALLS:
        arguments = json.dumps({"number": num_results})
        function = {"name": "pay", "arguments": arguments}
        call = {"id": f"call_{num_results}", "type": "function", "function": function}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "payer",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 20, "completion_tokens": 2, "total_tokens": 22},
    }


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Return median, 99th percentile (the nearest rank) and maximum, in milliseconds."""
    ordered = sorted(1000 * each for each in seconds)
    ranks = {"p50": 50, "p99": 99, "most": 100}
    return {
        name: round(ordered[max(-(-len(ordered) * share // 100) - 1, 0)], 1)
        for name, share in ranks.items()
    }


if __name__ == "__main__":
    main()
