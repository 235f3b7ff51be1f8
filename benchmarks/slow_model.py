"""A model server that answers after a fixed time, and keeps when each call came and left.

It speaks chat completions on one thread of asyncio, so that it leaves the cores to what is
measured. What it answers depends on how many tool results the conversation has: first two calls of
`calculate`, then one at a time, and after five results (`--results`) a text. So a run is 5 model
and 5 tool steps. `GET /log` gives `[[run, call, came, left], …]` (seconds of one monotonic clock),
where `run` is the first message of the customer; `DELETE /log` empties it.
"""

import argparse
import asyncio
import json
import time
from typing import Any

_log: list[tuple[str, int, float, float]] = []


async def main() -> None:
    """Serve until killed; print the port first."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=0.2, help="from request to answer")
    parser.add_argument("--results", type=int, default=5, help="tool results before the text")
    parser.add_argument("--at-once", type=int, default=10_000, help="calls served at a time")
    options = parser.parse_args()
    places = asyncio.Semaphore(options.at_once)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await _answer_one(reader, writer, options, places):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", options.port, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _answer_one(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    options: argparse.Namespace,
    places: asyncio.Semaphore,
) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    came = time.monotonic()
    method, path, _ = head.partition("\r\n")[0].split(" ", 2)
    lengths = [line[15:] for line in head.lower().split("\r\n") if line[:15] == "content-length:"]
    body = await reader.readexactly(int(lengths[0])) if lengths else b""
    if path == "/log":
        answer: Any = _log
        if method == "DELETE":
            _log.clear()
    else:
        messages = json.loads(body)["messages"]
        num_results = sum(message["role"] == "tool" for message in messages)
        run = next(_text(each["content"]) for each in messages if each["role"] == "user")
        async with places:
            await asyncio.sleep(options.seconds)
        answer = _completion(num_results, options.results)
    data = json.dumps(answer).encode()
    lines = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: "
    writer.write(f"{lines}{len(data)}\r\n\r\n".encode() + data)
    await writer.drain()
    if path != "/log":
        _log.append((run, num_results, came, time.monotonic()))
    return True


def _text(content: Any) -> str:
    return content if isinstance(content, str) else str(content[0]["text"])


def _completion(num_results: int, num_wanted: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if num_results < num_wanted:
        numbers = (0, 1)[:num_wanted] if num_results == 0 else (num_results,)
        message["tool_calls"] = [_call(number) for number in numbers]
    else:
        message["content"] = "That is all."
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "slow",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if num_results < num_wanted else "stop",
            }
        ],
        "usage": {"prompt_tokens": 200, "completion_tokens": 20, "total_tokens": 220},
    }


def _call(number: int) -> dict[str, Any]:
    arguments = json.dumps({"expression": f"{number} + 1"})
    return {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "calculate", "arguments": arguments},
    }


if __name__ == "__main__":
    asyncio.run(main())
