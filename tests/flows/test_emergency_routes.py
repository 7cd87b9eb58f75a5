"""Emergency routes: profiles A, B and C on each trunk, a trunk's options, the order of the ways out."""

from pathlib import Path

import pytest

from policy.model import Location
from switch.routing.psap_table import read_table
from tests.flows.actors import Actor, World, sdp
from tests.flows.ways_out import FIRST, changed, refuse, up

TABLE = b"""number,insee,long_number
18,75108,+33199007518
112,75108,+33199007512
15,2A004,+33199002015
"""
# A third carrier that ordinary calls leave by, and no emergency call.
ORDINARY = """
[[trunk]]
id = "carrier-3"
address = "127.0.1.1"
port = 5072
number_out = "national"

[[route]]
name = "international"
hops = [{ trunk = "carrier-3" }]
"""


@pytest.fixture
def by_table(tmp_path: Path) -> World:
    """The first carrier wants long numbers, in national format; there is a third, ordinary one."""
    world = changed(tmp_path, (FIRST, 'profile = "B"\nnumber_out = "national"'), more=ORDINARY)
    world.exchange.psap = read_table(TABLE, version=1)
    return world


def profiles(world: World) -> list[tuple[str, str, int]]:
    """Trunk, profile and status of each attempt in the audit."""
    (audit,) = world.records("audit")
    return [(each["trunk"], each["profile"], each["status"]) for each in audit["attempts"]]


# -- profile B ---------------------------------------------------------------------------------------


def test_profile_b_dials_the_long_number_in_the_trunks_format(by_table: World) -> None:
    a, c = by_table.phone("101"), by_table.carrier(1)
    caller = a.call("18")
    callee = c.called()
    assert callee.invite.uri == "sip:0199007518@127.0.1.1:5070"
    assert callee.invite.to.uri.user == "0199007518"
    assert "VG7510800" in (callee.invite.get("P-Access-Network-Info") or "")
    up(caller, callee)
    caller.send("BYE")
    assert profiles(by_table) == [("carrier-1", "B", 200)]


def test_a_commune_that_the_table_lacks_goes_by_profile_a(by_table: World) -> None:
    a, c = by_table.phone("101"), by_table.carrier(1)
    caller = a.call("15")
    callee = c.called()
    assert callee.invite.uri == "sip:15@127.0.1.1:5070"
    assert "VG7510800" in (callee.invite.get("P-Access-Network-Info") or "")
    shortfalls = [fields for name, fields in by_table.events if name == "emergency.shortfall"]
    assert [(each["trunk"], each["why"]) for each in shortfalls] == [("carrier-1", "no_psap_entry")]
    up(caller, callee)
    caller.send("BYE")
    assert profiles(by_table) == [("carrier-1", "A", 200)]


def test_without_a_table_nothing_is_refused(tmp_path: Path) -> None:
    world = changed(tmp_path, (FIRST, 'profile = "B"'))
    a, c = world.phone("101"), world.carrier(1)
    a.call("18")
    assert c.called().invite.uri == "sip:18@127.0.1.1:5070"


def test_a_table_swapped_during_a_call_concerns_the_next_one(by_table: World) -> None:
    a, c = by_table.phone("101"), by_table.carrier(1)
    a.call("18")
    by_table.exchange.psap = read_table(TABLE.replace(b"7518", b"9999"), version=2)
    assert c.called().invite.request_uri.user == "0199007518"
    b = by_table.phone("102")
    b.call("18")
    assert c.called().invite.request_uri.user == "0199009999"


def test_the_order_of_the_ways_out(by_table: World) -> None:
    """The emergency route, the long number by an ordinary carrier, 112, then the words."""
    a, c1, c2 = by_table.phone("101"), by_table.carrier(1), by_table.carrier(2)
    c3 = by_table.carrier(3, "UDP")
    speaker = by_table.speaker()
    a.call("18")
    dialled = [refuse(carrier, 503) for carrier in (c1, c2, c3, c1, c2)]
    assert dialled == [
        "sip:0199007518@127.0.1.1:5070",
        "urn:service:sos.fire",
        "sip:0199007518@127.0.1.1:5072",
        "sip:0199007512@127.0.1.1:5070",
        "urn:service:sos",
    ]
    words = speaker.called()
    assert by_table.speakers.asked == ["emergency_failed"]
    words.answer(480)
    assert profiles(by_table) == [
        ("carrier-1", "B", 503),
        ("carrier-2", "C", 503),
        ("carrier-3", "B", 503),
        ("carrier-1", "B", 503),
        ("carrier-2", "C", 503),
    ]
    assert by_table.records("audit")[0]["verdict"] == "failed"
    by_table.assert_idle()


def test_a_social_number_never_ends_at_112(by_table: World) -> None:
    """115 is a social service: its callers need not be sent to the rescue services unasked."""
    a, c1, c2 = by_table.phone("101"), by_table.carrier(1), by_table.carrier(2)
    caller = a.call("115")
    assert refuse(c1, 503) == "sip:115@127.0.1.1:5070"
    assert refuse(c2, 503) == "urn:service:sos.country-specific.fr.115"
    caller.fails(480)
    assert by_table.speakers.asked == []
    by_table.assert_idle()


# -- options of a trunk ----------------------------------------------------------------------------


def test_priority_fields_are_the_trunks_choice(tmp_path: Path) -> None:
    world = changed(tmp_path, (FIRST, FIRST + "\nresource_priority = true\npriority_header = true"))
    a, c1 = world.phone("101"), world.carrier(1)
    a.call("18", ("Resource-Priority", "dsn.flash"), ("Priority", "non-urgent"))
    invite = c1.called().invite
    assert invite.get_all("Resource-Priority") == ["esnet.1"]
    assert invite.get_all("Priority") == ["emergency"]


def test_no_priority_fields_unless_asked_for(world: World) -> None:
    a, c1 = world.phone("101"), world.carrier(1)
    a.call("18", ("Resource-Priority", "esnet.4"), ("Priority", "emergency"))
    invite = c1.called().invite
    assert not invite.has("Resource-Priority") and not invite.has("Priority")


@pytest.mark.parametrize(("stir", "passes"), [("carrier", True), ("none", False)])
def test_identity_passes_where_the_carrier_takes_it(
    tmp_path: Path, stir: str, passes: bool
) -> None:
    world = changed(tmp_path, (FIRST, f'{FIRST}\nstir = "{stir}"'))
    a, c1 = world.phone("101"), world.carrier(1)
    a.call("18", ("Identity", "eyJh;info=<https://cert.example/a>"))
    assert c1.called().invite.has("Identity") is passes


@pytest.mark.parametrize(
    ("insee", "code", "country"),
    [
        ("2A004", "VG2000400", "FR"),
        ("2B033", "VG9603300", "FR"),
        ("97105", "VG9710500", "GP"),
        ("97209", "VG9720900", "MQ"),
        ("97302", "VG9730200", "GF"),
        ("97411", "VG9741100", "RE"),
        ("97502", "VG9750200", "PM"),
        ("97608", "VG9760800", "YT"),
        ("97701", "VG9770100", "BL"),
        ("97801", "VG9780100", "MF"),
    ],
)
def test_corsica_and_overseas(tmp_path: Path, insee: str, code: str, country: str) -> None:
    changes = (FIRST, f'{FIRST}\npidf_lo = true\ncorsica = {{ 2A = "20", 2B = "96" }}')
    world = changed(tmp_path, changes)
    line = world.exchange.facts.lines["101"]
    place = Location(insee, {})
    object.__setattr__(line.policy, "location", place)
    a, tcp = world.phone("101"), world.carrier(1, "TCP")
    a.call("18")
    invite = tcp.called().invite
    pani = f'GSTN;operator-specific-GI="{code}";network-provided'
    assert invite.get_all("P-Access-Network-Info") == [pani]
    assert f"<ca:country>{country}</ca:country>".encode() in invite.body
    assert f"<ca:ADDCODE>INSEE:{insee}</ca:ADDCODE>".encode() in invite.body


def test_a_code_that_can_not_be_written_costs_the_field_and_not_the_call(world: World) -> None:
    object.__setattr__(world.exchange.facts.lines["101"].policy, "location", Location("?", {}))
    a, c1 = world.phone("101"), world.carrier(1)
    a.call("18")
    assert not c1.called().invite.has("P-Access-Network-Info")
    assert ("emergency.shortfall", "no_pani") in [(n, f.get("why")) for n, f in world.events]


# -- the phone's own location --------------------------------------------------------------------

PIDF = b'<?xml version="1.0"?><presence>of the phone</presence>'


def own_location(cid: str = "own@phone") -> tuple[bytes, str]:
    """A multipart body as a phone writes it."""
    parts = [
        b"--xx\r\nContent-Type: application/sdp\r\n\r\n" + sdp("101"),
        b"--xx\r\nContent-Type: application/pidf+xml\r\nContent-ID: <"
        + cid.encode()
        + b">\r\n\r\n"
        + PIDF,
        b"--xx--\r\n",
    ]
    return b"\r\n".join(parts), 'multipart/mixed; boundary="xx"'


def call_with(a: Actor, *values: str) -> None:
    body, kind = own_location()
    a.call("18", *[("Geolocation", value) for value in values], body=body, content_type=kind)


def test_a_phones_own_location_goes_first_and_ours_last(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    call_with(a, "<cid:own@phone>;inserted-by=phone", "<https://elsewhere.example/x>")
    refuse(c1, 503)
    invite = c2.called().invite
    first, second, ours = invite.split("Geolocation")
    assert (first, second) == ("<cid:own@phone>", "<https://elsewhere.example/x>")
    assert ours.endswith(";loc-src=vigie.invalid")
    assert invite.body.index(b"of the phone") < invite.body.index(b"geopriv10")
    assert invite.body.count(b"Content-Type: application/sdp") == 1


@pytest.mark.parametrize(
    "forged",
    [
        "<cid:own@phone>;loc-src=psap.example",
        "<cid:own@phone>; LOC-SRC=psap.example",
        "<cid:another@phone>",
        "<javascript:x>",
        "cid:own@phone",
        '"',
    ],
)
def test_what_a_phone_may_not_say_of_its_place(world: World, forged: str) -> None:
    """RFC 8787: loc-src is an intermediary's word; and no reference to what isn't there."""
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    call_with(a, forged)
    refuse(c1, 503)
    invite = c2.called().invite
    (ours,) = invite.split("Geolocation")
    assert ours.endswith(";loc-src=vigie.invalid")
    assert b"of the phone" not in invite.body


def test_a_trunk_without_pidf_gets_the_sdp_alone(world: World) -> None:
    a, c1 = world.phone("101"), world.carrier(1)
    call_with(a, "<cid:own@phone>")
    invite = c1.called().invite
    assert invite.body == sdp("101")
    assert invite.get("Content-Type") == "application/sdp"
    assert not invite.has("Geolocation")


def test_a_call_without_an_offer_still_says_where(world: World) -> None:
    a, c1, c2 = world.phone("101"), world.carrier(1), world.carrier(2)
    a.call("18", body=b"")
    refuse(c1, 503)
    invite = c2.called().invite
    cid = (invite.get("Geolocation") or "").partition("<cid:")[2].partition(">")[0]
    assert f"Content-ID: <{cid}>".encode() in invite.body
    assert b"application/sdp" not in invite.body
