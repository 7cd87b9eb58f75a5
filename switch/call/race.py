"""The race of emergency routes: when the next one starts, and who is given up.

    its connection isn't open after `CONNECT_S`       the next starts beside it, if elsewhere
    nothing came, not even a 100, for `no_100_s`      the route is given up, the next starts
    a 100 came, but no ringing for `emergency_pdd_s`  the next starts beside it
    the latest one fails                              the next starts at once, others or not, if elsewhere
    one rings or answers                              it wins, the others are cancelled (steps.py)
    none is left to start                             those that are open may still ring

A route that was given up keeps its chance: a 200 that crosses our CANCEL is taken when nobody else
answered. Times count from the last INVITE to that route, so a repaired one has its whole patience.
"""

from typing import TYPE_CHECKING

from switch.call.callee_leg import Branch, CalleeLeg

if TYPE_CHECKING:
    from switch.call.call import Call

# So that an INVITE is on some trunk within 200 ms where one's TCP swallows SYNs. Probes keep connections to
# emergency trunks open, and one that has to be opened takes a few ms: who waits so long lost its SYN.
CONNECT_S = 0.15
_EARLY_S = 0.001  # a timer may fire this much early; a route is not given up for that


def watch(call: "Call", now: float) -> None:
    """A route was started: look at it again when even a slow carrier has sent its 100."""
    latest = _latest(call)
    if latest is not None and latest.flow.is_reliable:
        call.arm("connecting", CONNECT_S, now)
    else:
        call.arm("no_100", call.exchange.settings.no_100_s, now)


def on_timer(call: "Call", name: str, now: float) -> None:
    """A patience ran out: "connecting", "no_100" or "pdd"."""
    settings = call.exchange.settings
    latest = _latest(call)
    if name == "connecting" and latest is not None:
        is_opening = call.exchange.is_connecting(latest.flow)
        if latest.is_silent and is_opening and _next_is_elsewhere(call):
            start_next(call, now)
            return
        name = "no_100"
    if latest is not None and latest.is_silent:
        left = latest.sent_at + settings.no_100_s - now
        if left > _EARLY_S:
            call.arm("no_100", left, now)
            return
        call.record.attempted(call, latest, 408, now)
        latest.cancel(now, keep_answer=True)
    elif latest is not None and name == "no_100":
        left = latest.sent_at + settings.emergency_pdd_s - now
        call.arm("pdd", max(left, 0.0), now)
        return
    start_next(call, now)


def start_next(call: "Call", now: float) -> None:
    """Start the next route; when there is none, those in the race have the time of a ringing phone."""
    call.try_next(now)
    if call.timer is None and _latest(call) is not None:
        call.arm("ring", call.exchange.settings.ring_timeout_s, now)


def goes_on(call: "Call", failed: CalleeLeg) -> bool:
    """Whether the failure of `failed`, no more among the branches, starts the next route although
    others are still open: it was the one that is waited for, and nobody rings."""
    open_ones = [branch for branch in call.branches if branch.is_open]
    return (
        call.is_emergency
        and failed.is_trunk
        and all(branch.branch is not Branch.RINGING for branch in open_ones)
        and all(branch.started_at <= failed.started_at for branch in open_ones)
        and _next_is_elsewhere(call)
    )


def _next_is_elsewhere(call: "Call") -> bool:
    """Whether there is a next route, and it needs none of the connections that are still opening: 112 must
    not overtake 18 on the way that both wait for."""
    opening = {
        branch.flow.remote
        for branch in call.branches
        if branch.is_open and call.exchange.is_connecting(branch.flow)
    }
    coming = call.hunt.next if call.hunt is not None else ()
    return any(target.flow.remote not in opening for target in coming)


def _latest(call: "Call") -> CalleeLeg | None:
    """The open route that was started last."""
    return next((branch for branch in reversed(call.branches) if branch.is_open), None)
