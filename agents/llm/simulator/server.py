"""A server of OpenAI's chat-completions protocol, for brains that need no network.

It answers `POST /v1/chat/completions` and `GET /v1/models`; errors have OpenAI's form.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Protocol

_logger = logging.getLogger(__name__)
MAX_BODY_BYTES = 8_000_000
_ROLES = {"system", "developer", "user", "assistant", "tool"}
CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True)
class Answer:
    """What a brain says.

    Attributes:
        message: The assistant message.
        input_tokens: As known; None is estimated from the request.
        output_tokens: As known; None is estimated from the message.
    """

    message: dict[str, Any]
    input_tokens: int | None = None
    output_tokens: int | None = None


class RequestRefusedError(Exception):
    """The request cannot be answered; the text goes to the client with this status."""

    def __init__(
        self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param


class Brain(Protocol):
    """What answers: the models it has, and the next message of a conversation."""

    @property
    def models(self) -> tuple[str, ...]:
        """Return the names of the models."""
        ...

    def answer(self, request: dict[str, Any]) -> Answer:
        """Return the next message; raises `RequestRefusedError`."""
        ...


class ModelServer(ThreadingHTTPServer):
    """The server; `latency` maps (request, output tokens) to seconds that it waits."""

    daemon_threads = True

    def __init__(
        self,
        brain: Brain,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        latency: Callable[[dict[str, Any], int], float] | None = None,
    ) -> None:
        """Listen on `host`; port 0 takes a free one."""
        super().__init__((host, port), _Handler)
        self.brain = brain
        self.latency = latency
        self.started_at = int(time.time())

    @property
    def base_url(self) -> str:
        """Return the URL to give to an OpenAI client."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}/v1"

    def start(self) -> "ModelServer":
        """Serve in a thread until `stop`."""
        Thread(
            target=self.serve_forever,
            kwargs={"poll_interval": 0.05},
            name="model-server",
            daemon=True,
        ).start()
        return self

    def stop(self) -> None:
        """Stop serving and free the port."""
        self.shutdown()
        self.server_close()


def scaled_latency(milliseconds: int) -> Callable[[dict[str, Any], int], float]:
    """Return a latency around `milliseconds`, longer for long answers, the same for the same."""

    def seconds(request: dict[str, Any], output_tokens: int) -> float:
        digest = hashlib.sha256(json.dumps(request["messages"][-1]).encode()).digest()
        share = 0.55 + 0.4 * digest[0] / 255 + min(output_tokens, 200) / 300
        return milliseconds * share / 1000

    return seconds


def estimated_tokens(value: Any) -> int:
    """Return about how many tokens a JSON value has (a token is about four characters)."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return max(1, -(-len(text) // CHARACTERS_PER_TOKEN))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ModelServer

    def do_GET(self) -> None:
        """Answer the list of models."""
        path = self.path.partition("?")[0].rstrip("/")
        if path == "/v1/models":
            models = [self._model(name) for name in self.server.brain.models]
            self._send(HTTPStatus.OK, {"object": "list", "data": models})
        elif path.startswith("/v1/models/"):
            self._send_model(path.removeprefix("/v1/models/"))
        else:
            self._send_error(self._unknown_path())

    def do_POST(self) -> None:
        """Answer a chat completion."""
        body = self._body()
        try:
            if self.path.partition("?")[0].rstrip("/") != "/v1/chat/completions":
                raise self._unknown_path()
            request = _checked(body, self.server.brain.models)
            self._send(HTTPStatus.OK, self._completion(request))
        except RequestRefusedError as error:
            self._send_error(error)

    def log_message(self, format: str, *args: Any) -> None:
        """Log requests for debugging only."""
        _logger.debug(format, *args)

    def _completion(self, request: dict[str, Any]) -> dict[str, Any]:
        answer = self.server.brain.answer(request)
        output = answer.output_tokens
        if output is None:
            said = {key: answer.message.get(key) for key in ("content", "tool_calls")}
            output = estimated_tokens({key: value for key, value in said.items() if value})
        prompt = answer.input_tokens
        if prompt is None:
            prompt = estimated_tokens([request["messages"], request.get("tools") or []])
        if self.server.latency:
            time.sleep(self.server.latency(request, output))
        digest = hashlib.sha256(json.dumps(request["messages"]).encode()).hexdigest()
        return {
            "id": f"chatcmpl-{digest[:24]}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": request["model"],
            "choices": [
                {
                    "index": 0,
                    "message": {"refusal": None, **answer.message},
                    "logprobs": None,
                    "finish_reason": "tool_calls" if answer.message.get("tool_calls") else "stop",
                }
            ],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": output,
                "total_tokens": prompt + output,
            },
        }

    def _model(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": self.server.started_at,
            "owned_by": "reviewdesk",
        }

    def _send_model(self, name: str) -> None:
        if name in self.server.brain.models:
            self._send(HTTPStatus.OK, self._model(name))
        else:
            self._send_error(_unknown_model(name, self.server.brain.models))

    def _unknown_path(self) -> RequestRefusedError:
        return RequestRefusedError(
            f"There is nothing at {self.command} {self.path}; this server has "
            "POST /v1/chat/completions and GET /v1/models.",
            HTTPStatus.NOT_FOUND,
        )

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            self.close_connection = True
            return b""
        return self.rfile.read(int(length))

    def _send_error(self, error: RequestRefusedError) -> None:
        is_missing = error.status == HTTPStatus.NOT_FOUND
        self._send(
            error.status,
            {
                "error": {
                    "message": str(error),
                    "type": "invalid_request_error",
                    "param": error.param,
                    "code": "not_found" if is_missing else None,
                }
            },
        )

    def _send(self, status: HTTPStatus, value: dict[str, Any]) -> None:
        body = json.dumps(value, ensure_ascii=False).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True


def _unknown_model(name: str, models: tuple[str, ...]) -> RequestRefusedError:
    known = ", ".join(models)
    text = f"The model {name!r} does not exist here; there are: {known}."
    return RequestRefusedError(text, HTTPStatus.NOT_FOUND, "model")


def _checked(body: bytes, models: tuple[str, ...]) -> dict[str, Any]:
    """Return the request if it has the protocol's form.

    Raises:
        RequestRefusedError: It has not, or asks for what this server cannot do.
    """
    try:
        request = json.loads(body)
    except ValueError as error:
        raise RequestRefusedError(f"The body is not JSON: {error}.") from error
    if not isinstance(request, dict):
        raise RequestRefusedError("The body must be a JSON object.")
    if request.get("stream"):
        raise RequestRefusedError(
            "This server does not stream; leave 'stream' out.", param="stream"
        )
    messages = request.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestRefusedError("'messages' must be a list with a message.", param="messages")
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            text = f"messages[{number}] must have a role of {', '.join(sorted(_ROLES))}."
            raise RequestRefusedError(text, param=f"messages[{number}].role")
    if request.get("model") not in models:
        raise _unknown_model(str(request.get("model")), models)
    return request
