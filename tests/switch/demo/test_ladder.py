"""Ladders."""

from switch.demo.ladder import Arrow, draw


def test_arrows_run_in_order_of_time_between_their_columns() -> None:
    text = draw(
        ("101", "switch", "102"),
        [
            Arrow(10.25, 2, 1, "180 Ringing"),
            Arrow(10.0, 0, 1, "INVITE"),
            Arrow(10.1, 1, 2, "INVITE"),
        ],
    )
    head, first, second, third = text.splitlines()
    assert head.split() == ["101", "switch", "102"]
    assert first.startswith(" +0.000 s")
    assert first.index("INVITE") < first.index(">") < second.index(">")
    assert "<" in third
    assert "180 Ringing" in third
    posts = [place for place, sign in enumerate(third) if sign == "|"]
    assert [place for place, sign in enumerate(first) if sign == "|"] == posts
    assert len(posts) == 3


def test_a_long_label_stays_between_its_posts() -> None:
    line = draw(("a", "b"), [Arrow(0, 0, 1, "x" * 80)]).splitlines()[1]
    assert len(line) == len(draw(("a", "b"), [Arrow(0, 0, 1, "x")]).splitlines()[1])
