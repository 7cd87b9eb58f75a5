"""The wheel: order, exactness, cancelling, and that a cancelled timer holds nothing."""

import gc
import weakref

from switch.clock import Timer, Wheel, boottime, wall


class Bell:
    """Notes what woke it."""

    def __init__(self) -> None:
        self.rung: list[tuple[str, float]] = []

    def on_timer(self, name: str, now: float) -> None:
        self.rung.append((name, now))


def test_clocks_advance_and_wall_is_utc_seconds() -> None:
    first = boottime()
    assert boottime() >= first > 0
    assert wall() > 1_700_000_000


def test_timers_fire_in_order_of_time_whatever_the_order_of_arming() -> None:
    wheel, bell = Wheel(), Bell()
    for at in (10.5, 10.0001, 10.0, 42.0, 10.0002):
        wheel.arm(at, bell, str(at))
    assert wheel.fire(11.0) == 4
    assert [name for name, _ in bell.rung] == ["10.0", "10.0001", "10.0002", "10.5"]
    assert len(wheel) == 1


def test_a_timer_of_the_current_bucket_is_not_early() -> None:
    wheel, bell = Wheel(), Bell()
    wheel.arm(1.001, bell, "first")
    wheel.arm(1.009, bell, "second")
    assert wheel.fire(1.005) == 1
    assert wheel.next_at() == 1.009
    assert wheel.fire(1.0089) == 0
    assert wheel.fire(1.009) == 1
    assert wheel.next_at() is None


def test_next_at_is_never_late_and_corrects_itself_after_a_cancel() -> None:
    wheel, bell = Wheel(), Bell()
    early = wheel.arm(5.0, bell, "early")
    wheel.arm(9.0, bell, "late")
    assert wheel.next_at() == 5.0
    early.cancel()
    assert wheel.due(5.0) == []
    assert wheel.next_at() == 9.0


def test_an_empty_wheel_has_nothing_due() -> None:
    wheel = Wheel()
    assert wheel.next_at() is None
    assert wheel.due(1e9) == []
    assert len(wheel) == 0


def test_cancel_is_idempotent_and_leaves_no_reference() -> None:
    wheel, bell = Wheel(), Bell()
    timer = wheel.arm(1.0, bell, "x")
    held = weakref.ref(bell)
    timer.cancel()
    timer.cancel()
    assert len(wheel) == 0
    del bell
    gc.collect()
    assert held() is None
    assert wheel.fire(2.0) == 0


def test_a_timer_cancelled_by_an_earlier_one_of_the_same_turn_does_not_fire() -> None:
    wheel, bell = Wheel(), Bell()

    class Canceller:
        victim: Timer | None = None

        def on_timer(self, name: str, now: float) -> None:
            assert self.victim is not None
            self.victim.cancel()

    canceller = Canceller()
    wheel.arm(1.0, canceller, "cancel")
    canceller.victim = wheel.arm(1.5, bell, "victim")
    assert wheel.fire(2.0) == 1
    assert bell.rung == []


def test_a_timer_armed_for_the_past_is_due_at_the_next_turn() -> None:
    wheel, bell = Wheel(), Bell()
    wheel.arm(100.0, bell, "a")
    wheel.fire(100.0)
    wheel.arm(50.0, bell, "late")
    assert wheel.next_at() == 50.0
    assert wheel.fire(100.0) == 1
    assert bell.rung[-1] == ("late", 100.0)


def test_a_target_that_rearms_itself_in_the_past_does_not_hold_the_loop() -> None:
    wheel = Wheel()

    class Eager:
        count = 0

        def on_timer(self, name: str, now: float) -> None:
            self.count += 1
            wheel.arm(now - 1, self, name)

    eager = Eager()
    wheel.arm(1.0, eager, "again")
    assert wheel.fire(2.0) == 1
    assert wheel.fire(2.0) == 1
    assert eager.count == 2


def test_emptied_buckets_are_dropped() -> None:
    wheel, bell = Wheel(), Bell()
    for i in range(1000):
        wheel.arm(i / 10, bell, "x").cancel()
    assert wheel.fire(1000.0) == 0
    assert wheel.next_at() is None
    assert not wheel._buckets
    assert not wheel._slots
