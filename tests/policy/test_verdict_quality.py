"""10,000 histories of phones: no block while anything fresh says France; the figures are published."""

import re
from pathlib import Path

from tests.policy import histories

DOCS = Path(__file__).parents[2] / "docs" / "emergency.md"


def test_the_quality_of_the_verdict() -> None:
    found = histories.measure()
    print(histories.report(found))
    assert found["calls"] == histories.HISTORIES >= 10_000
    # Enough of everything that a share means something.
    for name in ("with a fresh French signal", "abroad with foreign signals only"):
        assert found[name] > 1_000
    assert found["with a fresh French signal, blocked"] == 0
    assert found["without any evidence, blocked"] == 0
    clear = found["abroad with foreign signals only"]
    assert found["abroad with foreign signals only, blocked"] >= 0.99 * clear
    assert all(found[f"level E{level}"] > 100 for level in range(6))
    written = DOCS.read_text("utf-8")
    assert histories.report(found) in written, "docs/emergency.md shows other figures"


def test_histories_are_the_same_again_and_differ_by_seed() -> None:
    assert histories.measure(50, 1) == histories.measure(50, 1) != histories.measure(50, 2)


def test_a_block_in_spite_of_a_french_signal_would_be_seen() -> None:
    """The history's own bookkeeping is not the switch's: without evidence rooms it still knows."""
    said = [says for _, _, says in histories.outcomes(300, 3)]
    assert any(says == {True, False} for says in said)
    assert any(says == {False} for says in said)
    assert any(not says for says in said)
    assert re.search(r"E4 \d+", histories.report(histories.measure(300, 3)))
