"""One dialog of an actor: what a phone or a carrier says in a call, step by step."""

from itertools import count
from typing import TYPE_CHECKING, Any

from switch.sip.build import make_ack_non2xx, make_cancel, make_request
from switch.sip.message import Request, Response
from switch.sip.nameaddr import NameAddr

if TYPE_CHECKING:
    from tests.flows.actors import Actor

SDP = "application/sdp"
serial = count(1)


def sdp(who: str, version: int = 1, direction: str = "sendrecv") -> bytes:
    """A session description that shows whose it is."""
    return (
        f"v=0\r\no={who} 1 {version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na={direction}\r\n"
    ).encode()


class Talk:
    """One dialog as an actor sees it."""

    def __init__(self, actor: "Actor", invite: Request, *, is_caller: bool) -> None:
        self.actor = actor
        self.invite = invite
        self.is_caller = is_caller
        self.call_id = invite.call_id
        self.tag: str = invite.from_tag or "" if is_caller else f"{actor.name}-{next(serial)}"
        self.local = invite.get("From") if is_caller else f"{invite.get('To')};tag={self.tag}"
        self.remote = invite.get("To") if is_caller else invite.get("From")
        self.target = invite.uri if is_caller else str(invite.contacts[0].uri)
        self.cseq = invite.cseq.number if is_caller else 0
        self.rseq = 0

    def expect(self, what: str | int) -> Any:
        """The next message; it must belong to this dialog."""
        message = self.actor.expect(what)
        assert message.call_id == self.call_id
        if isinstance(message, Response) and message.to_tag and message.cseq.method == "INVITE":
            if self.is_caller and message.status < 300:
                self.remote = message.get("To") or self.remote
            if message.has("Contact"):
                self.target = str(NameAddr.parse(message.get("Contact") or "").uri)
        return message

    def request(
        self,
        method: str,
        *headers: tuple[str, str],
        body: bytes = b"",
        cseq: int = 0,
        content_type: str = SDP,
    ) -> Request:
        """A request in the dialog, not yet sent."""
        if not cseq:
            self.cseq += 1
        fields = [
            ("Via", self.actor.via()),
            ("Max-Forwards", "70"),
            ("From", self.local or ""),
            ("To", self.remote or ""),
            ("Call-ID", self.call_id),
            ("CSeq", f"{cseq or self.cseq} {method}"),
            ("Contact", self.actor.contact),
            *headers,
        ]
        if body:
            fields.append(("Content-Type", content_type))
        return make_request(method, self.target, fields, body)

    def send(self, method: str, *headers: tuple[str, str], **more: Any) -> Request:
        request = self.request(method, *headers, **more)
        self.actor.put(request)
        return request

    # caller

    def ack(self, body: bytes = b"", cseq: int = 0) -> Request:
        """ACK of a 2xx to our last INVITE."""
        return self.send("ACK", body=body, cseq=cseq or self.invite.cseq.number)

    def ack_failure(self, response: Response) -> None:
        self.actor.put(make_ack_non2xx(self.invite, response))

    def cancel(self, *headers: tuple[str, str]) -> Request:
        request = make_cancel(self.invite)
        for name, value in headers:
            request.add(name, value)
        self.actor.put(request)
        return request

    def fails(self, status: int) -> Response:
        """The call is refused with `status`; it is acknowledged."""
        response: Response = self.expect(status)
        self.ack_failure(response)
        return response

    def reinvite(self, *headers: tuple[str, str], body: bytes = b"") -> Request:
        self.invite = self.send("INVITE", *headers, body=body)
        return self.invite

    # callee

    def answer(self, status: int, *headers: tuple[str, str], body: bytes = b"") -> Response:
        """Answer the INVITE: 100, 18x, 200 or a refusal."""
        return self.actor.reply(self.invite, status, *headers, tag=self.tag, body=body)

    def ring_reliably(self, status: int = 180, body: bytes = b"") -> Response:
        self.rseq += 1
        return self.answer(status, ("Require", "100rel"), ("RSeq", str(self.rseq)), body=body)


def hang_up(leaving: Talk, left: Talk) -> None:
    """BYE and its 200, on both sides."""
    leaving.send("BYE")
    leaving.expect(200)
    left.actor.reply(left.expect("BYE"), 200)


def established(
    a: "Actor", b: "Actor", number: str, *headers: tuple[str, str]
) -> tuple[Talk, Talk]:
    """A call from `a` to `b` that is up."""
    caller = a.call(number, *headers)
    callee = b.called()
    callee.answer(180)
    caller.expect(180)
    callee.answer(200, body=sdp(b.name))
    caller.expect(200)
    callee.expect("ACK")
    caller.ack()
    return caller, callee
