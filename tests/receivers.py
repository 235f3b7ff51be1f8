"""Receivers of webhooks and mail that keep what they were sent, for tests of the outbox."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hook:
    """A web server that takes POSTs.

    `answers` are status codes, or `(status, headers)`, used up one by one; then 200. `hold` delays
    every answer until it is set.
    """

    port: int = 0
    answers: list = field(default_factory=list)
    hold: threading.Event = field(default_factory=threading.Event)
    requests: list = field(default_factory=list)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/desk"

    @property
    def bodies(self):
        return [json.loads(body) for _, _, body in self.requests]


@dataclass
class Mailbox:
    """A mail server that speaks as much of RFC 5321 as a client needs.

    `refusals` are replies such as `"450 Later"` to the coming RCPTs, used up one by one.
    """

    port: int = 0
    refusals: list = field(default_factory=list)
    mails: list[tuple[str, str, EmailMessage]] = field(default_factory=list)


@contextmanager
def running_hook(answers=(), *, is_held=False) -> Iterator[Hook]:
    hook = Hook(answers=list(answers))
    if not is_held:
        hook.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.requests.append((self.path, dict(self.headers), body))
            hook.hold.wait(20)
            answer = hook.answers.pop(0) if hook.answers else 200
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()
            except OSError:
                pass

        do_GET = do_POST

        def log_message(self, *arguments):
            pass

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler), hook):
        yield hook
        hook.hold.set()


@contextmanager
def running_mailbox(refusals=()) -> Iterator[Mailbox]:
    box = Mailbox(refusals=list(refusals))

    class Handler(socketserver.StreamRequestHandler):
        def say(self, line):
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self):
            self.say("220 mailbox ready")
            sender = recipient = ""
            for raw in self.rfile:
                line = raw.decode().strip()
                verb = line[:4].upper()
                if verb == "MAIL":
                    sender = line.partition(":")[2]
                    self.say("250 ok")
                elif verb == "RCPT":
                    recipient = line.partition(":")[2]
                    self.say(box.refusals.pop(0) if box.refusals else "250 ok")
                elif verb == "DATA":
                    self.say("354 go on")
                    box.mails.append((sender, recipient, self.read_mail()))
                    self.say("250 taken")
                elif verb == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 ok")

        def read_mail(self):
            lines = []
            for line in self.rfile:
                if line == b".\r\n":
                    break
                lines.append(line[1:] if line.startswith(b"..") else line)
            return message_from_bytes(b"".join(lines), policy=policy.default)

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    with _serving(server, box):
        yield box


@contextmanager
def _serving(server, state):
    server.daemon_threads = True
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
