"""A phone's word about its media at the end of a call, passed on to who watches lines (terms 3(b)).

It is a note beside the call and no part of its record: it comes with a BYE, or with the answer to ours, which
is later than the record. Deliberately absent: what a carrier says, which is not the line's.
"""

from typing import TYPE_CHECKING

from switch.sip.message import Request, Response
from switch.sip.rtp_stat import RtpStat

if TYPE_CHECKING:
    from switch.call.leg import Leg


def at_end(leg: "Leg", ending: Request | Response) -> None:
    """Note what a BYE, or the answer to one, says of the media of a line's phone."""
    if not leg.aor or leg.dialog is None or ending.cseq.method != "BYE":
        return
    told = RtpStat.of(ending)
    if told is not None:
        leg.exchange.outbox.note(
            "call.media",
            line=leg.aor,
            sip_call_id=leg.dialog.call_id,
            sent_ms=told.sent_ms,
            received_ms=told.received_ms,
        )
