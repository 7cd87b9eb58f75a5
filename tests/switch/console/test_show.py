"""Values as people read them."""

import pytest

from switch.console import show
from switch.console.explain import utc_ms


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1234, "1.234 s"),
        (4_980_500, "83 min 0.5 s"),
        (300_000_000, "5000 min"),
        (299_999_999, "4999 min 59.9 s"),
    ],
)
def test_span(ms: int, text: str) -> None:
    assert show.span(ms) == text


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("answer", None, "-"),
        ("ok", True, "yes"),
        ("crossed", [80, 90], "80, 90"),
        ("used_ms", 1500, "1.500 s"),
        ("at", 42, "42"),
        ("claimed_at", 1_700_000_000_000, show.moment(1_700_000_000_000)),
        ("by_direction", {"inbound": 0, "outbound": 61_500}, "inbound=0 ms  outbound=1 min 1.5 s"),
        ("ms", -600_000, "-10 min"),
        ("cycle", {"n": 1, "state": "active"}, "n=1  state=active"),
    ],
)
def test_readable(key: str, value: object, text: str) -> None:
    assert show.readable(key, value) == text


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("1700000000000", 1_700_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
    ],
)
def test_utc_ms(text: str, ms: int) -> None:
    assert utc_ms(text) == ms


def test_a_result_of_another_kind_is_named() -> None:
    with pytest.raises(TypeError, match="expected a list"):
        show.rows({"line": "101"})
