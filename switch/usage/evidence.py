"""When did a call end that nobody hung up? At its last sign of life, in the customer's favour.

The media relay's last packet is the truth and exact. Without it, what is left is what was heard of the
peer in its dialog, or, over a crash, the node's heartbeat: the call lived at least until then, and that
is where it ends, marked as estimated. Never at an expiry timer, which tells only how patient we were.
"""

from typing import NamedTuple


class LastSign(NamedTuple):
    """The end of a dead call: boottime seconds, and whether it was estimated."""

    at: float
    estimated: bool


def last_sign(
    *, relay: float | None = None, heard: float = 0.0, beat: float | None = None
) -> LastSign | None:
    """Return the best evidence there is, None without any. All are boottime seconds.

    `relay`: the last RTP packet that a relay passed; `heard`: the last message of the peer in its
    dialog; `beat`: the last heartbeat before a crash, for a call that was not heard of since.
    """
    if relay is not None:
        return LastSign(relay, estimated=False)
    known = max(heard, beat or 0.0)
    return LastSign(known, estimated=True) if known else None
