"""Reading the carrier's record."""

import base64
from pathlib import Path

import orjson

from switch.demo.carrier_view import CarrierView, describe_location

INVITE = (
    "INVITE sip:18@127.0.1.1:5070 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n"
    "From: <sip:+33199000101@127.0.0.1>;tag=a\r\nTo: <sip:18@127.0.1.1>\r\n"
    "Call-ID: {}\r\nCSeq: 1 INVITE\r\n"
    'P-Access-Network-Info: GSTN;operator-specific-GI="VG7510800"\r\n'
    "Content-Type: multipart/mixed; boundary=x\r\nContent-Length: 0\r\n\r\n"
)


def write(data: Path, call_id: str, end: bytes = b"\n") -> None:
    raw = base64.b64encode(INVITE.format(call_id).encode()).decode()
    line = orjson.dumps({"t": 1, "port": 5070, "request_uri": "sip:18@x", "raw_b64": raw})
    with (data / "carrier.ndjson").open("ab") as record:
        record.write(line + end)


def test_only_what_came_since_is_seen(tmp_path: Path) -> None:
    assert CarrierView(tmp_path).newest() is None
    write(tmp_path, "old")
    view = CarrierView(tmp_path)
    assert view.newest() is None
    write(tmp_path, "new1")
    write(tmp_path, "new2")
    write(tmp_path, "being-written", b"")
    assert [invite.call_id for invite in view.invites()] == ["new1", "new2"]


def test_what_a_psap_is_told(tmp_path: Path) -> None:
    view = CarrierView(tmp_path)
    write(tmp_path, "c")
    invite = view.newest()
    assert invite is not None
    assert describe_location(invite) == {
        "Request-URI": "sip:18@127.0.1.1:5070",
        "P-Access-Network-Info": 'GSTN;operator-specific-GI="VG7510800"',
        "Content-Type": "multipart/mixed; boundary=x",
    }
