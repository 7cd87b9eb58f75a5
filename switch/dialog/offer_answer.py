"""Offer/answer state of one dialog (RFC 3264, the six patterns of RFC 6337 §2).

Bodies pass through the switch untouched, so this machine holds no SDP: it knows whose turn it is, and
so which of two crossing offers gets 491 and which gets 500.
"""

from enum import Enum


class OfferState(Enum):
    """Whose offer is open in this dialog."""

    STABLE = "Stable"
    LOCAL_OFFER = "LocalOffer"  # we sent one; the peer owes an answer
    REMOTE_OFFER = "RemoteOffer"  # the peer sent one; we owe an answer


class OfferEvent(Enum):
    """What can happen to an offer."""

    SEND_OFFER = "SendOffer"
    RECEIVE_OFFER = "ReceiveOffer"
    SEND_ANSWER = "SendAnswer"
    RECEIVE_ANSWER = "ReceiveAnswer"
    REFUSED = "Refused"


_S, _E = OfferState, OfferEvent

TABLE: dict[tuple[OfferState, OfferEvent], OfferState] = {
    (_S.STABLE, _E.SEND_OFFER): _S.LOCAL_OFFER,
    (_S.STABLE, _E.RECEIVE_OFFER): _S.REMOTE_OFFER,
    (_S.LOCAL_OFFER, _E.RECEIVE_ANSWER): _S.STABLE,
    (_S.LOCAL_OFFER, _E.REFUSED): _S.STABLE,
    (_S.REMOTE_OFFER, _E.SEND_ANSWER): _S.STABLE,
    (_S.REMOTE_OFFER, _E.REFUSED): _S.STABLE,
    # A refused offer that was already withdrawn (BYE crossed it) leaves nothing open.
    (_S.STABLE, _E.REFUSED): _S.STABLE,
}


def glare_status(state: OfferState, method: str) -> int | None:
    """The status for an offer by `method` that arrives while another is open, None if none is.

    Ours is open: 491. The peer's own is open: 500 with Retry-After
    (RFC 3261 §14.2, RFC 3311 §5.2).
    """
    match state:
        case OfferState.LOCAL_OFFER:
            return 491
        case OfferState.REMOTE_OFFER:
            return 500
        case _:
            return None
