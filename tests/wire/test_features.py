"""Services of the switch itself: the emergency read-back and the echo."""

import time

from tests.wire.conftest import Phones
from tests.wire.rig import Rig


def test_933_reads_the_address_back(rig: Rig, phone: Phones) -> None:
    rig.wait_for_sounds("readback-101", "verdict-connect")
    view = rig.carrier_view()
    alice = phone("101")
    call = alice.call(rig.uri("933"))
    alice.wait("call", call=call, state="confirmed")
    time.sleep(1.5)  # speech is recorded in real time
    alice.do("hangup", call=call)
    alice.wait("call", call=call, state="disconnected")
    heard = alice.wait("heard", call=call)
    assert heard["rms"] > 300
    assert view.newest() is None, "a test call reached the carrier"


def test_star_43_is_an_echo(rig: Rig, phone: Phones) -> None:
    rig.wait_for_sounds("echo")
    alice = phone("101")
    call = alice.call(rig.uri("*43"))
    alice.wait("call", call=call, state="confirmed")
    alice.wait("media", call=call, active=True)
    alice.do("play", call=call, tone=440)
    time.sleep(1.0)
    alice.do("hangup", call=call)
    alice.wait("call", call=call, state="disconnected")
    assert alice.wait("heard", call=call)["rms"] > 500
