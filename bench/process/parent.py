"""A worker's tie to its parent."""

import ctypes
import os
import signal
import sys


def die_with_parent() -> None:
    """Has Linux kill this process when its parent ends, so that it does not disturb what runs later."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of prctl(2)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
