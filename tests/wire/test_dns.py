"""A carrier that has only a name: NAPTR, SRV and A of a name server, and its first server is dead."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.nameserver import NameServer
from tests.wire.rig import Rig, free_port, until
from tests.wire.softphone import Softphone, dialog_of_response


@pytest.fixture
def named(tmp_path: Path) -> Iterator[tuple[Rig, NameServer]]:
    """carrier-1 is a name with two servers: first one where nobody listens, then the carrier's."""
    rig = Rig(tmp_path)
    dead = free_port("127.0.1.1")
    zone = {
        ("carrier.test.", "NAPTR"): ['10 1 "s" "SIP+D2U" "" _sip._udp.carrier.test.'],
        ("_sip._udp.carrier.test.", "SRV"): [
            f"10 1 {dead} dead.carrier.test.",
            f"20 1 {rig.carrier_ports[0]} live.carrier.test.",
        ],
        ("dead.carrier.test.", "A"): ["127.0.1.1"],
        ("live.carrier.test.", "A"): ["127.0.1.1"],
    }
    with NameServer(zone) as server:
        path = rig.config / "vigie.toml"
        text = re.sub(
            rf'address = "127.0.1.1"\nport = {rig.carrier_ports[0]}\s*\ntransport = "udp"',
            'address = "carrier.test"\ntransport = "any"\nping_s = 0',
            path.read_text(),
        )
        text = re.sub(r"(?m)^\[sip\]", f'[sip]\nname_servers = ["{server.address}"]', text)
        assert text.count("carrier.test") == 1
        path.write_text(text)
        with rig:
            yield rig, server


def attempts(rig: Rig, phone: Softphone) -> list[tuple[str, int]]:
    """Call the carrier; which trunk said what."""
    before = len(rig.cdrs())
    invite = phone.invite("0145678901")
    response = phone.ask(invite, 10.0)
    assert response.status == 200, response
    dialog = dialog_of_response(invite, response)
    phone.send(phone.within(dialog, "ACK", invite.cseq.number))
    phone.hang_up(dialog)
    cdr = rig.cdr_after(before, line=phone.line)
    return [(each["trunk"], each["status"]) for each in cdr["attempts"]]


def test_a_named_carrier_with_a_dead_server(named: tuple[Rig, NameServer]) -> None:
    rig, server = named
    until(lambda: "A live.carrier.test." in server.asked, what="the way to the carrier")
    assert server.asked[:2] == ["NAPTR carrier.test.", "SRV _sip._udp.carrier.test."]
    with Softphone(("127.0.0.1", rig.port), "101") as phone:
        phone.register()
        tried = attempts(rig, phone)
        # A probe may have found the first server dead before the call did.
        assert tried in ([("carrier-1", 503), ("carrier-1", 200)], [("carrier-1", 200)])
        assert attempts(rig, phone) == [("carrier-1", 200)], (
            "the dead one is tried last for a while"
        )
