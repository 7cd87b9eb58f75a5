"""A block that nobody could hear, kill -9, and the redial: it connects, as it would have without."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.sip.message import Response
from tests.wire.rig import Rig, until
from tests.wire.softphone import Softphone, dialog_of_response


class SilentRig(Rig):
    """Without media workers."""

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        text = path.read_text("utf-8")
        assert "\nworkers = 2" in text
        path.write_text(text.replace("\nworkers = 2", "\nworkers = 0", 1), "utf-8")


@pytest.fixture
def own_rig(tmp_path: Path) -> Iterator[SilentRig]:
    """A switch for one test, which kills it."""
    with SilentRig(tmp_path) as running:
        yield running


def dial(phone: Softphone) -> Response:
    """18, and what comes of it; a call that is answered is ended."""
    invite = phone.invite("18")
    phone.send(invite)
    response = phone.final(invite)
    if response.status == 200:
        dialog = dialog_of_response(invite, response)
        phone.send(phone.within(dialog, "ACK", invite.cseq.number))
        phone.hang_up(dialog)
    else:
        phone.acknowledge_refusal(invite, response)
    return response


def test_a_redial_after_a_kill_connects(own_rig: SilentRig) -> None:
    rig = own_rig
    assert rig.run("line", "declare", "103", "--country", "DE").returncode == 0
    with Softphone(("127.0.0.1", rig.port), "103", host="127.0.2.1") as guest:
        guest.register()
        refused = dial(guest)
        assert refused.status == 403
        assert 'text="abroad"' in (refused.get("Reason") or "")
        assert rig.process is not None
        rig.process.send_signal(signal.SIGKILL)
        rig.process.wait(5)
        rig.start()
        assert dial(guest).status == 200  # its binding is known still: no challenge
    log = until(lambda: [e for e in rig.ask("emergency.log", line="103") if e][1:], 2.0)
    assert log[0]["verdict"] == "override_connected"
