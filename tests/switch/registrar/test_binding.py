"""Where a request for a binding is sent, and which bindings are the same."""

from dataclasses import replace

import pytest

from switch.registrar.binding import Binding
from switch.sip.flow import Flow
from switch.sip.uri import Uri

US = ("192.0.2.10", 5060)
UDP = Flow("UDP", US, ("192.0.2.1", 49152))
TLS = Flow("TLS", US, ("192.0.2.1", 49152), 3)


def binding(contact: str = "sip:101@192.0.2.1:5062", flow: Flow = UDP, **values: object) -> Binding:
    made = Binding(
        aor="101",
        contact=Uri.parse(contact),
        flow=flow,
        path=(),
        instance=None,
        reg_id=None,
        q=1.0,
        expires_at=60.0,
        updated_at=0.0,
        journalled_until=0.0,
        call_id="one",
        cseq=1,
        user_agent="",
        origin=flow,
        text=f"<{contact}>",
    )
    return replace(made, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "remote"),
    [
        (binding(), ("192.0.2.1", 5062)),
        (binding("sip:101@192.0.2.1"), ("192.0.2.1", 5060)),
        (binding("sip:101@192.0.2.1:5062;transport=UDP"), ("192.0.2.1", 5062)),
        (binding("sip:101@192.0.2.1:5062;transport=tcp"), UDP.remote),  # no connection to use
        (binding("sip:101@10.0.0.5:5062"), UDP.remote),
        (binding("sip:101@phone.example:5062"), UDP.remote),
        (binding(path=("<sip:edge;lr>",)), UDP.remote),
        (binding(instance="<urn:uuid:a>", reg_id=1), UDP.remote),
        (binding(flow=TLS), TLS.remote),
    ],
)
def test_where_requests_go(made: Binding, remote: tuple[str, int]) -> None:
    assert made.destination.remote == remote
    assert made.destination.connection == made.flow.connection


def test_an_ipv6_phone_in_the_open() -> None:
    flow = Flow("UDP", ("2001:db8::10", 5060), ("2001:db8::1", 5060))
    made = binding("sip:101@[2001:DB8::1]:5062", flow)
    assert not made.is_natted
    assert made.destination.remote == ("2001:db8::1", 5062)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (binding(), binding("sip:101@192.0.2.1:5062;line=x"), True),
        (binding(), binding("sip:102@192.0.2.1:5062"), False),
        (binding(), binding(instance="a"), True),  # an instance alone is no outbound
        (binding(instance="a", reg_id=1), binding("sip:x@y", instance="a", reg_id=1), True),
        (binding(instance="a", reg_id=1), binding(instance="a", reg_id=2), False),
        (binding(instance="a", reg_id=1), binding(instance="b", reg_id=1), False),
        (binding(instance="a", reg_id=1), binding(instance="a"), False),
    ],
)
def test_which_bindings_are_the_same(one: Binding, other: Binding, same: bool) -> None:
    assert one.replaces(other) is same
    assert other.replaces(one) is same


def test_a_leg_names_the_binding_and_not_the_socket() -> None:
    outbound = binding(instance="a", reg_id=1)
    moved = replace(outbound, flow=TLS, contact=Uri.parse("sip:x@y"))
    assert outbound.key == moved.key == ("101", "a", 1)
    assert binding().key == binding(flow=TLS).key == ("101", "sip:101@192.0.2.1:5062", 0)
