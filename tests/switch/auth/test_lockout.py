"""Guessing is locked out, and nobody else is."""

from switch.auth.lockout import DAY_S, Lockout, LockoutLimits

LIMITS = LockoutLimits(failures=3, unknown_users=3, window_s=60, lock_s=100, entries=50)
HOME, STRANGER = "192.0.2.1", "203.0.113.9"


def fail(lockout: Lockout, user: str, address: str, times: int, known: bool = True) -> bool:
    return [lockout.failed(user, address, known, 0.0) for _ in range(times)][-1]


def test_a_pair_is_locked_after_so_many_failures_and_for_so_long() -> None:
    lockout = Lockout(LIMITS)
    assert not fail(lockout, "101", STRANGER, 2)
    assert not lockout.is_locked("101", STRANGER, 0.0)
    assert fail(lockout, "101", STRANGER, 1)
    assert lockout.is_locked("101", STRANGER, 99.0)
    assert not lockout.is_locked("101", STRANGER, 100.0)


def test_a_stranger_cannot_lock_a_line_elsewhere() -> None:
    lockout = Lockout(LIMITS)
    fail(lockout, "101", STRANGER, 50)
    assert not lockout.is_locked("101", HOME, 0.0)
    assert not lockout.is_locked("102", STRANGER, 0.0)


def test_failures_far_apart_do_not_add_up() -> None:
    lockout = Lockout(LIMITS)
    assert not any(lockout.failed("101", HOME, True, at) for at in (0.0, 50.0, 70.0, 120.0))


def test_many_unknown_users_lock_the_address_for_all_but_its_phones() -> None:
    lockout = Lockout(LIMITS)
    lockout.registered("101", HOME, 0.0)
    assert not lockout.failed("1000", HOME, False, 0.0)
    assert not lockout.failed("1000", HOME, False, 0.0)  # the same user again tells nothing new
    assert not lockout.failed("1001", HOME, False, 0.0)
    assert lockout.failed("1002", HOME, False, 0.0)
    assert lockout.is_locked("999", HOME, 0.0)
    assert not lockout.is_locked("101", HOME, 0.0)
    assert not lockout.is_locked("999", STRANGER, 0.0)


def test_a_pair_that_registered_is_never_locked_for_30_days() -> None:
    lockout = Lockout(LIMITS)
    lockout.registered("101", HOME, 0.0)
    assert not fail(lockout, "101", HOME, 50)
    assert not lockout.is_locked("101", HOME, 0.0)
    late = 30 * DAY_S + 1
    assert [lockout.failed("101", HOME, True, late) for _ in range(3)][-1]
    assert lockout.is_locked("101", HOME, late)


def test_a_pair_is_worth_writing_down_once_a_day() -> None:
    lockout = Lockout(LIMITS)
    assert lockout.registered("101", HOME, 0.0)
    assert not lockout.registered("101", HOME, DAY_S - 1)
    assert lockout.registered("101", HOME, DAY_S)


def test_a_restored_pair_keeps_its_age() -> None:
    lockout = Lockout(LIMITS)
    lockout.restore("101", HOME, -29 * DAY_S)
    assert lockout.is_remembered("101", HOME, 0.0)
    assert not lockout.is_remembered("101", HOME, 2 * DAY_S)


def test_an_operator_can_forget_locks() -> None:
    lockout = Lockout(LIMITS)
    fail(lockout, "101", HOME, 3)
    lockout.forget("101")
    assert not lockout.is_locked("101", HOME, 0.0)


def test_tables_are_bounded() -> None:
    lockout = Lockout(LIMITS)
    for number in range(200):
        lockout.failed(str(number), f"198.51.100.{number}", False, 0.0)
        lockout.registered(str(number), HOME, 0.0)
    sizes = [len(lockout._pairs), len(lockout._addresses), len(lockout._registered)]
    assert sizes == [50, 50, 50]
