"""A phone of few words for the wire tests: it writes each message itself, so that tests can damage it.

Built on the switch's own grammar (which has tests of its own); no media, no retransmission.
"""

import itertools
import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Self

from switch.dialog.dialog import bare_uri, host_port
from switch.sip.build import make_response
from switch.sip.digest import Challenge, authorize, choose_challenge
from switch.sip.errors import ParseError
from switch.sip.ids import new_branch, new_call_id, new_tag
from switch.sip.message import Request, Response
from switch.sip.parser import StreamParser, parse

Message = Request | Response
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)
_STREAMS = ("tcp", "tls")


@dataclass(slots=True)
class PhoneDialog:
    """A call as the phone sees it: what its in-dialog requests are written from."""

    call_id: str
    local: str
    remote: str
    target: str
    cseq: int
    invite: Request
    routes: list[str] = field(default_factory=list)


class Softphone:
    """One socket, one line. Leave it as a context manager, or `close` it."""

    def __init__(
        self,
        server: tuple[str, int],
        line: str,
        transport: str = "udp",
        host: str = "127.0.0.1",
    ) -> None:
        self.server = server
        self.line = line
        self.transport = transport
        self.host = host
        self.challenge: Challenge | None = None
        self._uses = itertools.count(1)
        self._cseq = itertools.count(1)
        self._inbox: list[Message] = []
        self._held = ExitStack()
        self._open()
        self.register_call_id = new_call_id()

    def _open(self) -> None:
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        kind = socket.SOCK_STREAM if self.transport in _STREAMS else socket.SOCK_DGRAM
        opened = self._held.enter_context(socket.socket(family, kind))
        opened.bind((self.host, 0))
        opened.connect(self.server)
        if self.transport == "tls":
            opened = self._held.enter_context(self.client_context().wrap_socket(opened))
        self.socket = opened
        self.port = int(opened.getsockname()[1])
        self._parser = StreamParser()

    def client_context(self) -> ssl.SSLContext:
        """How it sees the switch's certificate, which in the demo is its own."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Drop the socket, without a word."""
        self._held.close()

    def reconnect(self) -> None:
        """Another connection, as after a change of network: nothing is said on the old one."""
        self.close()
        self._open()

    # -- writing -------------------------------------------------------------------------------

    @property
    def contact(self) -> str:
        """The Contact of this phone."""
        tail = f";transport={self.transport}" if self.transport in _STREAMS else ""
        return f"<sip:{self.line}@{host_port((self.host, self.port))}{tail}>"

    def uri(self, user: str = "") -> str:
        """A SIP URI at the switch."""
        host = host_port(self.server)
        return f"sip:{user}@{host}" if user else f"sip:{host}"

    def via(self) -> str:
        """A new top Via."""
        transport = self.transport.upper()
        return (
            f"SIP/2.0/{transport} {host_port((self.host, self.port))};branch={new_branch()};rport"
        )

    def request(
        self, method: str, uri: str, to: str = "", call_id: str = "", tag: str = ""
    ) -> Request:
        """A request outside any dialog."""
        own = f"<sip:{self.line}@{host_port(self.server)}>"
        fields = [
            ("Via", self.via()),
            ("Max-Forwards", "70"),
            ("From", f"{own};tag={tag or new_tag()}"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id or new_call_id()),
            ("CSeq", f"{next(self._cseq)} {method}"),
            ("Contact", self.contact),
            ("User-Agent", "softphone"),
        ]
        return Request(method, uri, [name for name, _ in fields], [value for _, value in fields])

    def invite(self, user: str, body: bytes = SDP) -> Request:
        """An INVITE for `user`."""
        request = self.request("INVITE", self.uri(user))
        if body:
            request.add("Content-Type", "application/sdp")
            request.body = body
        return request

    def within(self, dialog: PhoneDialog, method: str, cseq: int | None = None) -> Request:
        """A request in a dialog; ACK gives the CSeq of its INVITE."""
        if cseq is None:
            dialog.cseq += 1
            cseq = dialog.cseq
        request = self.request(method, dialog.target)
        request.set("From", dialog.local)
        request.set("To", dialog.remote)
        request.set("Call-ID", dialog.call_id)
        request.set("CSeq", f"{cseq} {method}")
        for route in dialog.routes:
            request.add("Route", route)
        return request

    def sign(self, request: Request, password: str = "") -> None:
        """Answer the last challenge in advance."""
        assert self.challenge is not None
        request.set(
            "Authorization",
            authorize(
                self.challenge,
                self.line,
                password or f"demo-{self.line}",
                request.method,
                request.uri,
                next(self._uses),
                new_tag(),
            ),
        )

    def send(self, message: Message | bytes) -> None:
        """To the switch."""
        octets = message if isinstance(message, bytes) else message.to_bytes()
        self.socket.sendall(octets)

    # -- reading -------------------------------------------------------------------------------

    def read(self, limit_s: float = 0.0) -> Message | None:
        """The next message, None when there is none within the limit."""
        end = time.monotonic() + limit_s
        while not self._inbox:
            is_pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
            left = max(0.0, end - time.monotonic())
            if not is_pending and not select.select([self.socket], [], [], left)[0]:
                return None
            try:
                octets = self.socket.recv(65_536)
            except ConnectionRefusedError:
                continue
            if self.transport in _STREAMS:
                assert octets, "the switch closed the connection"
                fed = self._parser.feed(octets)
                self._inbox += [item for item in fed if isinstance(item, Request | Response)]
            else:
                with suppress(ParseError):  # an answer to damage repeats it
                    self._inbox.append(parse(octets))
        return self._inbox.pop(0)

    def expect(
        self, test: Callable[[Message], bool], limit_s: float = 5.0, what: str = ""
    ) -> Message:
        """The next message that passes; others are dropped."""
        end, seen = time.monotonic() + limit_s, []
        while (left := end - time.monotonic()) > 0:
            message = self.read(left)
            if message is None:
                break
            if test(message):
                return message
            seen.append(repr(message))
        raise AssertionError(
            f"{self.line}: no {what or 'such message'} within {limit_s} s: {seen[-10:]}"
        )

    def final(self, request: Request, limit_s: float = 5.0) -> Response:
        """The final response to a request."""
        branch = request.via.branch

        def is_it(message: Message) -> bool:
            return (
                isinstance(message, Response)
                and message.via.branch == branch
                and message.cseq.method == request.method  # a CANCEL has the INVITE's branch
                and message.status >= 200
            )

        found = self.expect(is_it, limit_s, f"final response to {request.method}")
        assert isinstance(found, Response)
        return found

    def awaits(self, method: str, limit_s: float = 5.0) -> Request:
        """The next request of a method."""
        found = self.expect(
            lambda message: isinstance(message, Request) and message.method == method,
            limit_s,
            method,
        )
        assert isinstance(found, Request)
        return found

    # -- whole exchanges -----------------------------------------------------------------------

    def ask(self, request: Request, limit_s: float = 5.0) -> Response:
        """Send and wait; one challenge is answered."""
        self.send(request)
        response = self.final(request, limit_s)
        if response.status == 401:
            if request.method == "INVITE":
                self.acknowledge_refusal(request, response)
            self.challenge = choose_challenge(response.get_all("WWW-Authenticate"))
            self._uses = itertools.count(1)
            request.set("Via", self.via())
            request.set("CSeq", f"{next(self._cseq)} {request.method}")
            self.sign(request)
            self.send(request)
            response = self.final(request, limit_s)
        return response

    def register(self, expires: int = 3600) -> Response:
        """Bind this socket's address to the line."""
        address = f"<sip:{self.line}@{host_port(self.server)}>"
        request = self.request("REGISTER", self.uri(), address, self.register_call_id)
        request.add("Expires", str(expires))
        response = self.ask(request)
        assert response.status == 200, response
        return response

    def acknowledge_refusal(self, invite: Request, response: Response) -> None:
        """The ACK of the INVITE's own transaction (RFC 3261 §17.1.1.3)."""
        ack = self.request("ACK", invite.uri, response.get("To") or "", invite.call_id)
        ack.set("Via", invite.get("Via") or "")
        ack.set("From", invite.get("From") or "")
        ack.set("CSeq", f"{invite.cseq.number} ACK")
        self.send(ack)

    def call(self, callee: "Softphone") -> tuple[PhoneDialog, PhoneDialog]:
        """Call another softphone, which answers; both sides of the call."""
        invite = self.invite(callee.line)
        self.send(invite)
        refused = self.final(invite)
        assert refused.status == 401, refused
        self.acknowledge_refusal(invite, refused)
        self.challenge = choose_challenge(refused.get_all("WWW-Authenticate"))
        self._uses = itertools.count(1)
        invite.set("Via", self.via())
        invite.set("CSeq", f"{next(self._cseq)} INVITE")
        self.sign(invite)
        self.send(invite)
        theirs = callee.answer(callee.awaits("INVITE"))
        response = self.final(invite)
        assert response.status == 200, response
        mine = dialog_of_response(invite, response)
        self.send(self.within(mine, "ACK", invite.cseq.number))
        callee.awaits("ACK")
        return mine, theirs

    def answer(self, invite: Request) -> PhoneDialog:
        """200 with SDP."""
        tag = new_tag()
        headers = [("Contact", self.contact), ("Content-Type", "application/sdp")]
        self.send(make_response(invite, 180, to_tag=tag, headers=[("Contact", self.contact)]))
        self.send(make_response(invite, 200, to_tag=tag, headers=headers, body=SDP))
        return dialog_of_invite(invite, tag)

    def hang_up(self, dialog: PhoneDialog) -> None:
        """BYE, and its 200."""
        bye = self.within(dialog, "BYE")
        self.send(bye)
        response = self.final(bye)
        assert response.status == 200, response

    def takes_bye(self, limit_s: float = 5.0) -> Request:
        """The peer's BYE, answered."""
        bye = self.awaits("BYE", limit_s)
        self.send(make_response(bye, 200, to_tag=None))
        return bye


def dialog_of_response(invite: Request, response: Response) -> PhoneDialog:
    """The caller's side."""
    return PhoneDialog(
        invite.call_id,
        invite.get("From") or "",
        response.get("To") or "",
        bare_uri(response.get("Contact") or ""),
        invite.cseq.number,
        invite,
        response.split("Record-Route")[::-1],
    )


def dialog_of_invite(invite: Request, tag: str) -> PhoneDialog:
    """The callee's side."""
    return PhoneDialog(
        invite.call_id,
        f"{invite.get('To')};tag={tag}",
        invite.get("From") or "",
        bare_uri(invite.get("Contact") or ""),
        0,
        invite,
        invite.split("Record-Route"),
    )
