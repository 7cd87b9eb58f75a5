"""Groups in series; a carrier's redirect goes first and can't go on for ever."""

from switch.call.hunt import MAX_REDIRECTS, Hunt
from switch.routing.target import Target, TargetKind
from switch.sip.flow import Flow

FLOW = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.9", 5062))


def target(name: str) -> Target:
    return Target(TargetKind.TRUNK, name, FLOW, f"sip:{name}", f"sip:{name}", "h")


def test_groups_in_their_order() -> None:
    a, b, c = target("a"), target("b"), target("c")
    hunt = Hunt([(a, b), (), (c,)])
    assert hunt.take() == (a, b)
    assert not hunt.is_empty
    assert hunt.take() == (c,)
    assert hunt.is_empty
    assert hunt.take() == ()


def test_a_redirect_is_next_by_the_same_carrier() -> None:
    a, b = target("a"), target("b")
    hunt = Hunt([(a,), (b,)])
    hunt.redirect(hunt.take()[0], ["sip:x", "sip:y"])
    (first,), (second,) = hunt.take(), hunt.take()
    assert [first.request_uri, second.request_uri] == ["sip:x", "sip:y"]
    assert first.label == "a" and first.flow == FLOW
    assert hunt.take() == (b,)


def test_redirects_end() -> None:
    a = target("a")
    hunt = Hunt([(a,)])
    followed = 0
    while group := hunt.take():
        followed += 1
        hunt.redirect(group[0], ["sip:round"])
    assert followed == 1 + MAX_REDIRECTS
