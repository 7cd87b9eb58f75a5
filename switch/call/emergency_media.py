"""What an emergency call does to session descriptions (RFC 6881 SP-38, ED-79).

Speech only: comfort noise and silence suppression are taken out of every offer, because they cut the
background sounds that a PSAP listens to, and G.711 A-law comes first if it is offered. The last common
codec is never taken out. Hold is not available to the caller's phone: neither by an offer (refused,
steps.py), nor by the answer to an offer that asked for both directions.

Only the first audio stream is touched, line by line; keys (SDES, DTLS fingerprints), ICE candidates,
video and real-time text cross as they came. Deliberately absent: transcoding.
"""

from switch.call.vocabulary import Body
from switch.sip import sdp

HOLDS = frozenset({"sendonly", "inactive"})
BOTH_WAYS = "sendrecv"


def speech_only(body: Body) -> Body:
    """An offer without comfort noise and silence suppression, A-law first."""
    if not _is_sdp(body):
        return body
    content = sdp.choose_codecs(body.content, first="PCMA", without="CN")
    content = sdp.without_silence_suppression(content)
    return body if content is body.content else Body(body.content_type, content)


def is_hold(offer: Body | None, before: Body | None) -> bool:
    """Whether a phone's offer would put the PSAP on hold, or end the speech that there was."""
    if offer is None or not _is_sdp(offer):
        return False
    if sdp.has_audio(offer.content):
        return sdp.direction(offer.content) in HOLDS
    return before is not None and _is_sdp(before) and sdp.has_audio(before.content)


def held_to(answer: Body | None, offer: Body | None) -> Body | None:
    """The phone's answer; one that holds although the PSAP offered both directions says both."""
    if answer is None or offer is None or not (_is_sdp(answer) and _is_sdp(offer)):
        return answer
    if sdp.direction(offer.content) != BOTH_WAYS or sdp.direction(answer.content) not in HOLDS:
        return answer
    return Body(answer.content_type, sdp.set_direction(answer.content, BOTH_WAYS))


def _is_sdp(body: Body) -> bool:
    return body.content_type.partition(";")[0].strip().lower() == "application/sdp"
