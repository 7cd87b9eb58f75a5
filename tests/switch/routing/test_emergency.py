"""From carriers to emergency targets: order, profiles, options. Values only; flows/ shows the calls."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from policy.model import Location, ToEmergency
from switch.facts import geography
from switch.routing import location as located
from switch.routing.carrier import Carrier
from switch.routing.emergency import NO_ENTRY, NO_PANI, EmergencyRouting
from switch.routing.psap_table import NO_TABLE, PsapTable, read_table
from switch.routing.target import FAILOVER_STATUSES, Credentials, Target
from switch.sip.flow import Flow

LOCAL = ("192.0.2.1", 5060)
FIRE = ToEmergency("18", "urn:service:sos.fire", Location("75108", {"A3": "Paris"}))
TABLE = read_table(
    b"number,insee,long_number\n18,75108,0199000018\n112,75108,0199000112\n18,2A004,0465710018\n"
)


class Voice:
    operator_code = "VG"
    location_source = "vigie.example"
    abroad_answer_mode = ()


def carrier(name: str, profile: str = "A", **options: Any) -> Carrier:
    flow = Flow("UDP", LOCAL, (f"198.51.100.{ord(name)}", 5060))
    return Carrier(name, f"{name}.example", flow, profile=profile, **options)


def targets(
    carriers: list[Carrier],
    ordinary: list[Carrier] | None = None,
    *,
    table: PsapTable = TABLE,
    destination: ToEmergency = FIRE,
    is_vital: bool = True,
) -> list[Target]:
    routing = EmergencyRouting("+33199000101", Voice(), table, "call", 1_800_000_000.0)
    return routing.targets(destination, carriers, ordinary or [], is_vital=is_vital)


def shown(found: list[Target]) -> list[tuple[str, str, str]]:
    return [(each.label, each.profile, each.request_uri) for each in found]


def test_the_order_of_all_ways_out() -> None:
    found = targets([carrier("a"), carrier("b", "B"), carrier("c", "C")], [carrier("d")])
    assert shown(found) == [
        ("a", "A", "sip:18@a.example"),
        ("b", "B", "sip:+33199000018@b.example"),
        ("c", "C", "urn:service:sos.fire"),
        ("d", "B", "sip:+33199000018@d.example"),
        ("a", "A", "sip:112@a.example"),
        ("b", "B", "sip:+33199000112@b.example"),
        ("c", "C", "urn:service:sos"),
    ]
    assert all(each.is_emergency and each.trusts_identity for each in found)
    assert all(each.to_uri == each.request_uri for each in found)
    assert not any(each.follows_redirects for each in found)


def test_without_a_long_number_ordinary_trunks_are_not_asked() -> None:
    """A short number means nothing, or something else, to a trunk that is not for emergency calls."""
    found = targets([carrier("a")], [carrier("d")], table=NO_TABLE)
    assert [each.label for each in found] == ["a", "a"]


def test_112_itself_and_social_numbers_end_with_their_own_routes() -> None:
    general = ToEmergency("112", "urn:service:sos", FIRE.location)
    assert len(targets([carrier("a")], destination=general)) == 1
    assert len(targets([carrier("a")], is_vital=False)) == 1


def test_no_trunk_no_target() -> None:
    assert targets([], [carrier("d")], table=NO_TABLE) == []
    assert shown(targets([], [carrier("d")])) == [("d", "B", "sip:+33199000018@d.example")]


@pytest.mark.parametrize(
    ("style", "user"),
    [("e164", "+33199000018"), ("plain", "33199000018"), ("international", "0033199000018"),
     ("national", "0199000018")],
)  # fmt: skip
def test_the_long_number_in_the_trunks_format(style: str, user: str) -> None:
    found = targets([carrier("b", "B", number_out=style)])[0]
    assert found.request_uri == f"sip:{user}@b.example"
    assert found.caller_format == style


def test_what_a_target_falls_short_of() -> None:
    elsewhere = replace(FIRE, location=Location("01001", {}))
    assert targets([carrier("b", "B")], destination=elsewhere)[0].shortfall == NO_ENTRY
    assert targets([carrier("b", "B")])[0].shortfall == ""
    unwritable = replace(FIRE, location=Location("x", {}))
    found = targets([carrier("a")], destination=unwritable)[0]
    assert (found.shortfall, found.headers) == (NO_PANI, ())


def test_options() -> None:
    plain = targets([carrier("a")])[0]
    assert dict(plain.headers).keys() == {"P-Access-Network-Info"}
    credentials = Credentials("u", "p")
    full = targets(
        [
            carrier(
                "a", resource_priority=True, priority_header=True, pidf_lo=True,
                passes_identity=False, credentials=credentials, corsica={"2A": "20"},
            )
        ],
        destination=replace(FIRE, location=Location("2A004", {})),
    )[0]  # fmt: skip
    assert dict(full.headers) == {
        "P-Access-Network-Info": 'GSTN;operator-specific-GI="VG2000400";network-provided',
        "Resource-Priority": "esnet.1",
        "Priority": "emergency",
        "Geolocation": "<cid:call@vigie.example>;loc-src=vigie.example",
        "Geolocation-Routing": "yes",
    }
    assert not full.passes_identity and full.credentials is credentials
    assert full.failover_on == FAILOVER_STATUSES


def test_a_document_is_written_once_and_only_when_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """28 us that a call by profile A doesn't pay for."""
    written: list[str] = []

    def write(location: Location, entity: str, *, timestamp: float) -> bytes:
        written.append(entity)
        return b"<presence/>"

    monkeypatch.setattr("switch.routing.emergency.pidf_lo", write)
    first, second, *_ = targets([carrier("a"), carrier("c", "C", pidf_lo=True)])
    assert first.place is None and second.place is not None
    assert written == []
    assert second.place.pidf == second.place.pidf == b"<presence/>"
    assert written == ["pres:+33199000101@vigie.example"]


def test_overseas_countries_are_those_of_the_geography() -> None:
    french: Mapping[str, str] = located._COUNTRIES
    assert french.items() <= geography.OVERSEAS.items()
    assert geography.OVERSEAS.keys() - french.keys() == {"984", "986", "987", "988", "989"}, (
        "where French emergency numbers are not answered"
    )
