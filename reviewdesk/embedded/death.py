"""How a process learns that its parent is gone, or was asked to stop."""

import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent(number: signal.Signals, *, parent: int = 0) -> None:
    """Ask the kernel to send `number` to this process when its parent dies (Linux only).

    Called in the child between fork and exec, after it has changed its user: changing it resets
    the wish. The parent must live on in the thread that forked.

    Args:
        number: The signal to be sent.
        parent: The parent's process id where it is known: the parent may be gone by now.
    """
    if _LIBC is None:
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if parent and os.getppid() != parent:
        os.kill(os.getpid(), number)


def is_make_interrupted() -> bool:
    """Say whether this process's parent is a `make` that got a SIGINT (Linux only).

    At a terminal, Ctrl-C reaches make and us. A SIGINT that is sent to make alone it keeps: its
    handler, in which the signal is blocked, waits for us to end.
    """
    parent = Path("/proc") / str(os.getppid())
    try:
        name = (parent / "comm").read_text().strip()
        status = (parent / "status").read_text()
    except OSError:
        return False
    blocked = next((line for line in status.splitlines() if line.startswith("SigBlk:")), "x:0")
    mask = int(blocked.split(":")[1], 16)
    return name in {"make", "gmake"} and bool(mask >> (signal.SIGINT - 1) & 1)
