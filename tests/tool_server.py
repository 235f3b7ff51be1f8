"""A real HTTP till: endpoints of each effect, and a ledger in a file that survives it.

    with tool_server(path / "till.db") as till:
        till.fail("/keyed", status=503, times=2)
        …
        assert [effect.key for effect in till.effects()] == ["…"]

| endpoint | what a second call of it does |
|---|---|
| `GET /balance/{account}` | reads again |
| `PUT /idempotent/{item}` | sets the same again |
| `POST /keyed` | is answered as the first, by its `Idempotency-Key` |
| `POST /unkeyed` | is done anew |
| `GET /lookup/{key}` | says what became of a key: 404 where it never arrived |
"""

import json
import sqlite3
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS effect (
    id INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL, body TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS effect_once ON effect (key) WHERE kind = 'keyed';
CREATE TABLE IF NOT EXISTS request (
    id INTEGER PRIMARY KEY, method TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL,
    body TEXT NOT NULL, headers TEXT NOT NULL, status INTEGER NOT NULL, at REAL NOT NULL
);
"""


@dataclass(frozen=True)
class TillEffect:
    """One thing that the till did; of `idempotent` each time it was set."""

    number: int
    kind: str
    key: str
    body: Any


@dataclass(frozen=True)
class TillRequest:
    """One request that arrived; status 0: it was never answered."""

    method: str
    path: str
    key: str
    body: Any
    headers: dict[str, str]
    status: int


@dataclass
class _Fault:
    """What goes wrong with the next `times` calls of a path."""

    times: int
    status: int = 0
    retry_after: float | None = None
    is_done_first: bool = False
    answer: bytes | None = None
    location: str = ""


@dataclass
class ToolServer:
    """The till.

    Attributes:
        base_url: Without a slash at its end.
        ledger: The SQLite file; the same file again goes on with the same effects.
        delay_seconds: Before every answer, after the effect.
        password: The `Authorization` header it wants, or empty.
    """

    base_url: str
    ledger: Path
    delay_seconds: float = 0.0
    password: str = ""
    faults: dict[str, list[_Fault]] = field(default_factory=lambda: defaultdict(list))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(
        self,
        path: str,
        *,
        status: int = 503,
        times: int = 1,
        retry_after: float | None = None,
        is_done_first: bool = False,
    ) -> None:
        """Answer the next calls of a path (its first part) with an error."""
        fault = _Fault(times, status, retry_after, is_done_first)
        self.faults[path].append(fault)

    def lose_answers(self, path: str, *, times: int = 1, is_done_first: bool = True) -> None:
        """Close the connection of the next calls without an answer, after or before the effect."""
        self.faults[path].append(_Fault(times, is_done_first=is_done_first))

    def answer_with(
        self, path: str, body: bytes, *, times: int = 1, status: int = 200, location: str = ""
    ) -> None:
        """Answer the next calls with these bytes, after the effect; `location` redirects."""
        fault = _Fault(times, status, is_done_first=True, answer=body, location=location)
        self.faults[path].append(fault)

    def effects(self, kind: str = "") -> list[TillEffect]:
        """Return what was done, in order."""
        rows = self._rows("SELECT id, kind, key, body FROM effect ORDER BY id")
        found = [TillEffect(number, of, key, json.loads(body)) for number, of, key, body in rows]
        return [effect for effect in found if kind in {"", effect.kind}]

    def requests(self, path: str = "") -> list[TillRequest]:
        """Return what arrived, in order of the answers."""
        rows = self._rows(
            "SELECT method, path, key, body, headers, status FROM request ORDER BY id"
        )
        return [
            TillRequest(method, where, key, json.loads(body), json.loads(headers), status)
            for method, where, key, body, headers, status in rows
            if where.startswith(path)
        ]

    def document(self) -> dict[str, Any]:
        """Return its OpenAPI document, as it serves it at `/openapi.json`."""
        return {**DOCUMENT, "servers": [{"url": self.base_url}]}

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.ledger, timeout=30, isolation_level=None)

    def take_fault(self, path: str) -> _Fault | None:
        with self.lock:
            waiting = self.faults[path]
            if not waiting:
                return None
            waiting[0].times -= 1
            return waiting.pop(0) if waiting[0].times <= 0 else waiting[0]

    def do(self, kind: str, key: str, body: Any) -> dict[str, Any]:
        """Do an effect, durably, and return its receipt."""
        with self.lock, closing(self.connect()) as connection:
            if kind == "keyed" and (number := _number_of(connection, key)):
                return _receipt(number, key, body)
            cursor = connection.execute(
                "INSERT INTO effect (kind, key, body, at) VALUES (?, ?, ?, ?)",
                (kind, key, json.dumps(body), time.time()),
            )
            return _receipt(cursor.lastrowid or 0, key, body)

    def look_up(self, key: str) -> dict[str, Any] | None:
        with closing(self.connect()) as connection:
            row = connection.execute(
                "SELECT id, body FROM effect WHERE key = ? AND kind = 'keyed'", (key,)
            ).fetchone()
        return _receipt(row[0], key, json.loads(row[1])) if row else None

    def note(
        self, method: str, path: str, key: str, body: Any, headers: dict[str, str], status: int
    ) -> None:
        with self.lock, closing(self.connect()) as connection:
            connection.execute(
                "INSERT INTO request (method, path, key, body, headers, status, at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (method, path, key, json.dumps(body), json.dumps(headers), status, time.time()),
            )

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection:
            return connection.execute(query).fetchall()


@contextmanager
def tool_server(ledger: Path, *, port: int = 0, delay_seconds: float = 0.0) -> Iterator[ToolServer]:
    """Run the till until the end of the block; 0 is any port that is free."""

    class Handler(_Handler):
        till: ToolServer

    server = _Server(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    state = ToolServer(f"http://127.0.0.1:{server.server_port}", ledger, delay_seconds)
    Handler.till = state
    with closing(state.connect()) as connection:
        connection.executescript(TABLES)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away in the middle."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    till: ToolServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        data = self.rfile.read(length)
        if len(data) < length:
            # Its sender died in the middle of the request.
            self.close_connection = True
            return
        body = json.loads(data) if data else None
        key = self.headers.get("idempotency-key", "")
        first = f"/{self.path.split('/')[1].split('?')[0]}"
        fault = self.till.take_fault(first)
        status, answer = 503, {"error": "the till is closed"}
        if fault is None or fault.is_done_first:
            status, answer = self._do(first, key, body)
        if fault:
            status = fault.status
        time.sleep(self.till.delay_seconds)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.till.note(self.command, self.path, key, body, headers, status)
        if status == 0:
            self.close_connection = True
            return
        self._send(status, json.dumps(answer).encode(), fault)

    def _do(self, first: str, key: str, body: Any) -> tuple[int, Any]:
        last = self.path.split("?")[0].rsplit("/", 1)[-1]
        if self.till.password and self.headers.get("authorization") != self.till.password:
            return 401, {"error": "the password is missing or wrong"}
        match self.command, first:
            case "GET", "/openapi.json":
                return 200, self.till.document()
            case "GET", "/balance":
                return 200, {"account": last, "num_effects": len(self.till.effects())}
            case "PUT", "/idempotent":
                return 200, self.till.do("idempotent", last, body)
            case "POST", "/keyed" if not key:
                return 400, {"error": "the header Idempotency-Key is missing"}
            case "POST", "/keyed" | "/unkeyed":
                return 200, self.till.do(first[1:], key, body)
            case "GET", "/lookup":
                found = self.till.look_up(last)
                return (200, found) if found else (404, {"error": f"no call has the key {last}"})
        return 404, {"error": f"there is no {self.command} {self.path}"}

    def _send(self, status: int, data: bytes, fault: _Fault | None) -> None:
        data = fault.answer if fault and fault.answer is not None else data
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        if fault and fault.retry_after is not None:
            self.send_header("retry-after", str(fault.retry_after))
        if fault and fault.location:
            self.send_header("location", fault.location)
        self.end_headers()
        self.wfile.write(data)


def _number_of(connection: sqlite3.Connection, key: str) -> int | None:
    row = connection.execute(
        "SELECT id FROM effect WHERE key = ? AND kind = 'keyed'", (key,)
    ).fetchone()
    return int(row[0]) if row else None


def _receipt(number: int, key: str, body: Any) -> dict[str, Any]:
    amount = body.get("amount") if isinstance(body, dict) else None
    return {"receipt": number, "key": key, "amount": amount}


_RECEIPT = {
    "type": "object",
    "properties": {
        "receipt": {"type": "integer"},
        "key": {"type": "string"},
        "amount": {"type": ["number", "null"]},
    },
    "required": ["receipt", "key"],
}
_PAYMENT = {
    "type": "object",
    "properties": {
        "run": {"type": "string", "description": "Who pays."},
        "number": {"type": "integer", "description": "Which payment of them."},
        "amount": {"type": "number", "description": "US dollars."},
    },
    "required": ["run", "number", "amount"],
    "additionalProperties": False,
}


def _operation(name: str, summary: str, **extra: Any) -> dict[str, Any]:
    answer = {"description": "Done.", "content": {"application/json": {"schema": _RECEIPT}}}
    return {"operationId": name, "summary": summary, "responses": {"200": answer}, **extra}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


_BODY = {"required": True, "content": {"application/json": {"schema": _PAYMENT}}}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "schema": {"type": "string"},
}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Till", "version": "1"},
    "paths": {
        "/keyed": {
            "post": _operation(
                "pay_keyed", "Pay once per key.", requestBody=_BODY, parameters=[_KEY]
            )
        },
        "/unkeyed": {"post": _operation("pay_unkeyed", "Pay.", requestBody=_BODY)},
        "/idempotent/{item}": {
            "put": _operation(
                "set_price", "Set a price.", requestBody=_BODY, parameters=[_in_path("item")]
            )
        },
        "/balance/{account}": {
            "get": {
                "operationId": "get_balance",
                "summary": "Read an account.",
                "parameters": [_in_path("account")],
                "responses": {
                    "200": {
                        "description": "The account.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            }
        },
    },
}
