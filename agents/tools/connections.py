"""Connections to hosts under rules: the checked address, one deadline, and whether bytes left."""

import ssl
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import anyio.to_thread
import httpcore2
import httpx2

from agents.errors import ToolUnavailableError
from agents.tools.hosts import HostRules

_SocketOptions = Iterable[Any] | None


class Attempt:
    """One attempt: when it must be over (`time.monotonic`), and whether anything was sent."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self.is_sent = False

    def seconds_left(self) -> float:
        """Return what is left, at least a millisecond: a socket takes 0 for no waiting at all."""
        return max(self.deadline - time.monotonic(), 0.001)


class GuardedTransport(httpx2.HTTPTransport):
    """HTTP/1.1 to checked addresses alone, over one connection per attempt.

    A kept one that the server has closed meanwhile would look like a call that may be done.
    """

    def __init__(self, rules: HostRules, attempt: Attempt) -> None:
        super().__init__(verify=ssl_context(), trust_env=False)
        self._rules = rules
        self._pool = httpcore2.ConnectionPool(
            ssl_context=ssl_context(),
            network_backend=_Backend(rules, attempt),
            max_keepalive_connections=0,
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request, where its address may be reached."""
        self._rules.check_url(request.url)
        return super().handle_request(request)


class AsyncGuardedTransport(httpx2.AsyncHTTPTransport):
    """The same for a client on an event loop."""

    def __init__(self, rules: HostRules, attempt: Attempt) -> None:
        super().__init__(verify=ssl_context(), trust_env=False)
        self._rules = rules
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=ssl_context(), network_backend=_AsyncBackend(rules, attempt)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send the request, where its address may be reached."""
        self._rules.check_url(request.url)
        return await super().handle_async_request(request)


@lru_cache(maxsize=1)
def ssl_context() -> ssl.SSLContext:
    """Return the process's TLS settings; reading the certificates takes some 50 ms."""
    return httpx2.create_ssl_context(trust_env=False)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, rules: HostRules, attempt: Attempt) -> None:
        self._rules = rules
        self._attempt = attempt
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _SocketOptions = None,
    ) -> httpcore2.NetworkStream:
        last: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        for address in self._rules.addresses(host, port, self._attempt.seconds_left()):
            try:
                stream = self._inner.connect_tcp(
                    address, port, self._attempt.seconds_left(), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
                continue
            return _Stream(stream, self._attempt)
        raise last or httpcore2.ConnectError(f"{host} has no address")


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, attempt: Attempt) -> None:
        self._inner = inner
        self._attempt = attempt

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if time.monotonic() >= self._attempt.deadline:
            raise httpcore2.ReadTimeout("the time limit is over")
        return self._inner.read(max_bytes, self._attempt.seconds_left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._attempt.is_sent = True
        self._inner.write(buffer, self._attempt.seconds_left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        inner = self._inner.start_tls(ssl_context, server_hostname, self._attempt.seconds_left())
        return _Stream(inner, self._attempt)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _AsyncBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, rules: HostRules, attempt: Attempt) -> None:
        self._rules = rules
        self._attempt = attempt
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: _SocketOptions = None,
    ) -> httpcore2.AsyncNetworkStream:
        left = self._attempt.seconds_left()
        addresses = await anyio.to_thread.run_sync(self._rules.addresses, host, port, left)
        last: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._inner.connect_tcp(
                    address, port, self._attempt.seconds_left(), local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                last = error
        raise last or httpcore2.ConnectError(f"{host} has no address")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


def unavailable(what: str, error: Exception, attempt: Attempt) -> ToolUnavailableError:
    """Return the error for an attempt that broke off, without the words of the library."""
    if isinstance(error, httpx2.TimeoutException):
        text = f"{what} did not answer within its time limit"
    elif isinstance(error, httpx2.ConnectError):
        text = f"{what} cannot be reached"
    else:
        text = f"The connection to {what} broke off"
    detail = str(error) if not isinstance(error, httpx2.TimeoutException) else ""
    return ToolUnavailableError(
        f"{text}{f': {detail[:200]}' if detail else ''}.", is_sent=attempt.is_sent
    )
