"""IPv6: addresses in brackets wherever a message names them (RFC 3261 §25.1), over UDP and TCP."""

from collections.abc import Iterator

import pytest

from tests.wire.rig import Rig, until
from tests.wire.softphone import Softphone, dialog_of_response


class SixRig(Rig):
    """Listens on ::1 beside 127.0.0.1."""

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        text = path.read_text("utf-8")
        old = f'"{self.address}"]'
        assert old in text
        path.write_text(text.replace(old, f'"{self.address}", "[::1]:{self.port}"]'), "utf-8")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SixRig]:
    """A switch of its own."""
    with SixRig(tmp_path_factory.mktemp("six")) as running:
        yield running


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_two_phones_register_and_talk(rig: SixRig, transport: str) -> None:
    server = ("::1", rig.port)
    assert f"[::1]:{rig.port}" in rig.ready[transport]
    with (
        Softphone(server, "101", transport, "::1") as alice,
        Softphone(server, "102", transport, "::1") as bob,
    ):
        granted = alice.register()  # through digest, whose nonce is bound to the address
        assert f"@[::1]:{alice.port}" in (granted.get("Contact") or "")
        via = granted.get("Via") or ""
        assert f" [::1]:{alice.port};" in via and f"rport={alice.port}" in via
        bob.register()
        (row,) = rig.ask("reg.list", line="101")
        assert "::1" in str(row)

        mine, theirs = alice.call(bob)
        invite = theirs.invite
        assert invite.uri.startswith(f"sip:102@[::1]:{bob.port}")
        assert f" [::1]:{rig.port};" in (invite.get("Via") or "")
        assert f"[::1]:{rig.port}" in (invite.get("Contact") or "")
        assert mine.target.startswith(f"sip:[::1]:{rig.port}")
        bye = bob.within(theirs, "BYE")
        bob.send(bye)
        alice.takes_bye()
        assert bob.final(bye).status == 200
        alice.register(expires=0)
        bob.register(expires=0)


def test_a_phone_of_each_family_talk_through_the_switch(rig: SixRig) -> None:
    """Signalling crosses; SDP is the phones' own matter."""
    with (
        Softphone(("::1", rig.port), "101", "udp", "::1") as six,
        Softphone(("127.0.0.1", rig.port), "102") as four,
    ):
        six.register()
        four.register()
        mine, theirs = six.call(four)
        assert theirs.invite.via.host == "127.0.0.1"
        assert "[::1]" not in (theirs.invite.get("Contact") or "")
        bye = six.within(mine, "BYE")
        six.send(bye)
        four.takes_bye()
        assert six.final(bye).status == 200
        six.register(expires=0)
        four.register(expires=0)


def test_an_emergency_call_from_ipv6_is_connected_by_an_ipv4_carrier(rig: SixRig) -> None:
    with Softphone(("::1", rig.port), "101", "udp", "::1") as phone:
        phone.register()
        view = rig.carrier_view()
        invite = phone.invite("18")
        phone.send(invite)
        answer = phone.final(invite)
        assert answer.status == 200, answer
        dialog = dialog_of_response(invite, answer)
        phone.send(phone.within(dialog, "ACK", invite.cseq.number))
        received = until(view.newest)
        assert received.via.host == "127.0.0.1"
        assert "75" in (received.get("P-Access-Network-Info") or "")
        phone.hang_up(dialog)
        phone.register(expires=0)
