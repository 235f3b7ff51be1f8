"""Agent-like spans as an OpenTelemetry SDK sends them, and connections that send them.

A request has 100 spans of 10 sessions, with some 600 bytes of text each. Every request is another:
in a body made before, the half of its trace ids that stands for the request is replaced.
"""

import http.client
import json
import os
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

SPANS = 100
SESSIONS = 10
NUM_BODIES = 20
PATH = "/v1/traces"
_STEPS = SPANS // SESSIONS
_SECOND = 1_000_000_000
_REQUEST_ID = b"\xa7REQUEST"
_TEXT = (
    "the customer asks whether a parcel with blue lamp can reach another address before Friday "
    "and agent looks up order status refund policy delivery window invoice warranty exchange size "
    "colour please thank you sorry certainly checked confirmed shipped returned pending"
)
_WORDS = _TEXT.split()


def make_bodies(seed: int = 1) -> list[bytes]:
    """Return bodies to make requests of, with `request_of`."""
    random = Random(seed)
    return [_body(random) for _ in range(NUM_BODIES)]


def request_of(body: bytes, request_id: bytes) -> bytes:
    """Return a body as the request of that id (8 bytes), with sessions of its own."""
    named = body.replace(_REQUEST_ID, request_id)
    return named.replace(_REQUEST_ID.hex().encode(), request_id.hex().encode())


def _body(random: Random) -> bytes:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(_pairs({"service.name": "shop", "service.version": "1.4"}))
    scope = resource.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    start_ns = time.time_ns() - 60 * _SECOND
    for number in range(SESSIONS):
        trace_id = _REQUEST_ID + number.to_bytes(8)
        for step in range(_STEPS):
            scope.spans.append(_span(random, trace_id, step, start_ns + step * _SECOND))
    return request.SerializeToString()


def _span(random: Random, trace_id: bytes, step: int, start_ns: int) -> Span:
    kind = "invoke_agent" if step == 0 else ("chat" if step % 2 else "execute_tool")
    said = {"invoke_agent": _agent, "chat": _chat, "execute_tool": _tool}[kind](random)
    if step == 0:
        said["gen_ai.conversation.id"] = f"talk-{trace_id.hex()}"
    last_ns = start_ns + (_STEPS * _SECOND if step == 0 else 800_000_000)
    return Span(
        trace_id=trace_id,
        span_id=(step + 1).to_bytes(8),
        parent_span_id=b"" if step == 0 else (1).to_bytes(8),
        name=kind,
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=start_ns,
        end_time_unix_nano=last_ns,
        attributes=_pairs({"gen_ai.operation.name": kind, "gen_ai.system": "openai", **said}),
    )


def _agent(random: Random) -> dict[str, str | int]:
    return {
        "gen_ai.agent.name": "shop-support",
        "user.id": f"customer-{random.randrange(10_000)}",
        "gen_ai.input.messages": _message("user", _text(random, 250)),
        "gen_ai.output.messages": _message("assistant", _text(random, 250)),
    }


def _chat(random: Random) -> dict[str, str | int]:
    return {
        "gen_ai.request.model": "gpt-4.1",
        "gen_ai.response.model": "gpt-4.1-2025-04-14",
        "gen_ai.usage.input_tokens": random.randrange(100, 5000),
        "gen_ai.usage.output_tokens": random.randrange(10, 500),
        "gen_ai.input.messages": _message("user", _text(random, 300)),
        "gen_ai.output.messages": _message("assistant", _text(random, 200)),
    }


def _tool(random: Random) -> dict[str, str | int]:
    return {
        "gen_ai.tool.name": random.choice(("get_order_details", "find_customer", "exchange_items")),
        "gen_ai.tool.call.id": f"call_{random.randrange(10**9)}",
        "gen_ai.tool.call.arguments": json.dumps({"order_id": f"#W{random.randrange(10**7)}"}),
        "gen_ai.tool.call.result": json.dumps({"status": "pending", "note": _text(random, 500)}),
    }


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def _text(random: Random, length: int) -> str:
    return " ".join(random.choices(_WORDS, k=length // 6))[:length]


def _pairs(values: dict[str, str | int]) -> list[KeyValue]:
    return [
        KeyValue(
            key=key,
            value=AnyValue(int_value=value)
            if isinstance(value, int)
            else AnyValue(string_value=value),
        )
        for key, value in values.items()
    ]


@dataclass
class Sender:
    """A connection that sends one request after the other, and what came of it.

    Attributes:
        port: Of the web server.
        key: An API key.
        bodies: To make requests of.
        acknowledged: Ids of the requests that were answered with 200.
        seconds: How long each of those took.
        answers: How many requests were answered with which status; 0: not at all.
    """

    port: int
    key: str
    bodies: list[bytes]
    acknowledged: list[bytes] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)

    def send_until(self, is_over: Callable[[], bool], pause: float = 0.05) -> None:
        """Send, again after a pause what was not taken, as an SDK does."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {
            "Content-Type": "application/x-protobuf",
            "Authorization": f"Bearer {self.key}",
        }
        number = 0
        while not is_over():
            number += 1
            request_id = os.urandom(8)
            request = request_of(self.bodies[number % len(self.bodies)], request_id)
            while not self._send(connection, request, headers):
                connection.close()
                if is_over():
                    return
                time.sleep(pause)
            self.acknowledged.append(request_id)

    def _send(
        self, connection: http.client.HTTPConnection, request: bytes, headers: dict[str, str]
    ) -> bool:
        began = time.monotonic()
        try:
            connection.request("POST", PATH, request, headers)
            answer = connection.getresponse()
            answer.read()
        except (http.client.HTTPException, OSError):
            self.answers[0] += 1
            return False
        self.answers[answer.status] += 1
        if answer.status == 200:
            self.seconds.append(time.monotonic() - began)
        return answer.status == 200


def send_together(senders: list[Sender], is_over: Callable[[], bool]) -> list[Thread]:
    """Start all senders, a thread each, and return the threads."""
    threads = [Thread(target=sender.send_until, args=(is_over,)) for sender in senders]
    for thread in threads:
        thread.start()
    return threads
