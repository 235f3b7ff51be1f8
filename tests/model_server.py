"""A real HTTP server that speaks chat completions and answers with queued replies."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Reply:
    """A reply with what is around it.

    Attributes:
        answer: A text, calls, `(status, body)`, or bytes that are sent as they are.
        headers: Beside the content's.
        delay_seconds: Before anything is sent.
        drip_seconds: Between the pieces of the body; nothing is sent in pieces where it is 0.
        is_cut: Whether the connection is closed in the middle.
        model: The name in the answer, in place of the one that was asked for.
    """

    answer: Any
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    drip_seconds: float = 0.0
    is_cut: bool = False
    model: str = ""


@dataclass
class ModelServer:
    """Replies in the order they were queued, and the requests that came.

    A reply is a text, a list of `(tool, arguments)`, `(status, body)` for an error, or a `Reply`;
    the last one stays. `by_request` chooses by the request instead.
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


class _Server(ThreadingHTTPServer):
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away in the middle."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


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
            body = self.rfile.read(length)
            if len(body) < length:
                # Its sender died in the middle of the request.
                self.close_connection = True
                return
            request = json.loads(body)
            time.sleep(state.delay_seconds)
            taken = state.take(request)
            reply = taken if isinstance(taken, Reply) else Reply(taken)
            time.sleep(reply.delay_seconds)
            model = reply.model or request["model"]
            status, data = _data(reply.answer, len(state.requests), model)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.send_body(data, reply)

        def send_body(self, data: bytes, reply: Reply) -> None:
            if reply.is_cut:
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
                return
            step = max(len(data) // 20, 1) if reply.drip_seconds else len(data)
            try:
                for start in range(0, len(data), step or 1):
                    self.wfile.write(data[start : start + step])
                    self.wfile.flush()
                    time.sleep(reply.drip_seconds)
            except OSError:
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
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


def _data(reply: Any, number: int, model: str) -> tuple[int, bytes]:
    if isinstance(reply, bytes):
        return 200, reply
    status, body = _answer(reply, number, model)
    return status, json.dumps(body).encode()


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
