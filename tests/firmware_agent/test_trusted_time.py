"""Trusted time with a clock at 1970, right, slow and at 2035."""

from firmware_agent.messages.reported import ClockSource
from firmware_agent.trusted_time import SYSTEM_MAY_LEAD_S, Moment, TrustedTime

BUILD = 1_735_689_600
TODAY = 1_795_737_600
IN_2035 = 2_051_222_400


def test_without_any_signed_time_it_is_build_time_and_goes_on() -> None:
    for system in (0, IN_2035):
        time = TrustedTime(BUILD, 0, Moment(50, system))
        assert time.source(Moment(50, system)) is ClockSource.BUILD
        assert time.utc(Moment(150, system)) == BUILD + 100
        assert time.floor == 0, "nothing signed, nothing to be persisted"


def test_floor_is_never_below_the_build() -> None:
    time = TrustedTime(TODAY, BUILD, Moment(0, 0))
    assert time.utc(Moment(0, 0)) == TODAY


def test_signed_time_moves_it_forward_only() -> None:
    time = TrustedTime(BUILD, 0, Moment(0, 0))
    assert time.on_signed(TODAY, Moment(10, 0))
    assert time.utc(Moment(70, 0)) == TODAY + 60
    assert not time.on_signed(TODAY - 1000, Moment(80, 0)), "a replay"
    assert time.utc(Moment(80, 0)) == TODAY + 70
    assert time.floor == TODAY
    again = TrustedTime(BUILD, time.floor, Moment(0, IN_2035))
    assert again.utc(Moment(0, IN_2035)) == TODAY
    assert again.source(Moment(0, IN_2035)) is ClockSource.SIGNED


def test_system_clock_is_believed_within_a_day_and_never_behind() -> None:
    time = TrustedTime(BUILD, TODAY, Moment(0, TODAY))
    for lead, believed in (
        (-1, False), (0, True), (3600, True), (SYSTEM_MAY_LEAD_S, True), (SYSTEM_MAY_LEAD_S + 1, False),
    ):  # fmt: skip
        at = Moment(0, TODAY + lead)
        assert (time.source(at) is ClockSource.SYSTEM) is believed, lead
        assert time.utc(at) == TODAY + (lead if believed else 0)


def test_system_clock_cant_be_pushed_on_day_by_day() -> None:
    floor = TODAY
    for day in range(1, 30):
        system = TODAY + day * 80_000
        time = TrustedTime(BUILD, floor, Moment(0, system))
        assert time.utc(Moment(0, system)) <= TODAY + SYSTEM_MAY_LEAD_S
        floor = max(floor, time.floor)
    assert floor == TODAY


def test_answer_to_our_nonce_ends_all_doubt() -> None:
    time = TrustedTime(BUILD, TODAY, Moment(0, TODAY + 7200))
    at = Moment(5, TODAY + 7205)
    assert time.is_old(TODAY, at), "the beacon is far behind the system clock"
    time.on_answer(TODAY + 5, at)
    assert time.utc(at) == TODAY + 5
    assert time.source(at) is ClockSource.SIGNED
    assert not time.is_old(TODAY, at)


def test_monotonic_clock_that_stands_still_does_no_harm() -> None:
    time = TrustedTime(BUILD, TODAY, Moment(100, 0))
    assert time.utc(Moment(90, 0)) == TODAY
