"""Golden INVITEs: what leaves towards a trunk of each profile, byte by byte (golden/*.sip).

Identifiers and time are fixed. After a wanted change, `WRITE_GOLDEN=1 pytest THIS_FILE` writes the files
anew; the diff is then read by a person. Other libraries read the same bytes: the email package the
multipart, lxml with the schemas of RFC 3863, 4119 and 5139 the location.
"""

import email
import email.policy
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from lxml import etree

from policy.model import Location
from switch.routing.psap_table import read_table
from switch.sip import ids
from switch.sip.flow import Flow
from tests.flows.actors import World
from tests.flows.ways_out import FIRST, changed

GOLDEN = Path(__file__).parent / "golden"
SCHEMA = etree.XMLSchema(file=str(Path(__file__).parents[1] / "schemas" / "pidf.xsd"))
AT = 1_800_000_000.0  # UTC seconds: 15 January 2027
TABLE = b"number,insee,long_number\n18,75108,0199007518\n18,2A004,0465710018\n"

OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0 8 13 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)
AJACCIO = Location(
    "2A004",
    {
        "country": "FR", "A1": "Corse", "A2": "Corse-du-Sud", "A3": "Ajaccio", "PC": "20000",
        "RD": "quai de l'Herminier", "HNO": "4", "HNS": "bis", "FLR": "1", "NAM": "Port & Cie",
    },
    version=3,
)  # fmt: skip

# Name of the file -> what the first carrier is told to be, and where the line is.
CASES: dict[str, tuple[str, Location | None]] = {
    "a": (FIRST, None),
    "a-options": (
        (
            f"{FIRST}\nresource_priority = true\npriority_header = true\npidf_lo = true\n"
            'number_out = "international"\ncorsica = { 2A = "20" }\nstir = "none"'
        ),
        AJACCIO,
    ),
    "a-udp-only": (f"{FIRST}\npidf_lo = true\ntcp_for_large = false", None),
    "b": ('profile = "B"\nnumber_out = "national"', None),
    "b-pidf": ('profile = "B"\npidf_lo = true', AJACCIO),
    "b-no-entry": ('profile = "B"', Location("97411", {})),
    "c": ('profile = "C"\npidf_lo = true', None),
}


class Wire(World):
    """A switch whose datagrams are kept as they were sent."""

    sent: list[tuple[Flow, bytes]]

    def pump(self) -> None:
        self.sent = [*getattr(self, "sent", []), *self.exchange.outbox.datagrams]
        super().pump()


@pytest.fixture
def invite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], bytes]:
    """The bytes of the INVITE of a case."""

    def make(case: str) -> bytes:
        trunk, location = CASES[case]
        monkeypatch.setattr("tests.flows.ways_out.World", Wire)
        world = changed(tmp_path, (FIRST, trunk))
        assert isinstance(world, Wire)
        world.exchange.psap = read_table(TABLE)
        if location is not None:
            line = world.exchange.facts.lines["101"]
            object.__setattr__(line.policy, "location", location)
        phone = world.phone("101", port=20101)
        numbers = count(1)
        monkeypatch.setattr(ids, "_take", lambda digits: f"{next(numbers):0{digits}x}")
        world.exchange.wall = lambda now: AT
        world.sent.clear()
        phone.call("18", ("Identity", "x.y.z;info=<https://c.example>"), body=OFFER)
        carrier = ("127.0.1.1", 5070)
        (raw,) = [data for flow, data in world.sent if flow.remote == carrier]
        return raw

    return make


def assert_same(raw: bytes, name: str) -> None:
    """The bytes are those of the golden file."""
    path = GOLDEN / f"{name}.sip"
    if os.environ.get("WRITE_GOLDEN"):
        path.write_bytes(raw)
    assert raw == path.read_bytes(), f"{path.name} differs: read the diff, see the docstring"


@pytest.mark.parametrize("case", CASES)
def test_an_invite_is_the_golden_one(invite: Callable[[str], bytes], case: str) -> None:
    assert_same(invite(case), case)


def test_every_golden_file_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.sip")} == CASES.keys()


def test_the_comparison_sees_a_field_that_moves() -> None:
    """Each two neighbouring fields of each golden file, exchanged."""
    for name in CASES:
        head, body = _split((GOLDEN / f"{name}.sip").read_bytes())
        for place in range(1, len(head) - 1):
            moved = [*head]
            moved[place], moved[place + 1] = moved[place + 1], moved[place]
            with pytest.raises(AssertionError, match="differs"):
                assert_same(b"\r\n".join(moved) + b"\r\n\r\n" + body, name)


def test_the_comparison_sees_a_letter() -> None:
    raw = (GOLDEN / "a.sip").read_bytes()
    with pytest.raises(AssertionError, match="differs"):
        assert_same(raw.replace(b"network-provided", b"Network-provided"), "a")


# -- what the bytes say, read by others ----------------------------------------------------------


def _split(raw: bytes) -> tuple[list[bytes], bytes]:
    head, _, body = raw.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


def _read(case: str) -> tuple[str, email.message.EmailMessage]:
    """Request line, and the rest as the email package reads it."""
    head, body = _split((GOLDEN / f"{case}.sip").read_bytes())
    rest = b"MIME-Version: 1.0\r\n" + b"\r\n".join(head[1:]) + b"\r\n\r\n" + body
    message = email.message_from_bytes(rest, policy=email.policy.HTTP)
    assert isinstance(message, email.message.EmailMessage)
    assert not message.defects
    assert int(message["Content-Length"]) == len(body)
    return head[0].decode(), message


def _written(message: email.message.EmailMessage, name: str) -> str:
    """A field as it stands there: mail has other ideas of To and From."""
    return next(value.strip() for key, value in message.raw_items() if key == name)


@pytest.mark.parametrize(
    ("case", "line", "pani"),
    [
        ("a", "INVITE sip:18@127.0.1.1:5070 SIP/2.0", "VG7510800"),
        ("a-options", "INVITE sip:18@127.0.1.1:5070 SIP/2.0", "VG2000400"),
        ("a-udp-only", "INVITE sip:18@127.0.1.1:5070 SIP/2.0", "VG7510800"),
        ("b", "INVITE sip:0199007518@127.0.1.1:5070 SIP/2.0", "VG7510800"),
        ("b-pidf", "INVITE sip:+33465710018@127.0.1.1:5070 SIP/2.0", "VG2A00400"),
        ("b-no-entry", "INVITE sip:18@127.0.1.1:5070 SIP/2.0", "VG9741100"),
        ("c", "INVITE urn:service:sos.fire SIP/2.0", "VG7510800"),
    ],
)
def test_whom_it_asks_for_and_from_which_commune(case: str, line: str, pani: str) -> None:
    found, message = _read(case)
    assert found == line
    assert _written(message, "To") == f"<{line.split()[1]}>"
    expected = f'GSTN;operator-specific-GI="{pani}";network-provided'
    assert message.get_all("P-Access-Network-Info") == [expected]
    assert "199000101@" in message["P-Asserted-Identity"]


@pytest.mark.parametrize("case", ["a-options", "b-pidf", "c"])
def test_the_location_is_valid_and_found_by_its_reference(case: str) -> None:
    _, message = _read(case)
    assert message.get_content_type() == "multipart/mixed"
    sdp, pidf = message.iter_parts()
    assert sdp.get_content_type() == "application/sdp"
    assert sdp["Content-Disposition"].params["handling"] == "required"
    assert sdp.get_payload(decode=True).startswith(b"v=0\r\n")  # type: ignore[union-attr]
    assert pidf.get_content_type() == "application/pidf+xml"
    assert pidf.get_content_disposition() == "by-reference"
    assert pidf["Content-Disposition"].params["handling"] == "optional"
    cid = str(pidf["Content-ID"]).strip("<>")
    assert message["Geolocation"] == f"<cid:{cid}>;loc-src=vigie.invalid"
    assert message["Geolocation-Routing"] == "yes"
    assert "geolocation" in message["Supported"]
    document = etree.fromstring(pidf.get_payload(decode=True))
    SCHEMA.assertValid(document)
    said = {etree.QName(node).localname: node.text for node in document.iter(etree.Element)}
    assert said["ADDCODE"] == ("INSEE:75108" if case == "c" else "INSEE:2A004")
    assert said["method"] == "Manual" and said["timestamp"] == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize("case", ["a", "a-udp-only", "b", "b-no-entry"])
def test_without_a_location_the_body_is_the_offer(case: str) -> None:
    _, message = _read(case)
    assert message.get_content_type() == "application/sdp"
    assert message["Geolocation"] is None
    # RFC 6881: no comfort noise, and A-law first.
    assert b"m=audio 40000 RTP/AVP 8 0 101\r\n" in (message.get_payload(decode=True) or b"")
    assert len((GOLDEN / f"{case}.sip").read_bytes()) <= 1300


def test_the_options() -> None:
    _, message = _read("a-options")
    assert (message["Resource-Priority"], message["Priority"]) == ("esnet.1", "emergency")
    assert message["Identity"] is None
    assert "<sip:0033199000101@127.0.0.1>" in _written(message, "From")
    _, plain = _read("a")
    assert plain["Resource-Priority"] is None and plain["Priority"] is None
    assert plain["Identity"]
    _, by_urn = _read("c")
    assert by_urn["Route"] == "<sip:127.0.1.1:5070;lr>"


def test_the_schemas_are_those_of_the_rfcs() -> None:
    """A civic address whose elements change places is refused: the schema is a sequence (RFC 5139)."""
    _, message = _read("c")
    _, pidf = message.iter_parts()
    raw = pidf.get_payload(decode=True)
    assert isinstance(raw, bytes)
    name = "{urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr}civicAddress"
    (whole,) = etree.fromstring(raw).iter(name)
    for place in range(len(whole) - 1):
        document = etree.fromstring(raw)
        (address,) = document.iter(name)
        moved = address[place]
        address.remove(moved)
        address.insert(place + 1, moved)
        assert not SCHEMA.validate(document), moved.tag
