"""Key 1 by SIP INFO: from the phone through the switch to the worker that speaks the warning.

Phones that send no RFC 4733 events say a key as `application/dtmf-relay` (pjsua2, most desk phones) or
as `application/dtmf`; both while the warning is early media, and in an answered call.
"""

import pytest

from switch.sip.message import Message, Response
from tests.wire.conftest import Phones
from tests.wire.rig import Rig, until
from tests.wire.softphone import SDP, Softphone, dialog_of_response

FORMS = {
    "dtmf-relay": ("application/dtmf-relay", b"Signal=1\r\nDuration=160\r\n"),
    "dtmf-relay with spaces": ("application/dtmf-relay", b"Signal= 1\r\nDuration= 160\r\n"),
    "dtmf": ("application/dtmf", b"1"),
    "dtmf with a line end": ("Application/DTMF", b"1\r\n"),
}


def is_status(status: int, message: Message) -> bool:
    return isinstance(message, Response) and message.status == status


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("is_early", [True, False], ids=["early media", "answered"])
def test_key_1_by_info_connects(rig: Rig, form: str, is_early: bool) -> None:
    rig.wait_for_sounds("abroad")
    view = rig.carrier_view()
    before = len(rig.ask("emergency.log", line="104"))
    with Softphone(("127.0.0.1", rig.port), "104", host="127.0.2.7") as guest:
        guest.register()
        invite = guest.invite("18", SDP if is_early else b"")
        guest.send(invite)
        status = 183 if is_early else 200
        heard = guest.expect(lambda message: is_status(status, message), 5.0, str(status))
        assert isinstance(heard, Response)
        dialog = dialog_of_response(invite, heard)
        if not is_early:
            ack = guest.within(dialog, "ACK", invite.cseq.number)
            ack.add("Content-Type", "application/sdp")
            ack.body = SDP
            guest.send(ack)
        assert view.newest() is None
        info = guest.within(dialog, "INFO")
        kind, info.body = FORMS[form]
        info.add("Content-Type", kind)
        assert guest.ask(info).status == 200
        until(view.newest, 2.0, "the INVITE at the carrier")
        if is_early:
            answered = guest.final(invite)
            assert answered.status == 200
            dialog = dialog_of_response(invite, answered)
            guest.send(guest.within(dialog, "ACK", invite.cseq.number))
        else:
            guest.answer(guest.awaits("INVITE"))
        guest.hang_up(dialog)
        guest.register(expires=0)
    entry = until(lambda: rig.ask("emergency.log", line="104")[before:], 2.0)[0]
    assert (entry["level"], entry["verdict"]) == ("E5", "override_connected")


def test_a_real_phone_sends_it_so(rig: Rig, phone: Phones) -> None:
    rig.wait_for_sounds("abroad")
    view = rig.carrier_view()
    guest = phone("104", "127.0.2.8")
    call = guest.call(rig.uri("18"))
    guest.wait("media", call=call, active=True)
    guest.do("dtmf", call=call, digits="1", method="info")
    guest.wait("call", call=call, state="confirmed")
    assert view.newest() is not None
    guest.do("hangup", call=call)
    guest.wait("call", call=call, state="disconnected")
