"""Which hosts a tool may reach, and a connection to exactly the address that was checked.

A name is resolved once; every address it leads to is checked, and the connection goes to one of
those: a name that changes its mind between check and connection changes nothing. Proxies and
other settings of the environment are ignored.
"""

import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

import httpx2

from agents.errors import HostRefusedError, ToolUnavailableError

Address = IPv4Address | IPv6Address
Resolver = Callable[[str, int], Sequence[str]]

DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")
# Not of the open internet either, whatever the library of this Python says: protocol assignments
# and relays, two clouds' services for their own machines, IPv4 inside IPv6, local and documented.
_NOT_PUBLIC = tuple(
    ip_network(text)
    for text in (
        "192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "::/96", "64:ff9b:1::/48",
        "fec0::/10", "3fff::/20", "5f00::/16",
    )
)  # fmt: skip
# The system's resolver has no time limit of its own: it is asked on a thread and left behind.
_RESOLVING = ThreadPoolExecutor(max_workers=16, thread_name_prefix="resolve")


def ask_system(host: str, port: int) -> list[str]:
    """Return the addresses that the system's resolver gives for a name, in its order."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True)
class HostRules:
    """The hosts that one source may reach.

    Attributes:
        allowed: `host`, `host:port`, an address, or a network such as `10.1.0.0/16`. A name that
            leads to an address that is not public needs that address (or its network) too; for
            `localhost` its own entry is enough.
        resolve: How names are resolved.
    """

    allowed: tuple[str, ...]
    resolve: Resolver = field(default=ask_system, compare=False)

    def check_url(self, url: httpx2.URL) -> None:
        """Check scheme, host and port against the list, before any name is resolved.

        Raises:
            HostRefusedError: The address may not be reached; the message says why.
        """
        if url.scheme not in DEFAULT_PORTS:
            raise HostRefusedError(
                f"{url.scheme or 'No scheme'} cannot be used: only http and https."
            )
        if url.userinfo:
            raise HostRefusedError("The address carries a user name; use a header with a secret.")
        host, port = host_of(url), port_of(url)
        if not host:
            raise HostRefusedError(f"The address {url} names no host.")
        if not self._lists(host, port):
            known = ", ".join(self.allowed) or "none"
            raise HostRefusedError(
                f"The host {host}:{port} is not on the source's list of hosts ({known}). Someone "
                "who may connect tools can add it."
            )

    def addresses(self, host: str, port: int, timeout_seconds: float | None = None) -> list[str]:
        """Return the addresses that a listed host may be reached at.

        Raises:
            HostRefusedError: It leads to an address that is not public and not listed.
            ToolUnavailableError: The name cannot be resolved (now); nothing was sent.
        """
        host = normal_host(host)
        found = [ip_address(each) for each in self._resolved(host, port, timeout_seconds)]
        for address in found:
            if not (is_public(address) or self._lists_address(host, address, port)):
                raise HostRefusedError(
                    f"{host} leads to {address}, which is not a public address. Where that is "
                    f"meant, list {address}:{port} among the source's hosts too."
                )
        return [str(address) for address in found]

    def _resolved(self, host: str, port: int, timeout_seconds: float | None) -> Sequence[str]:
        if address := _literal(host):
            return [str(address)]
        try:
            found = _RESOLVING.submit(self.resolve, host, port).result(timeout_seconds)
        except TimeoutError as error:  # an OSError too: it comes first
            raise ToolUnavailableError(
                f"{host} could not be resolved in time.", is_sent=False
            ) from error
        except (OSError, UnicodeError) as error:
            raise ToolUnavailableError(f"{host} cannot be resolved.", is_sent=False) from error
        if not found:
            raise ToolUnavailableError(f"{host} has no address.", is_sent=False)
        return found

    def _lists(self, host: str, port: int) -> bool:
        literal = _literal(host)
        return any(
            (listed == host or (literal is not None and _covers(listed, literal)))
            and listed_port in (None, port)
            for listed, listed_port in map(split_entry, self.allowed)
        )

    def _lists_address(self, host: str, address: Address, port: int) -> bool:
        is_local = host == "localhost" and address.is_loopback
        return any(
            (_covers(listed, address) or (is_local and listed == "localhost"))
            and listed_port in (None, port)
            for listed, listed_port in map(split_entry, self.allowed)
        )


def is_public(address: Address) -> bool:
    """Say whether an address is one of the open internet, and no other in disguise.

    IPv4 inside IPv6 (mapped, 6to4, Teredo) is never taken for public; behind NAT64 the inner one
    counts (RFC 6052).
    """
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_public(IPv4Address(address.packed[-4:]))
        if address.ipv4_mapped or address.sixtofour or address.teredo:
            return False
    is_held_back = any(address in network for network in _NOT_PUBLIC)
    return address.is_global and not address.is_multicast and not is_held_back


def split_entry(entry: str) -> tuple[str, int | None]:
    """Return host and port of an entry of the list; without a port any will do.

    Raises:
        HostRefusedError: It is neither a host, an address nor a network.
    """
    text = entry.strip().lower()
    host, _, port = text.rpartition(":") if _has_port(text) else (text, "", "")
    host = normal_host(host)
    is_known = _literal(host) or _is_network(host) or _is_name(host)
    if not is_known or (port and not 1 <= int(port) <= 65535):
        raise HostRefusedError(
            f"{entry!r} is no host; write a name, an address or a network, with :port for one "
            "port alone, and neither scheme nor path."
        )
    return host, int(port) if port else None


def host_of(url: httpx2.URL) -> str:
    """Return the host as it is compared: lower case, ASCII, without brackets or final dot."""
    return normal_host(url.raw_host.decode("ascii"))


def port_of(url: httpx2.URL) -> int:
    """Return the port, that of the scheme where none is named."""
    return url.port or DEFAULT_PORTS.get(url.scheme, 0)


def normal_host(host: str) -> str:
    """Return a host as it is compared."""
    host = host.lower().strip("[]")
    return host[:-1] if host.endswith(".") else host


def _has_port(text: str) -> bool:
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    return bool(colon) and port.isdecimal() and (is_bracketed or ":" not in host)


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return "/" in text


def _covers(listed: str, address: Address) -> bool:
    try:
        return address in ip_network(listed, strict=False)
    except ValueError:
        return False


def _is_name(host: str) -> bool:
    labels = host.split(".")
    return len(host) <= 253 and all(
        label.isascii() and label.replace("-", "").replace("_", "").isalnum() and len(label) <= 63
        for label in labels
    )
