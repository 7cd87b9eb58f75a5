"""A binding comes back from its record as it was."""

from dataclasses import replace

import orjson
import pytest

from switch.registrar.binding import Binding
from switch.registrar.journal import bind_record, coarse_expiry, read_binding, unbind_record
from switch.sip.flow import Flow
from switch.sip.uri import Uri

BINDING = Binding(
    aor="101",
    contact=Uri.parse("sip:101@[2001:db8::1]:5062;line=é%20"),
    flow=Flow("UDP", ("::", 5060), ("2001:db8::1", 5060)),
    path=("<sip:edge;lr>",),
    instance="<urn:uuid:a>",
    reg_id=2,
    q=0.5,
    expires_at=160.0,
    updated_at=100.0,
    journalled_until=1_000_060.0,
    call_id="a@b",
    cseq=2**31,
    user_agent="Téléphone/1",
    origin=Flow("TCP", ("::", 5060), ("2001:db8::7", 6000)),
    text="<sip:101@[2001:db8::1]:5062>;q=0.5",
)


def test_a_binding_round_trips() -> None:
    record = orjson.loads(bind_record(BINDING))
    assert record["k"] == "bind"
    # Another boot, 40 s of UTC later.
    back = read_binding(record, now=7.0, wall=1_000_040.0)
    assert back == replace(BINDING, updated_at=7.0, expires_at=27.0)


@pytest.mark.parametrize(("transport", "is_live"), [("UDP", True), ("TCP", False), ("TLS", False)])
def test_only_udp_flows_outlive_the_process(transport: str, is_live: bool) -> None:
    flow = BINDING.flow._replace(transport=transport, connection=int(not is_live))
    record = orjson.loads(bind_record(replace(BINDING, flow=flow)))
    assert read_binding(record, 0.0, 0.0).is_live is is_live


def test_an_end_names_the_contact() -> None:
    assert orjson.loads(unbind_record(BINDING)) == {
        "k": "unbind",
        "aor": "101",
        "contact": str(BINDING.contact),
    }


def test_the_expiry_written_is_late_and_never_by_more_than_a_lifetime() -> None:
    assert coarse_expiry(1000.0, 60) == 1060.0
    assert coarse_expiry(1000.0, 7200) == 1600.0
