"""Nonces prove themselves, age, and are used once per count."""

import pytest

from switch.auth.nonce import Nonces

HERE, ELSEWHERE = b"\x0a\x00\x00", b"\x0a\x00\x01"


def nonces(key: bytes = b"k" * 32, epoch: int = 7, limit: int = 1000) -> Nonces:
    return Nonces(key, epoch, lifetime_s=600, limit=limit)


def test_a_nonce_is_fresh_for_its_life_and_its_place() -> None:
    ours = nonces()
    nonce = ours.issue(HERE, 100.0)
    assert ours.is_fresh(nonce, HERE, 100.0)
    assert ours.is_fresh(nonce, HERE, 700.0)
    assert not ours.is_fresh(nonce, HERE, 702.0)
    assert not ours.is_fresh(nonce, HERE, 99.0)
    assert not ours.is_fresh(nonce, ELSEWHERE, 100.0)


def test_two_challenges_in_one_second_differ() -> None:
    ours = nonces()
    assert ours.issue(HERE, 100.0) != ours.issue(HERE, 100.1)


@pytest.mark.parametrize("other", [nonces(key=b"x" * 32), nonces(epoch=8)])
def test_another_key_or_an_earlier_epoch_is_stale(other: Nonces) -> None:
    assert not other.is_fresh(nonces().issue(HERE, 100.0), HERE, 100.0)


@pytest.mark.parametrize("text", ["", "é" * 48, "0" * 48, "00 " * 16, "g" * 48, "0" * 47])
def test_what_is_no_nonce_is_stale(text: str) -> None:
    assert not nonces().is_fresh(text, HERE, 0.0)


def test_every_changed_digit_is_noticed() -> None:
    ours = nonces()
    nonce = ours.issue(HERE, 100.0)
    for place in range(len(nonce)):
        digit = "0" if nonce[place] != "0" else "1"
        assert not ours.is_fresh(nonce[:place] + digit + nonce[place + 1 :], HERE, 100.0)


def test_a_count_is_taken_once() -> None:
    ours = nonces()
    nonce = ours.issue(HERE, 100.0)
    assert ours.use(nonce, 1, 100.0)
    assert not ours.use(nonce, 1, 100.0)
    assert ours.use(nonce, 2, 100.0)


def test_udp_reorders_counts_within_64() -> None:
    ours = nonces()
    nonce = ours.issue(HERE, 100.0)
    assert ours.use(nonce, 100, 100.0)
    assert ours.use(nonce, 37, 100.0)
    assert not ours.use(nonce, 37, 100.0)
    assert not ours.use(nonce, 36, 100.0)  # too far below to be known as new
    assert ours.use(nonce, 2**32 - 1, 100.0)
    assert not ours.use(nonce, 100, 100.0)


def test_a_forgotten_nonce_is_stale_and_not_new() -> None:
    ours = nonces(limit=2)
    first, second, third = (ours.issue(HERE, 100.0) for _ in range(3))
    for nonce in (first, second, third):
        assert ours.use(nonce, 1, 100.0)
    assert len(ours) == 2
    assert not ours.is_fresh(first, HERE, 100.0)
    assert ours.is_fresh(second, HERE, 100.0)
    assert ours.is_fresh(ours.issue(HERE, 100.0), HERE, 100.0)


def test_the_table_forgets_what_is_too_old_anyway() -> None:
    ours = nonces()
    for _ in range(10):
        ours.use(ours.issue(HERE, 100.0), 1, 100.0)
    ours.use(ours.issue(HERE, 800.0), 1, 800.0)
    assert len(ours) == 1


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        nonces(key=b"short")
