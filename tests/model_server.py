"""A real HTTP server that speaks chat completions and answers with queued replies."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class ModelServer:
    """Replies in the order they were queued, and the requests that came.

    A reply is a text, a list of `(tool, arguments)`, or `(status, body)` for an error; the last
    one stays. `by_request` chooses by the request instead.
    """

    base_url: str
    replies: list[Any] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    delay_seconds: float = 0.0
    by_request: Callable[[dict[str, Any]], Any] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, request: dict[str, Any]) -> Any:
        with self.lock:
            self.requests.append(request)
            if self.by_request:
                return self.by_request(request)
            return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextmanager
def model_server(
    *replies: Any,
    delay_seconds: float = 0.0,
    by_request: Callable[[dict[str, Any]], Any] | None = None,
) -> Iterator[ModelServer]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            request = json.loads(self.rfile.read(length))
            time.sleep(state.delay_seconds)
            status, body = _answer(state.take(request), len(state.requests), request["model"])
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state = ModelServer(
        f"http://127.0.0.1:{server.server_port}/v1",
        list(replies),
        delay_seconds=delay_seconds,
        by_request=by_request,
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _answer(reply: Any, number: int, model: str) -> tuple[int, dict[str, Any]]:
    if isinstance(reply, tuple) and isinstance(reply[0], int):
        return reply[0], {"error": {"message": reply[1], "type": "test"}}
    message: dict[str, Any] = {"role": "assistant", "content": None}
    if isinstance(reply, str):
        message["content"] = reply
    else:
        message["tool_calls"] = [
            {
                "id": f"call_{number}_{place}",
                "type": "function",
                "function": {
                    "name": name,
                    "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
                },
            }
            for place, (name, arguments) in enumerate(reply)
        ]
    return 200, {
        "id": f"reply-{number}",
        "object": "chat.completion",
        "created": 0,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "stop" if isinstance(reply, str) else "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
