"""What ties a child process to its parent: it dies with it, and runs the same code.

Deliberately absent: supervision, which is the pool's.
"""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` (a pid) dies (prctl(2)).

    The signal follows the thread that started the process, so a parent starts its
    children from its main thread. The look at getppid() closes the gap in which the
    parent died before the call.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def child_environment() -> dict[str, str]:
    """The environment in which a child Python finds this very package, installed or not."""
    root = str(Path(__file__).parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": root + (os.pathsep + inherited if inherited else "")}
