"""How a child learns that its parent is gone, so that nothing is left behind by `kill -9`."""

import ctypes
import os
import signal
import sys

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
