"""A delta between two images, by a process of its own: `python -m switch.provisioning.delta OLD NEW DELTA`.

Sorting a large image keeps the interpreter for a minute, and memory several times its size: in the switch
every call would wait for it. Here it takes the time that nobody else wants, and what it needs more than there
is costs the delta, not the switch.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

LIMIT_S: Final = 1800.0
_ROOT: Final = Path(__file__).resolve().parents[2]


def is_possible() -> bool:
    """Whether detools is there, which not everybody can build."""
    return importlib.util.find_spec("detools") is not None


def make(old: Path, new: Path, delta: Path) -> bool:
    """Make `delta`; whether that went well. Blocks; the process dies with this one."""
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", __name__]
    try:
        done = subprocess.run(  # noqa: S603 (our own module)
            [*command, str(old.absolute()), str(new.absolute()), str(delta.absolute())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            cwd=_ROOT,
            timeout=LIMIT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def main(old: str, new: str, delta: str) -> None:
    """In the process."""
    import detools  # noqa: PLC0415 (only here is it needed)

    os.nice(19)
    with open(old, "rb") as base, open(new, "rb") as target, open(delta, "wb") as patch:
        detools.create_patch(base, target, patch)


if __name__ == "__main__":
    main(*sys.argv[1:])
