"""The simulated carrier's calls, without I/O; time is jumped."""

import pytest

from switch.demo.carrier_call import LONGEST_S, RING_S, State
from switch.demo.carrier_core import CarrierCore, describe
from switch.sip.build import make_response
from switch.sip.flow import Flow
from switch.sip.ids import new_branch
from switch.sip.message import Request, Response
from switch.sip.parser import parse

SWITCH = ("127.0.0.1", 5060)
FLOW = Flow("UDP", ("127.0.1.1", 5070), SWITCH)
SDP = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "c=IN IP4 127.0.0.1",
        "t=0 0",
        "m=audio 9000 RTP/AVP 8",
        "",
    ]
)


class Peer:
    """The switch's side of one call, and the carrier's clock."""

    def __init__(self, uri: str = "sip:+33145678901@127.0.1.1:5070", flow: Flow = FLOW) -> None:
        self.recorded: list[Request] = []
        self.core = CarrierCore(
            ("127.0.1.1", 40000), lambda request, flow: self.recorded.append(request)
        )
        self.uri = uri
        self.flow = flow
        self.now = 100.0
        self.to = f"<{uri}>"
        self.branch = new_branch()

    def send(
        self, method: str, cseq: int, body: str = "", *, branch: str = "", **extra: str
    ) -> list[Request | Response]:
        lines = [
            f"{method} {self.uri} SIP/2.0",
            f"Via: SIP/2.0/{self.flow.transport} 127.0.0.1:5060;branch={branch or new_branch()};rport",
            "Max-Forwards: 70",
            "From: <sip:+33199000101@127.0.0.1>;tag=ours",
            f"To: {self.to}",
            "Call-ID: c1",
            f"CSeq: {cseq} {method}",
            "Contact: <sip:127.0.0.1:5060>",
            *(f"{name}: {value}" for name, value in extra.items()),
            f"Content-Length: {len(body)}",
            "",
            body,
        ]
        self.core.receive(parse("\r\n".join(lines).encode()), self.flow, self.now)
        return self.sent()

    def invite(self, body: str = SDP, **extra: str) -> list[Request | Response]:
        return self.send("INVITE", 1, body, branch=self.branch, **extra)

    def pass_time(self, seconds: float) -> list[Request | Response]:
        until = self.now + seconds
        while (at := self.core.wheel.next_at()) is not None and at <= until:
            self.now = max(self.now, at)
            self.core.wheel.fire(self.now)
        self.now = until
        return self.sent()

    def sent(self) -> list[Request | Response]:
        messages = [parse(data) for _, data in self.core.outbox.datagrams]
        self.core.outbox.clear()
        for message in messages:
            if isinstance(message, Response) and message.to_tag:
                self.to = message.get("To") or ""
        return messages

    def established(self) -> "Peer":
        self.invite()
        self.pass_time(RING_S)
        self.send("ACK", 1)
        return self


def statuses(messages: list[Request | Response]) -> list[int | str]:
    return [m.status if isinstance(m, Response) else m.method for m in messages]


def test_it_rings_answers_and_ends_on_bye() -> None:
    peer = Peer()
    assert statuses(peer.invite()) == [180]
    (ok,) = peer.pass_time(RING_S)
    assert isinstance(ok, Response)
    assert ok.status == 200
    assert b"m=audio 40000 RTP/AVP 8\r\n" in ok.body
    peer.send("ACK", 1)
    assert [call.state for call in peer.core.calls] == [State.CONNECTED]
    assert statuses(peer.send("BYE", 2)) == [200]
    assert peer.core.calls == ()
    assert [request.uri for request in peer.recorded] == [peer.uri]


def test_the_200_is_retransmitted_until_the_ack() -> None:
    peer = Peer()
    peer.invite()
    peer.pass_time(RING_S)
    assert statuses(peer.pass_time(1.6)) == [200, 200]  # after 0.5 and 1.5 s
    peer.send("ACK", 1)
    assert peer.pass_time(60) == []


def test_a_call_that_is_never_acknowledged_is_ended() -> None:
    peer = Peer()
    peer.invite()
    peer.pass_time(RING_S)
    assert "BYE" in statuses(peer.pass_time(40))
    assert peer.core.calls == ()


def test_a_retransmitted_invite_is_recorded_once() -> None:
    peer = Peer()
    peer.invite()
    peer.invite()
    assert len(peer.recorded) == 1


@pytest.mark.parametrize(("digits", "status"), [("486", 486), ("404", 404), ("503", 503)])
def test_numbers_that_refuse(digits: str, status: int) -> None:
    peer = Peer(f"sip:+33145678{digits}@127.0.1.1")
    assert statuses(peer.invite()) == [status]
    assert peer.core.calls == ()


def test_a_number_that_only_rings_can_be_cancelled() -> None:
    peer = Peer("sip:+33145678408@127.0.1.1")
    assert statuses(peer.invite()) == [180]
    assert peer.pass_time(100) == []
    tagged, peer.to = peer.to, f"<{peer.uri}>"
    assert statuses(peer.send("CANCEL", 1, branch=peer.branch)) == [200, 487]
    assert tagged
    assert peer.core.calls == ()
    found = peer.core.find("c1")
    assert found is not None
    assert found.state is State.CANCELLED


def test_a_cancel_that_matches_nothing() -> None:
    assert statuses(Peer().send("CANCEL", 1)) == [481]


def test_a_refused_port_fails_and_is_recorded() -> None:
    peer = Peer()
    peer.core.refused.add(5070)
    assert statuses(peer.invite()) == [503]
    peer.to = f"<{peer.uri}>"
    assert statuses(peer.send("OPTIONS", 9)) == [503]
    assert len(peer.recorded) == 1


def test_nothing_in_common_is_488() -> None:
    peer = Peer()
    peer.invite(SDP.replace("AVP 8", "AVP 18"))
    assert statuses(peer.pass_time(RING_S)) == [488]


def test_required_100rel_gets_no_provisional_response() -> None:
    peer = Peer()
    assert peer.invite(Require="100rel") == []
    assert statuses(peer.pass_time(RING_S))[-1:] == [200]


def test_a_late_offer_is_made_by_the_carrier() -> None:
    peer = Peer()
    peer.invite("")
    (ok,) = peer.pass_time(RING_S)
    assert b"m=audio 40000 RTP/AVP 8 0 101\r\n" in ok.body


def test_hold_is_answered_with_its_mirror() -> None:
    peer = Peer().established()
    (ok,) = peer.send("INVITE", 2, SDP + "a=sendonly\r\n")
    assert isinstance(ok, Response)
    assert b"a=recvonly" in ok.body
    peer.send("ACK", 2)
    assert peer.pass_time(60) == []


def test_a_request_of_an_unknown_call_is_481() -> None:
    peer = Peer()
    peer.to += ";tag=gone"
    assert statuses(peer.send("BYE", 2)) == [481]


def test_a_call_ends_after_hours_without_a_switch() -> None:
    peer = Peer().established()
    assert statuses(peer.pass_time(LONGEST_S))[0] == "BYE"
    assert peer.core.calls == ()


def test_a_connection_that_closes_leaves_the_call() -> None:
    flow = Flow("TCP", ("127.0.1.1", 5071), ("127.0.0.1", 45678), 3)
    peer = Peer(flow=flow).established()
    peer.core.flow_closed(flow, peer.now)
    (call,) = peer.core.calls
    call.hang_up(peer.now)
    ((target, _),) = peer.core.outbox.datagrams
    assert target == Flow("TCP", ("127.0.1.1", 5071), SWITCH)


def test_nothing_is_left_of_calls_that_ended() -> None:
    peer = Peer().established()
    peer.send("BYE", 2)
    peer.pass_time(60)
    assert len(peer.core.transactions) == 0
    assert len(peer.core.wheel) == 0


# -- calls from the carrier ------------------------------------------------------------------------


def placed(seconds: float | None = None) -> tuple[Peer, Request]:
    peer = Peer()
    uri = "sip:+33199000101@127.0.0.1:5060"
    peer.core.place(FLOW, "+33145678900", uri, {"Priority": "psap-callback"}, peer.now, seconds)
    (invite,) = peer.sent()
    assert isinstance(invite, Request)
    return peer, invite


def respond(peer: Peer, invite: Request, status: int) -> list[Request | Response]:
    headers = [("Contact", "<sip:127.0.0.1:5060>")]
    response = make_response(invite, status, to_tag="theirs", headers=headers)
    peer.core.receive(parse(response.to_bytes()), FLOW, peer.now)
    return peer.sent()


def test_a_call_is_placed_with_its_headers_and_acknowledged() -> None:
    peer, invite = placed()
    assert invite.uri == "sip:+33199000101@127.0.0.1:5060"
    assert invite.get("Priority") == "psap-callback"
    assert invite.from_.uri.user == "+33145678900"
    assert respond(peer, invite, 180) == []
    assert statuses(respond(peer, invite, 200)) == ["ACK"]
    (call,) = peer.core.calls
    assert describe(call)["state"] == "connected"
    assert statuses(respond(peer, invite, 200)) == ["ACK"]  # the ACK was lost


def test_it_hangs_up_after_the_wanted_time() -> None:
    peer, invite = placed(seconds=5)
    respond(peer, invite, 200)
    assert peer.pass_time(4.9) == []
    assert statuses(peer.pass_time(0.2)) == ["BYE"]


def test_a_refusal_is_told() -> None:
    peer, invite = placed()
    assert statuses(respond(peer, invite, 486)) == ["ACK"]
    found = peer.core.find(invite.call_id)
    assert found is not None
    assert describe(found) | {"status": 486, "ended": True} == describe(found)


def test_nobody_there_is_a_timeout() -> None:
    peer, invite = placed()
    peer.pass_time(40)
    found = peer.core.find(invite.call_id)
    assert found is not None
    assert (found.state, found.status) == (State.REFUSED, 408)


def test_hanging_up_while_it_rings_cancels() -> None:
    peer, invite = placed()
    respond(peer, invite, 180)
    (call,) = peer.core.calls
    call.hang_up(peer.now)
    assert statuses(peer.sent()) == ["CANCEL"]
