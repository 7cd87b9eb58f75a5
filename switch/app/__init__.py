"""The composition root: the only room that knows every other.

`compose` connects the rooms of signalling and policy, `node` opens what a running switch has and takes
it down again, `process` is what the command line starts. What the rooms do is theirs.
"""

from switch.app.compose import build_exchange
from switch.app.process import offline, run

__all__ = ["build_exchange", "offline", "run"]
