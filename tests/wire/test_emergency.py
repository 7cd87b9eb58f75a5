"""18 on the wire: what the carrier gets, by each profile (EMERGENCY decision table)."""

import base64
import email
import email.message
import email.policy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

from switch.demo.handset import Handset
from switch.sip.message import Request
from tests.wire.conftest import Phones
from tests.wire.rig import ROOT, Rig, until

PANI = 'GSTN;operator-specific-GI="VG7510800";network-provided'
SCHEMA = ROOT / "tests" / "schemas" / "pidf.xsd"


def dial(rig: Rig, caller: Handset, number: str, **headers: str) -> Request:
    """Call, wait for the answer, hang up; the INVITE that the carrier got last."""
    view = rig.carrier_view()
    call = caller.call(rig.uri(number), headers=headers)
    caller.wait("call", call=call, state="confirmed", limit_s=10)
    caller.do("hangup", call=call)
    caller.wait("call", call=call, state="disconnected")
    invite = view.newest()
    assert invite is not None
    return invite


def test_profile_a_carries_the_registered_location(rig: Rig, phone: Phones) -> None:
    invite = dial(rig, phone("101"), "18")
    assert invite.uri == f"sip:18@127.0.1.1:{rig.carrier_ports[0]}"
    assert invite.get_all("P-Access-Network-Info") == [PANI]
    assert "75108" in PANI


def test_a_phone_can_neither_forge_its_place_nor_hide_its_number(rig: Rig, phone: Phones) -> None:
    forged = {
        "P-Access-Network-Info": 'GSTN;operator-specific-GI="XX9999900"',
        "Geolocation": "<cid:elsewhere@example.org>",
        "P-Asserted-Identity": "<sip:+33199000199@example.org>",
        "Privacy": "id",
    }
    invite = dial(rig, phone("101"), "18", **forged)
    assert invite.get_all("P-Access-Network-Info") == [PANI]
    assert not invite.has("Geolocation")
    assert not invite.has("Privacy")
    identities = invite.get_all("P-Asserted-Identity")
    assert identities
    assert all("+33199000101" in identity for identity in identities)


@pytest.fixture
def first_trunk_refuses(rig: Rig) -> Iterator[None]:
    """As `vigie demo carrier --refuse 5070`."""
    port = str(rig.carrier_ports[0])
    assert rig.run("demo", "carrier", "--refuse", port).returncode == 0
    yield
    assert rig.run("demo", "carrier", "--accept", port).returncode == 0


@pytest.mark.usefixtures("first_trunk_refuses")
def test_profile_c_by_the_second_trunk(rig: Rig, phone: Phones) -> None:
    seen = len((rig.data / "carrier.ndjson").read_text().splitlines())
    invite = dial(rig, phone("101"), "18")
    lines = (rig.data / "carrier.ndjson").read_text().splitlines()[seen:]
    records = [json.loads(line) for line in lines]
    assert [record["port"] for record in records] == list(rig.carrier_ports)
    assert base64.b64decode(records[-1]["raw_b64"]).startswith(b"INVITE urn:service:sos.fire SIP")
    assert invite.via.transport == "TCP"
    location = location_of(invite)
    schema = etree.XMLSchema(file=str(SCHEMA))
    schema.assertValid(location)
    civic = {etree.QName(node).localname: node.text for node in location.iter(etree.Element)}
    assert (civic["country"], civic["A3"], civic["PC"]) == ("FR", "Paris", "75008")
    assert civic["RD"] == "rue La Boétie"


def location_of(invite: Request) -> etree._Element:
    """The PIDF-LO, found as a PSAP would: by Geolocation's cid, in another library's MIME parser."""
    head = f"Content-Type: {invite.get('Content-Type')}\r\nMIME-Version: 1.0\r\n\r\n".encode()
    whole = email.message_from_bytes(head + invite.body, policy=email.policy.default)
    assert whole.get_content_type() == "multipart/mixed"
    assert not whole.defects
    parts = list(whole.iter_parts())  # type: ignore[attr-defined]
    assert [part.get_content_type() for part in parts] == [
        "application/sdp",
        "application/pidf+xml",
    ]
    assert parts[0].get_payload(decode=True).startswith(b"v=0\r\n")
    cid = (invite.get("Geolocation") or "").partition("<cid:")[2].partition(">")[0]
    assert cid
    assert parts[1]["Content-ID"] == f"<{cid}>"
    return etree.fromstring(parts[1].get_payload(decode=True))


def test_a_suspended_line_hears_why_and_reaches_18(rig: Rig, phone: Phones, tmp_path: Path) -> None:
    rig.wait_for_sounds("suspended")
    suspended = phone("105")
    view = rig.carrier_view()
    call = suspended.call(rig.uri("0145678901"), record=str(tmp_path / "why.wav"))
    suspended.wait("media", call=call, active=True)
    ended = suspended.wait("call", call=call, state="disconnected", limit_s=30)
    assert ended["code"] == 403
    assert 'text="suspended"' in ended["headers"]["Reason"]
    assert "suspended" in ended["headers"]["Warning"]
    heard = suspended.wait("heard", call=call)
    assert heard["seconds"] > 5
    assert heard["rms"] > 300, "the announcement is silence"
    assert view.newest() is None, "nothing of it reached the carrier"
    assert dial(rig, suspended, "18").get("P-Access-Network-Info") == PANI


def test_an_unpaid_line_reaches_18(rig: Rig, phone: Phones) -> None:
    assert dial(rig, phone("108"), "18").get("P-Access-Network-Info") == PANI


def test_the_log_of_emergency_calls(rig: Rig, phone: Phones) -> None:
    before = len(rig.ask("emergency.log", line="102"))
    dial(rig, phone("102"), "18")
    entry = until(lambda: rig.ask("emergency.log", line="102")[before:], 2.0)[0]
    assert (entry["dialled"], entry["level"], entry["verdict"]) == ("18", "E0", "connected")
    assert entry["insee"] == "75108"
    assert [attempt["status"] for attempt in entry["attempts"]] == [200]
