"""`vigie emergency test` names each weakness, and nothing that is well. Each is made, one at a time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policy.model import Action, Location
from switch import config
from switch.app import build_exchange
from switch.call.exchange import Exchange, NoAnnouncer
from switch.call.identity import Caller
from switch.call.invitation import Wording, write_invite
from switch.console.emergency_test import OFFER
from switch.console.emergency_trial import render
from switch.console.rehearsal import rehearse
from switch.console.weaknesses import Outlook, Sent, weaknesses
from switch.console.weaknesses import Path as Way
from switch.routing.emergency import NO_ENTRY, NO_PANI
from switch.sip.flow import Flow

DEMO = Path(__file__).parents[3] / "configs" / "demo"


@pytest.fixture
def exchange() -> Exchange:
    return build_exchange(config.load(DEMO), {}, NoAnnouncer(), {}, b"0" * 16)


@pytest.fixture
def well(exchange: Exchange) -> Outlook:
    """A line and two trunks about which nothing is weak."""
    found = rehearse(exchange, {"dial": "18"}, "101", "test")
    settings = exchange.settings
    sent = []
    for target in found.targets[:2]:
        wording = Wording(Caller("+33199000101"), "tag", OFFER, [], 69, True, settings)
        sent.append(Sent(target, *write_invite(target, wording)))
    trunk = exchange.trunks.by_id["carrier-2"]
    elsewhere = trunk.carrier.flow._replace(remote=("192.0.2.9", 5060))
    trunk.hops[0].carrier = replace(trunk.carrier, flow=elsewhere)
    return Outlook(
        decision=found.decision,
        line=exchange.facts.lines["101"],
        is_registered=True,
        route=("carrier-1", "carrier-2"),
        trunks=exchange.trunks.by_id,
        sent=tuple(sent),
        paths=(way("carrier-1"), way("carrier-2")),
        has_table=True,
        workers=2,
        slow_s=0.5,
    )


def way(trunk: str, status: int = 200, answer_s: float = 0.01, reason: str = "") -> Way:
    return Way(trunk, Flow("UDP", ("127.0.0.1", 1), ("192.0.2.1", 5060)), status, answer_s, reason)


def slugs(outlook: Outlook) -> list[str]:
    return [slug for slug, _ in weaknesses(outlook)]


def test_nothing_is_weak(well: Outlook) -> None:
    assert slugs(well) == []


def changed_target(well: Outlook, **changes: Any) -> dict[str, Any]:
    first, second = well.sent
    return {"sent": (replace(first, target=replace(first.target, **changes)), second)}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"is_registered": False}, ["not_registered"]),
        ({"route": ()}, ["no_trunk"]),
        ({"route": ("carrier-1",)}, ["no_second_trunk"]),
        ({"workers": 0}, ["no_media_worker"]),
        ({"workers": 1}, ["single_media_worker"]),
        ({"paths": (way("carrier-1"), way("carrier-2", 0, 0, "unreachable"))}, ["trunk_silent"]),
        ({"paths": (way("carrier-1"), way("carrier-2", 503))}, ["trunk_refuses"]),
        ({"paths": (way("carrier-1", answer_s=0.6), way("carrier-2", 404))}, ["trunk_slow"]),
        (
            {"paths": (way("carrier-1", 0), way("carrier-2", 0))},
            ["no_answer_at_all", "trunk_silent", "trunk_silent"],
        ),
    ],
)
def test_each_weakness_of_the_switch(
    well: Outlook, change: dict[str, Any], expected: list[str]
) -> None:
    assert slugs(replace(well, **change)) == expected


def test_each_weakness_of_a_trunk(well: Outlook) -> None:
    assert slugs(replace(well, **changed_target(well, shortfall=NO_ENTRY))) == ["no_psap_entry"]
    without = replace(well, has_table=False, **changed_target(well, shortfall=NO_ENTRY))
    assert slugs(without) == ["no_psap_table"]
    assert slugs(replace(well, **changed_target(well, shortfall=NO_PANI))) == ["no_pani"]
    trunk = well.trunks["carrier-1"]
    trunk.hops[0].is_up = False
    assert slugs(well) == ["trunk_down"]
    trunk.hops.clear()
    assert slugs(well) == ["one_address", "trunk_unresolved"]


def test_a_location_that_is_too_large_for_udp(well: Outlook) -> None:
    """The first trunk's INVITE with the location: by TCP where there is TCP, else without."""
    place = well.sent[1].target.place
    first = well.sent[0]
    target = replace(
        first.target,
        place=place,
        headers=(*first.target.headers, ("Geolocation", "<cid:x@y>;loc-src=y")),
        stream_flow=first.flow._replace(transport="TCP"),
    )
    settings = build_exchange(config.load(DEMO), {}, NoAnnouncer(), {}, b"0" * 16).settings
    wording = Wording(Caller("+33199000101"), "tag", OFFER, [], 69, True, settings)
    by_tcp = Sent(target, *write_invite(target, wording))
    assert slugs(replace(well, sent=(by_tcp,))) == ["pidf_needs_tcp"]
    only_udp = replace(target, stream_flow=None)
    by_udp = Sent(only_udp, *write_invite(only_udp, wording))
    assert slugs(replace(well, sent=(by_udp,))) == ["pidf_left_behind"]


def test_each_weakness_of_the_address(well: Outlook) -> None:
    def at(place: Location | None) -> list[str]:
        policy = replace(well.line.policy, location=place)
        return slugs(replace(well, line=replace(well.line, policy=policy)))

    assert at(None) == ["unvalidated_address"]
    assert at(Location("75108", {}, validated=False)) == ["unvalidated_address"]
    assert at(Location("75108", {}, confirmed=False)) == ["unconfirmed_address"]
    assert at(Location("75108", {})) == []


@pytest.mark.parametrize(
    ("action", "slug"), [(Action.BLOCK, "blocked"), (Action.REFUSE, "refused")]
)
def test_a_call_that_would_not_be_connected(well: Outlook, action: Action, slug: str) -> None:
    assert slugs(replace(well, decision=replace(well.decision, action=action)))[0] == slug


def test_as_text() -> None:
    target = {
        "trunk": "carrier-1", "profile": "A", "request_uri": "sip:18@x", "octets": 900,
        "transport": "UDP", "remote": "192.0.2.1:5060", "body_types": ["application/sdp"],
        "headers": [["Via", "x"], ["P-Access-Network-Info", "GSTN"]],
    }  # fmt: skip
    path = {
        "trunk": "carrier-1", "transport": "UDP", "remote": "192.0.2.1:5060", "status": 200,
        "answer_ms": 4.2, "reason": None,
    }  # fmt: skip
    found: dict[str, object] = {
        "dialled": "18", "line": "101", "class": "emergency_vital", "source_ip": "127.0.0.1",
        "ready": True, "evidence": {"level": "E0"}, "steps": [], "targets": [target],
        "trunks": [path, {**path, "status": None, "reason": "unreachable"}], "weak": [],
        "location": {"civic": {"HNO": "4", "RD": "rue X"}, "insee": "75108", "version": 2},
    }  # fmt: skip
    text = "\n".join(render(found))
    assert "18 from line 101: would be connected" in text
    assert "900 octets by UDP to 192.0.2.1:5060" in text
    assert "P-Access-Network-Info: GSTN" in text and "Via" not in text
    assert "200 in 4.2 ms" in text and "unreachable" in text
    assert "4 rue X, INSEE 75108, version 2" in text
    assert text.endswith("nothing is weak")
    blocked = {**found, "ready": False, "weak": [{"slug": "x", "text": "why"}]}
    assert "WOULD NOT BE CONNECTED" in "\n".join(render(blocked))
