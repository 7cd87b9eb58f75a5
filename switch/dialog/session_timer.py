"""Session timers (RFC 4028): who refreshes, when, and when the silence has lasted too long.

Pure negotiation: headers in, a `SessionTimer` and headers out. The leg arms the timer and sends the
refresh. An emergency call is never ended by an expiry; that is the leg's business too.
"""

from dataclasses import dataclass

from switch.sip.limits import MAX_DELTA_SECONDS
from switch.sip.message import Request, Response

MAX_DIGITS = 10
BYE_MARGIN_S = 32.0  # §10: give up min(32, interval/3) before the expiry
LEAST_S = 90  # §5: nobody may ask for less
FLOOR_S = 30  # what we make of less: soon enough for who means it, and no flood
LONGEST_S = 86_400  # who wants sessions of more than a day has a mistake in its 422
_MAX_DIGITS = 10


@dataclass(frozen=True, slots=True)
class SessionTimer:
    """An agreed timer: `interval_s` seconds, and whether we send the refreshes."""

    interval_s: int
    is_refresher: bool

    @property
    def delay_s(self) -> float:
        """Seconds until our next step: half the interval to refresh, or the expiry less a margin."""
        if self.is_refresher:
            return self.interval_s / 2
        return self.interval_s - min(BYE_MARGIN_S, self.interval_s / 3)


@dataclass(frozen=True, slots=True)
class TooBrief:
    """The peer asked for an interval below our minimum: answer 422 with Min-SE (§6)."""

    min_se: int


def parse_session_expires(value: str | None) -> tuple[int, str] | None:
    """(seconds, refresher or "") of a Session-Expires value; None when absent or no number (§4: of up to
    2**32, so of ten digits)."""
    if not value:
        return None
    seconds, *params = [part.strip() for part in value.split(";")]
    if not seconds.isascii() or not seconds.isdigit() or len(seconds) > MAX_DIGITS:
        return None
    for param in params:
        name, _, text = param.partition("=")
        if name.strip().lower() == "refresher":
            return _bounded(seconds), text.strip().lower()
    return _bounded(seconds), ""


def _bounded(digits: str) -> int:
    """int() refuses thousands of digits, and nothing above 2**32 - 1 has a meaning."""
    return min(int(digits), MAX_DELTA_SECONDS) if len(digits) <= _MAX_DIGITS else MAX_DELTA_SECONDS


def supports(message: Request | Response, option: str) -> bool:
    """Whether the peer lists `option` in Supported or Require.

    Option tags are tokens (§25.1): nothing is quoted, and what isn't one is no option of ours. An
    INVITE is never refused for it.
    """
    for name in ("Supported", "Require"):
        for value in message.get_all(name):
            if option in value.lower() and option in [
                tag.strip().lower() for tag in value.split(",")
            ]:
                return True
    return False


def answer_timer(request: Request, preferred_s: int, min_se: int) -> SessionTimer | TooBrief | None:
    """What the UAS agrees to (§9) for an INVITE or UPDATE; None when no timer runs.

    A peer that supports timers and proposes none gets ours, with itself as refresher; one that
    doesn't support them gets one that we refresh.
    """
    peer_supports = supports(request, "timer")
    proposed = parse_session_expires(request.get("Session-Expires"))
    if proposed is None:
        return SessionTimer(preferred_s, is_refresher=not peer_supports)
    seconds, refresher = proposed
    if seconds < min_se:
        # Without support for timers the peer could not understand a 422 (§9).
        if peer_supports:
            return TooBrief(min_se)
        seconds = min_se
    peer_min = parse_session_expires(request.get("Min-SE"))
    interval = max(min(seconds, preferred_s), min_se, peer_min[0] if peer_min else 0)
    return SessionTimer(interval, is_refresher=refresher == "uas" or not peer_supports)


def answer_headers(timer: SessionTimer | None, peer_supports: bool) -> list[tuple[str, str]]:
    """Headers of our 2xx for the agreed timer (§9)."""
    if timer is None:
        return []
    refresher = "uas" if timer.is_refresher else "uac"
    headers = [("Session-Expires", f"{timer.interval_s};refresher={refresher}")]
    if peer_supports and not timer.is_refresher:
        headers.append(("Require", "timer"))
    return headers


def read_answer(response: Response, preferred_s: int) -> SessionTimer | None:
    """The UAC's reading of a 2xx (§7.2): without Session-Expires we refresh on our own."""
    agreed = parse_session_expires(response.get("Session-Expires"))
    if agreed is None:
        return SessionTimer(preferred_s, is_refresher=True)
    seconds, refresher = agreed
    if seconds < LEAST_S:  # against our Min-SE: who can't count is not left to refresh
        return SessionTimer(max(seconds, FLOOR_S), is_refresher=True)
    return SessionTimer(seconds, is_refresher=refresher != "uas")


def raised_interval(response: Response, asked_s: int) -> int | None:
    """The interval to retry with after a 422, None when its Min-SE doesn't ask for more (§7.4)."""
    wanted = parse_session_expires(response.get("Min-SE"))
    if wanted is None or not asked_s < wanted[0] <= LONGEST_S:
        return None
    return wanted[0]
