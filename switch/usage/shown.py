"""What a line's meter shows at an instant: sums of its live and ended legs. Reading changes nothing.

All `*_ms` are integer milliseconds, of boottime unless named otherwise.
"""

from switch.usage.line import LineMeter


def used_ms(meter: LineMeter, now_ms: int) -> int:
    """Return the counted ms of the cycle, live legs (also those not yet ACKed) included."""
    return meter.ended_ms() + live_ms(meter, now_ms)


def live_ms(meter: LineMeter, now_ms: int) -> int:
    """Return the live legs' part of `used_ms`."""
    n = meter.cycle.n
    here = sum(
        leg.live_ms(now_ms) for leg in meter.legs.values() if leg.counts and leg.cycle.n == n
    )
    return here + meter.elsewhere.live_ms(now_ms)


def by_direction(meter: LineMeter, now_ms: int) -> dict[str, int]:
    """Return ms by direction, live legs included, also of a direction that doesn't count."""
    sums = dict(meter.settled)
    for leg in meter.legs.values():
        if leg.exempt_reason is None and leg.cycle.n == meter.cycle.n:
            sums[leg.direction] += leg.live_ms(now_ms)
    return meter.elsewhere.added_to(sums, now_ms)


def begun(meter: LineMeter | None, n: int, now_ms: int) -> dict[str, int]:
    """Return what live legs came to by direction in the cycle `n`, which the meter is yet to turn to."""
    sums = {"inbound": 0, "outbound": 0}
    for leg in () if meter is None else meter.legs.values():
        if leg.confirmed and leg.exempt_reason is None and leg.cycle.n < n:
            sums[leg.direction] += max(0, now_ms - leg.boundary_ms)
    return sums
