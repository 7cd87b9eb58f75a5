"""Who sends the switch damaged messages, of every kind and in every state that one phone can reach.

It is registered, so that damage gets past the digest: its calls, its part in calls, and its answers to
what the switch sends are damaged too.
"""

import contextlib
import random
import time
from collections.abc import Callable

from switch.sip.build import make_response
from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.ids import new_call_id, new_tag
from switch.sip.message import Request, Response
from tests.wire.mutations import mutate
from tests.wire.softphone import SDP, PhoneDialog, Softphone, dialog_of_invite

RATE = 2_500  # messages a second
_DIALLED = ("104", "103", "18", "112", "0145678901", "+33145678486", "*43", "933", "150", "118712")
_METHODS = ("OPTIONS", "SUBSCRIBE", "MESSAGE", "REFER", "PUBLISH", "INFO", "X-ODD", "NOTIFY")
_WITHIN = (
    "INVITE",
    "UPDATE",
    "INFO",
    "BYE",
    "ACK",
    "PRACK",
    "OPTIONS",
    "MESSAGE",
    "REFER",
    "CANCEL",
)
_STATUSES = (
    100,
    180,
    183,
    200,
    200,
    202,
    301,
    302,
    380,
    401,
    407,
    408,
    422,
    481,
    486,
    491,
    500,
    503,
    603,
)


class Attacker:
    """Phones of one line, and dice."""

    def __init__(self, server: tuple[str, int], line: str, seed: int) -> None:
        self.dice = random.Random(seed)
        self.phone = Softphone(server, line)
        self.phone.register()
        self.dialogs: list[PhoneDialog] = []
        self.sent = 0

    def close(self) -> None:
        """Let the socket go."""
        self.phone.close()

    def send(self, message: Request | Response | bytes) -> None:
        """Damage and send."""
        try:
            octets = message if isinstance(message, bytes) else message.to_bytes()
        except LocalProtocolError:  # our own earlier damage came back to us
            return
        with contextlib.suppress(ConnectionRefusedError, OSError):
            self.phone.socket.send(mutate(self.dice, octets))
            self.sent += 1

    def attack(self, count: int) -> None:
        """Send `count` damaged messages at a steady rate, and answers to what comes of them."""
        deeds: tuple[Callable[[], None], ...] = (
            self.stray, self.stray, self.register, self.invite, self.invite, self.within, self.within,
            self.respond,
        )  # fmt: skip
        started, first = time.monotonic(), self.sent
        while (done := self.sent - first) < count:
            self.dice.choice(deeds)()
            self.react()
            # What the switch remembers of each for a while is then the same all the time.
            time.sleep(max(0.0, started + done / RATE - time.monotonic()))

    # -- what it sends -------------------------------------------------------------------------

    def stray(self) -> None:
        """A request outside any dialog."""
        method = self.dice.choice(_METHODS)
        self.send(self.phone.request(method, self.phone.uri(self.dice.choice(_DIALLED))))

    def register(self) -> None:
        """A REGISTER; half of them pass the digest before the damage."""
        phone = self.phone
        request = phone.request("REGISTER", phone.uri(), f"<sip:{phone.line}@x>", new_call_id())
        request.add("Expires", str(self.dice.choice((0, 60, 3600))))
        if self.dice.random() < 0.5:
            phone.sign(request)
        self.send(request)

    def invite(self) -> None:
        """A call."""
        request = self.phone.invite(self.dice.choice(_DIALLED), self.dice.choice((SDP, SDP, b"")))
        request.add("Supported", "100rel, timer")
        if self.dice.random() < 0.8:
            self.phone.sign(request)
        if self.dice.random() < 0.1:
            request.uri = "urn:service:sos"
        self.send(request)
        match self.dice.randrange(4):
            case 0:
                cancel = self.phone.request("CANCEL", request.uri, "", request.call_id)
                for name in ("Via", "From", "To"):
                    cancel.set(name, request.get(name) or "")
                cancel.set("CSeq", f"{request.cseq.number} CANCEL")
                self.send(cancel)
            case 1:
                self.send(request)

    def within(self) -> None:
        """A request in one of its calls."""
        if not self.dialogs:
            self.invite()
            return
        dialog = self.dice.choice(self.dialogs)
        method = self.dice.choice(_WITHIN)
        request = self.phone.within(dialog, method)
        if method in ("INVITE", "UPDATE", "INFO", "ACK") and self.dice.random() < 0.7:
            request.add("Content-Type", "application/sdp")
            request.body = SDP
        self.send(request)

    def respond(self) -> None:
        """A response to nothing."""
        asked = self.phone.request(self.dice.choice(("INVITE", "BYE", "OPTIONS")), "sip:x@y")
        self.send(make_response(asked, self.dice.choice(_STATUSES), to_tag=new_tag()))

    # -- what it answers -----------------------------------------------------------------------

    def react(self) -> None:
        """Take what has come, and answer it with damage."""
        for _ in range(50):
            try:
                message = self.phone.read()
                if message is None:
                    return
                if isinstance(message, Request):
                    self._answer(message)
                else:
                    self._follow(message)
            except (ParseError, LocalProtocolError, OSError):
                continue

    def _answer(self, request: Request) -> None:
        dice = self.dice
        if request.method == "ACK":
            return
        if request.method != "INVITE":
            self.send(make_response(request, dice.choice((200, 200, 481, 491, 500)), to_tag=None))
            return
        tag = new_tag()
        headers = [("Contact", self.phone.contact)]
        if dice.random() < 0.4:
            rel = [*headers, ("Require", "100rel"), ("RSeq", "1")]
            rel.append(("Content-Type", "application/sdp"))
            self.send(make_response(request, 183, to_tag=tag, headers=rel, body=SDP))
        status = dice.choice(_STATUSES)
        body = b""
        if status < 300:
            headers.append(("Content-Type", "application/sdp"))
            body = SDP
        if status == 200:
            self._remember(dialog_of_invite(request, tag))
        self.send(make_response(request, status, to_tag=tag, headers=headers, body=body))
        if dice.random() < 0.5:  # so that the call ends
            self.phone.send(make_response(request, 486, to_tag=tag))

    def _follow(self, response: Response) -> None:
        """A 2xx to our INVITE makes a call of ours; a reliable 18x wants its PRACK."""
        if response.cseq.method != "INVITE" or response.status < 180 or response.to_tag is None:
            return
        contacts = response.contacts
        dialog = PhoneDialog(
            response.call_id,
            response.get("From") or "",
            response.get("To") or "",
            str(contacts[0].uri) if contacts else self.phone.uri("x"),
            response.cseq.number,
            self.phone.request("INVITE", "sip:x@y"),
        )
        if response.status < 200:
            if response.has("RSeq"):
                prack = self.phone.within(dialog, "PRACK")
                prack.add("RAck", f"{response.get('RSeq')} {response.cseq.number} INVITE")
                self.send(prack)
        elif response.status < 300:
            self._remember(dialog)
            ack = self.phone.within(dialog, "ACK", response.cseq.number)
            self.send(ack)
            if self.dice.random() < 0.5:
                self.phone.send(ack)

    def _remember(self, dialog: PhoneDialog) -> None:
        """The last few calls; the oldest is hung up."""
        self.dialogs.append(dialog)
        if len(self.dialogs) > 4:
            oldest = self.dialogs.pop(0)
            with contextlib.suppress(LocalProtocolError, OSError):
                self.phone.send(self.phone.within(oldest, "BYE"))
