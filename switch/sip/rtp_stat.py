"""What a phone says of its media when a call ends: X-RTP-Stat and P-RTP-Stat, in BYE and in its 200.

No RFC has them; AudioCodes, AVM, Yealink, Snom and others send "PS=207;OS=33120;PR=314;OR=50240;PL=0" or
the same with commas: packets and octets of voice, sent (PS, OS) and received (PR, OR). With silence
suppression they tell how long each side spoke at most; without it, only whether anything came at all.
Deliberately absent: loss, jitter and latency, which nothing here asks for, and RFC 6035 reports, which
tell quality and signal levels but not how long anybody spoke.
"""

import re
from typing import Final, NamedTuple, Self

from switch.sip.message import Request, Response

_NAMES: Final = ("X-RTP-Stat", "P-RTP-Stat")
_FIELD: Final = re.compile(r"(?:^|[;,\s])(PS|OS|PR|OR)=(\d{1,10})(?=$|[;,\s])")
_USUAL_MS: Final = 20  # of a packet, without octets: RFC 3551 §4.2
_LONGEST_MS: Final = 60
# G.711 and G.722 have 8 octets a millisecond, and 20 ms of them 160; what is smaller is compressed, to
# one octet a millisecond or more, so that an octet taken for a millisecond never says too little.
_PLAIN_OCTETS: Final = 160


class RtpStat(NamedTuple):
    """Milliseconds of media that a phone sent and received, at most."""

    sent_ms: int
    received_ms: int

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read a header value; None unless it tells packets of both directions."""
        found = {name: int(value) for name, value in _FIELD.findall(text)}
        if "PS" not in found or "PR" not in found:
            return None
        return cls(
            found["PS"] * _packet_ms(found["PS"], found.get("OS")),
            found["PR"] * _packet_ms(found["PR"], found.get("OR")),
        )

    @classmethod
    def of(cls, message: Request | Response) -> Self | None:
        """What a message says, None if it says nothing (which is not silence)."""
        for name in _NAMES:
            if value := message.get(name):
                return cls.parse(value)
        return None


def _packet_ms(packets: int, octets: int | None) -> int:
    if not packets or octets is None:
        return _USUAL_MS
    each = octets // packets
    ms = each // 8 if each >= _PLAIN_OCTETS else each
    return min(max(ms, _USUAL_MS), _LONGEST_MS)
