"""A carrier over TLS: verified by its own authority, recognised by its certificate."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from switch.sip.message import Response
from tests.wire.authority import Authority, Signed
from tests.wire.rig import Rig, until
from tests.wire.softphone import Softphone, dialog_of_response
from tests.wire.tls_carrier import CallingCarrier, TlsCarrier

NAME = "sbc.carrier.test"


class Secured(NamedTuple):
    rig: Rig
    carrier: TlsCarrier
    right: Authority
    wrong: Authority


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    """carrier-1 speaks TLS, and the configuration first names an authority that isn't its own."""
    rig = Rig(tmp_path)
    right, wrong = Authority(tmp_path, "right"), Authority(tmp_path, "wrong")
    path, port = rig.config / "vigie.toml", rig.carrier_ports[0]
    text = re.sub(
        rf'(?m)^port = {port}\s*\ntransport = "udp"',
        f'port = {port}\ntransport = "tls"\ntls_name = "{NAME}"\nca = "{wrong.root}"',
        path.read_text(),
    )
    # The demonstration's own carrier keeps its other port only.
    text = text.replace(f'"127.0.1.1:{port}", ', "")
    path.write_text(text)
    with TlsCarrier("127.0.1.1", port, right.sign(NAME)) as carrier, rig:
        yield Secured(rig, carrier, right, wrong)


def trunks_tried(rig: Rig, phone: Softphone) -> list[str]:
    """Call the carrier; the trunks that the CDR names."""
    before = len(rig.cdrs())
    invite = phone.invite("0145678901")
    response = phone.ask(invite, 10.0)
    assert response.status == 200, response
    dialog = dialog_of_response(invite, response)
    phone.send(phone.within(dialog, "ACK", invite.cseq.number))
    phone.hang_up(dialog)
    cdr = rig.cdr_after(before, line=phone.line)
    return [each["trunk"] for each in cdr["attempts"] if each["status"] == 200]


def alarms(rig: Rig) -> str:
    return "\n".join(rig.ask("status")["alarms"])


def refused(server: tuple[str, int], shown: Signed | None) -> int:
    """What a caller with this certificate gets at once; an error if the handshake fails."""
    with CallingCarrier(server, shown) as caller:
        invite = caller.invite("+33199000101")
        caller.send(invite)
        return caller.final(invite).status


def trust(secured: Secured, authority: Authority) -> None:
    path = secured.rig.config / "vigie.toml"
    path.write_text(re.sub(r'ca = ".*"', f'ca = "{authority.root}"', path.read_text()))
    assert secured.rig.ask("config.apply")["changed"] == ["trunk.carrier-1.ca"]


def test_another_authoritys_certificate_is_refused_and_told(secured: Secured) -> None:
    rig = secured.rig
    told = "TLS to carrier carrier-1 fails: its certificate is refused: "
    until(lambda: told in alarms(rig), what="the alarm")
    with Softphone(("127.0.0.1", rig.port), "101") as phone:
        phone.register()
        assert trunks_tried(rig, phone) == ["carrier-2"]
        assert not secured.carrier.invites, "nothing is said to a stranger"
        trust(secured, secured.right)
        until(lambda: not alarms(rig), what="no alarm")
        assert trunks_tried(rig, phone) == ["carrier-1"]
        (invite,) = secured.carrier.invites
        assert invite.via.transport == "TLS"


def test_a_carrier_that_calls_is_known_by_its_certificate(secured: Secured) -> None:
    rig = secured.rig
    trust(secured, secured.right)
    server = ("127.0.0.1", rig.tls_port)
    with Softphone(("127.0.0.1", rig.port), "101") as phone:
        phone.register()
        assert refused(server, None) == 401
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            refused(server, secured.wrong.sign(NAME))
        with CallingCarrier(server, secured.right.sign(NAME)) as carrier:
            invite = carrier.invite("+33199000101")
            carrier.send(invite)
            phone.answer(phone.awaits("INVITE"))
            response = carrier.final(invite)
            assert isinstance(response, Response) and response.status == 200
            dialog = dialog_of_response(invite, response)
            carrier.send(carrier.within(dialog, "ACK", invite.cseq.number))
            phone.awaits("ACK")
            carrier.hang_up(dialog)
    assert rig.cdr_after(0, line="101")["legs"][0]["trunk"] == "carrier-1"
