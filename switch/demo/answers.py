"""How the simulated carrier treats a number, and the SDP that it answers with. Pure.

The SDP knows one audio stream with G.711; enough for every phone, too little for a carrier of flesh and
blood (no other codecs, no video, no SRTP).
"""

import re
from typing import Final

from switch.sip import sdp

#: What the last three digits of a number of nine digits or more mean.
REFUSALS: Final = {"486": 486, "404": 404, "503": 503}
NEVER_ANSWERS: Final = "408"
_MIN_DIGITS: Final = 9

_USER = re.compile(r"(?:sips?|tel):([^@;?]*)", re.IGNORECASE)

#: Static payload types that are answered, the French one first (RFC 3551 §6).
_G711: Final = ((8, "PCMA"), (0, "PCMU"))
_MIRRORED: Final = {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


def status_for(uri: str) -> int | None:
    """The final status for a Request-URI: 200, a refusal, or None for one that only rings."""
    user = _USER.match(uri)
    digits = re.sub(r"\D", "", user[1]) if user else ""
    if len(digits) < _MIN_DIGITS:
        return 200
    if digits.endswith(NEVER_ANSWERS):
        return None
    return REFUSALS.get(digits[-3:], 200)


def offer(address: tuple[str, int], version: int = 1) -> bytes:
    """An offer of both G.711 codecs and telephone events."""
    return _body(address, [8, 0], 101, "sendrecv", version)


def answer(offered: bytes, address: tuple[str, int], version: int = 1) -> bytes | None:
    """The answer to an offer: PCMA if it is there, else PCMU; None when there is neither."""
    if not sdp.has_audio(offered):
        return None
    codecs = sdp.codecs(offered)
    # By payload type as well: the static ones need no rtpmap (RFC 3551).
    chosen = [number for number, _ in _G711 if any(codec.payload == number for codec in codecs)]
    if not chosen:
        return None
    events = [codec.payload for codec in codecs if codec.name.lower() == "telephone-event"]
    wanted = sdp.direction(offered)
    return _body(
        address,
        chosen[:1],
        events[0] if events else None,
        _MIRRORED.get(wanted, "sendrecv"),
        version,
    )


def _body(
    address: tuple[str, int], codecs: list[int], events: int | None, direction: str, version: int
) -> bytes:
    host, port = address
    family = "IP6" if ":" in host else "IP4"
    formats = [*codecs, *([events] if events is not None else [])]
    names = dict(_G711)
    lines = [
        "v=0",
        f"o=carrier {port} {version} IN {family} {host}",
        "s=-",
        f"c=IN {family} {host}",
        "t=0 0",
        f"m=audio {port} RTP/AVP {' '.join(map(str, formats))}",
        *(f"a=rtpmap:{number} {names[number]}/8000" for number in codecs),
    ]
    if events is not None:
        lines += [f"a=rtpmap:{events} telephone-event/8000", f"a=fmtp:{events} 0-15"]
    lines += ["a=ptime:20", f"a={direction}", ""]
    return "\r\n".join(lines).encode()
