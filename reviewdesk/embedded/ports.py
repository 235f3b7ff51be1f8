"""Ports of 127.0.0.1."""

import errno
import socket

from reviewdesk.embedded.errors import EmbeddedError


def check_port(port: int) -> None:
    """Check that a server can listen on `port`.

    Raises:
        EmbeddedError: Something else does, or this user may not.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise EmbeddedError(_reason(port, error)) from error


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _reason(port: int, error: OSError) -> str:
    other = port + 1 if port < 65535 else 8001
    way_out = f"Choose another port, such as REVIEWDESK_PORT={other}."
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: another program listens on 127.0.0.1:{port}. {way_out}"
    return f"port {port} cannot be used ({error.strerror}). {way_out}"
