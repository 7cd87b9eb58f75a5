"""The composition root: the only room that knows every other.

`compose` connects the rooms of signalling and policy, `node` opens what a running switch has and takes
it down again. The command line starts `process`, and answers by `offline` without a running switch.
What the rooms do is theirs.
"""

from switch.app.compose import build_exchange

__all__ = ["build_exchange"]
