"""A process that does not outlive the one that started it."""

import ctypes
import os
import signal
import sys
import threading
import time
from typing import Final

LOOK_FOR_PARENT_EVERY_S: Final = 0.5
END_WITHIN_S: Final = 10
"""Then a process that was asked to end is ended."""
PR_SET_PDEATHSIG: Final = 1
"""prctl(2)."""


def end_with_parent(parent: int) -> None:
    """
    End this process when the one that started it dies, be it by kill -9.

    The kernel sends SIGTERM where it can (Linux); a thread looks after it everywhere, and ends what does not listen.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    threading.Thread(target=_end_orphan, args=(parent,), name="parent", daemon=True).start()


def _end_orphan(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_FOR_PARENT_EVERY_S)
    # The kernel rings, and nobody here hears it: that ends the process, also where the interpreter is held for ever.
    signal.alarm(END_WITHIN_S)
    os.kill(os.getpid(), signal.SIGTERM)
