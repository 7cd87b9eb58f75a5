"""Repairs: every status has one, each takes out what it is about and nothing else."""

import pytest

from switch.call.repair import repaired
from switch.call.vocabulary import Body
from switch.sip.build import make_request

OFFER = Body("application/sdp", b"v=0\r\n")
HEADERS = [
    ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
    ("Supported", "timer, geolocation"),
    ("Require", "x"),
    ("Session-Expires", "1800"),
    ("Min-SE", "90"),
    ("P-Access-Network-Info", "GSTN"),
    ("Identity", "a.b.c"),
    ("Geolocation", "<cid:x@y>;loc-src=y"),
    ("Geolocation-Routing", "yes"),
    ("Content-Type", "multipart/mixed;boundary=b"),
]
PLACE = {"Geolocation", "Geolocation-Routing"}
EXTENSIONS = {"Supported", "Require", "Session-Expires", "Min-SE"}
CASES = [
    *((status, PLACE) for status in (415, 424, 488, 513)),
    (420, EXTENSIONS),
    *((status, {"Identity"}) for status in (428, 436, 437, 438)),
]


@pytest.mark.parametrize(("status", "gone"), CASES)
def test_each_repair(status: int, gone: set[str]) -> None:
    invite = make_request("INVITE", "sip:18@192.0.2.1", HEADERS, b"whole")
    again = repaired(invite, status, OFFER)
    assert again is not None
    assert set(invite.names) - set(again.names) == gone
    assert invite.names == [name for name, _ in HEADERS], "the transaction has the first one still"
    without_place = gone is PLACE
    assert again.body == (OFFER.content if without_place else b"whole")
    assert again.get("Content-Type") == (
        "application/sdp" if without_place else "multipart/mixed;boundary=b"
    )
    assert repaired(again, status, OFFER) is None, "a second time there is nothing to take out"


@pytest.mark.parametrize(
    "status", [401, 403, 404, 408, 421, 422, 429, 480, 486, 487, 500, 503, 600]
)
def test_no_repair(status: int) -> None:
    assert repaired(make_request("INVITE", "sip:18@x", HEADERS), status, OFFER) is None


def test_a_call_without_an_offer_keeps_none() -> None:
    again = repaired(make_request("INVITE", "sip:18@x", HEADERS, b"place"), 424, None)
    assert again is not None
    assert again.body == b"" and not again.has("Content-Type")
    assert again.get("Supported") == "timer"
