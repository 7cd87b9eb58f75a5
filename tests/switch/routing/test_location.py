"""The location on the wire, read back by other libraries: lxml's schemas and the email package."""

import email
from email.policy import HTTP
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from policy.model import Location
from switch.routing.location import (
    CIVIC_ORDER,
    civic,
    geolocation_headers,
    multipart,
    pani,
    pidf_lo,
)

SCHEMA = etree.XMLSchema(file=str(Path(__file__).parents[2] / "schemas" / "pidf.xsd"))
CA = "{urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr}"
# Written out of order on purpose.
PARIS = Location(
    "75108",
    {
        "PC": "75008", "country": "FR", "HNO": "12", "HNS": "bis", "RD": "rue de l'Élysée",
        "A1": "Île-de-France", "A2": "Paris", "A3": "Paris", "A4": "8e", "NAM": "Vigie & <fils>",
        "FLR": "3", "LOC": "code 12A",
    },
)  # fmt: skip
SDP = b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


def _valid(document: bytes) -> bool:
    return bool(SCHEMA.validate(etree.fromstring(document)))


def test_pani_carries_operator_and_commune() -> None:
    assert pani("01", PARIS) == 'GSTN;operator-specific-GI="017510800";network-provided'


@pytest.mark.parametrize(("prefix", "digits"), [("2A", "20"), ("2B", "96")])
def test_pani_of_corsica_is_mapped_as_the_carrier_wants(prefix: str, digits: str) -> None:
    ajaccio = Location(prefix + "004", {})
    assert f'"01{prefix}00400"' in pani("01", ajaccio)
    assert f'"01{digits}00400"' in pani("01", ajaccio, {prefix: digits})


@pytest.mark.parametrize(("operator", "insee"), [("1", "75108"), ('"x', "75108"), ("01", "7510")])
def test_pani_refuses_bad_codes(operator: str, insee: str) -> None:
    with pytest.raises(ValueError, match="code has"):
        pani(operator, Location(insee, {}))


def test_pidf_lo_is_valid_and_says_where() -> None:
    document = pidf_lo(PARIS, "sip:+33199000101@vigie.example", timestamp=1_700_000_000.0)
    assert _valid(document), SCHEMA.error_log
    tree = etree.fromstring(document)
    assert tree.findtext(f".//{CA}RD") == "rue de l'Élysée"
    assert tree.findtext(f".//{CA}NAM") == "Vigie & <fils>"
    assert tree.findtext(f".//{CA}ADDCODE") == "INSEE:75108"
    assert tree.findtext(".//{*}method") == "Manual"
    assert tree.findtext(".//{*}timestamp") == "2023-11-14T22:13:20Z"
    assert tree.findtext(".//{*}retention-expiry") == "2023-11-15T22:13:20Z"
    address = tree.find(f".//{CA}civicAddress")
    assert address is not None
    assert address.get("{http://www.w3.org/XML/1998/namespace}lang") == "fr"


def test_the_schema_sees_a_wrong_order() -> None:
    document = pidf_lo(PARIS, "sip:101@vigie.example")
    swapped = document.replace(b"<ca:A2>Paris</ca:A2><ca:A3>Paris</ca:A3>",
                               b"<ca:A3>Paris</ca:A3><ca:A2>Paris</ca:A2>")  # fmt: skip
    assert swapped != document
    assert not _valid(swapped)


def test_a_bare_insee_still_makes_a_location() -> None:
    bare = Location("97411", {})
    assert civic(bare) == (("country", "RE"), ("ADDCODE", "INSEE:97411"))
    assert _valid(pidf_lo(bare, "sip:101@vigie.example"))


@given(
    values=st.dictionaries(st.sampled_from([n for n in CIVIC_ORDER if n != "country"]), st.text()),
    entity=st.text(max_size=20),
)
def test_any_text_is_well_formed_and_keeps_the_order(values: dict[str, str], entity: str) -> None:
    values = {name: text.encode(errors="ignore").decode() for name, text in values.items()}
    document = pidf_lo(Location("75108", values), "sip:" + entity.encode(errors="ignore").decode())
    tree = etree.fromstring(document)
    address = tree.find(f".//{CA}civicAddress")
    assert address is not None
    names = [str(element.tag).removeprefix(CA) for element in address]
    assert names == [name for name in CIVIC_ORDER if name in names]


def test_multipart_parses_in_another_library() -> None:
    pidf = pidf_lo(PARIS, "sip:101@vigie.example")
    content_type, body = multipart(SDP, [(pidf, "loc1@vigie.example")], "b-1")
    head = f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\n\r\n".encode()
    message = email.message_from_bytes(head + body, policy=HTTP)
    first, second = message.iter_parts()  # type: ignore[attr-defined]
    assert not message.defects
    assert first.get_content_type() == "application/sdp"
    assert first.get_content_disposition() == "session"
    assert first["Content-Disposition"].params["handling"] == "required"
    assert first.get_payload(decode=True) == SDP
    assert second.get_content_type() == "application/pidf+xml"
    assert second["Content-ID"] == "<loc1@vigie.example>"
    assert second.get_content_disposition() == "by-reference"
    assert second["Content-Disposition"].params["handling"] == "optional"
    assert second.get_payload(decode=True) == pidf


def test_multipart_refuses_a_boundary_that_is_in_a_part() -> None:
    with pytest.raises(ValueError, match="boundary"):
        multipart(SDP + b"a=x--b-1\r\n", [(b"", "x@y")], "b-1")


def test_geolocation_points_at_the_body() -> None:
    assert geolocation_headers("loc1@vigie.example", "vigie.example") == (
        ("Geolocation", "<cid:loc1@vigie.example>;loc-src=vigie.example"),
        ("Geolocation-Routing", "yes"),
    )
