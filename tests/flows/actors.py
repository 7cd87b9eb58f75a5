"""Phones and carriers around a switch without I/O, whose time is jumped.

An actor puts datagrams into the core and reads what the outbox sends to its address. A flow then
reads as a ladder of RFC 3665: who sends, who gets what.
"""

from itertools import count
from pathlib import Path
from typing import Any

import orjson

from switch import config
from switch.app import build_exchange
from switch.call.registered_from import resume
from switch.call.restore import restore_calls
from switch.core import Core
from switch.settings import HostPort
from switch.sip.build import make_ack_non2xx, make_request, make_response
from switch.sip.digest import Challenge, authorize, choose_challenge
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.parser import parse
from tests.flows.talk import SDP, Talk, established, hang_up, sdp, serial

SWITCH = ("127.0.0.1", 5060)
DEMO = Path(__file__).parents[2] / "configs" / "demo"
__all__ = ["Actor", "Talk", "World", "established", "hang_up", "sdp"]


class Speakers:
    """The media workers: `free` of them, each at an address of its own."""

    def __init__(self, free: int = 4) -> None:
        self.free = free
        self.asked: list[str] = []
        self.released: list[int] = []
        self._ports = count(30000)

    def acquire(self, announcement: str, urgent: bool) -> tuple[str, int] | None:
        self.asked.append(announcement)
        if not self.free:
            return None
        self.free -= 1
        return ("127.0.0.9", next(self._ports))

    def release(self, port: int) -> None:
        self.free += 1
        self.released.append(port)


class World:
    """The switch, its time, and the wire between it and the actors."""

    def __init__(self, found: config.Configuration, now: float = 1000.0) -> None:
        self.found = found
        self.now = now
        self.speakers = Speakers()
        listening = {"UDP": [HostPort(*SWITCH)], "TCP": [HostPort(*SWITCH)]}
        self.exchange = build_exchange(found, {}, self.speakers, listening, b"a key of 16 bytes")
        self.core = Core(self.exchange)
        self.actors: dict[tuple[str, tuple[str, int]], Actor] = {}
        self.journal: list[bytes] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self.strays: list[tuple[Flow, bytes]] = []

    def join(self, actor: "Actor") -> None:
        self.actors[actor.flow.transport, actor.flow.remote] = actor

    def phone(self, line: str, host: str = "127.0.0.1", port: int = 0) -> "Actor":
        """A registered phone of a line."""
        flow = Flow("UDP", SWITCH, (host, port or 20000 + next(serial) % 40_000))
        phone = Actor(self, line, flow, f"demo-{line}")
        phone.register()
        return phone

    def carrier(self, number: int = 1, transport: str = "") -> "Actor":
        """One of the demo's two carriers: the first by UDP, the second by TCP."""
        transport = transport or ("UDP" if number == 1 else "TCP")
        local = SWITCH
        return Actor(
            self, f"carrier-{number}", Flow(transport, local, ("127.0.1.1", 5069 + number))
        )

    def speaker(self, port: int = 30000) -> "Actor":
        """The media worker that was acquired at `port`."""
        return Actor(self, "announcer", Flow("UDP", SWITCH, ("127.0.0.9", port)))

    def deliver(self, data: bytes, flow: Flow) -> None:
        if flow.transport == "UDP":
            self.core.on_datagram(data, flow, self.now, self.now)
        else:
            self.core.on_message(parse(data), flow, self.now)
        self.pump()

    def pump(self) -> None:
        """Hand out what the switch sends; loop while a carrier that is not there refuses."""
        outbox = self.exchange.outbox
        self.journal += outbox.journal
        self.events += outbox.events
        datagrams = list(outbox.datagrams)
        outbox.clear()
        for flow, data in datagrams:
            actor = self.actors.get((flow.transport, flow.remote))
            if actor is None:
                self.strays.append((flow, data))
            else:
                actor.receive(parse(data))

    def after(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self.now + seconds
        while (at := self.exchange.wheel.next_at()) is not None and at <= end:
            self.now = max(self.now, at)
            self.exchange.received_at = self.now
            self.exchange.wheel.fire(self.now)
            self.pump()
        self.now = end

    def lose_flow(self, actor: "Actor") -> None:
        """What was sent to the actor can't arrive."""
        self.core.on_transport_error(actor.flow, self.now)
        self.pump()

    def records(self, kind: str) -> list[dict[str, Any]]:
        return [r for r in map(orjson.loads, self.journal) if r.get("k") == kind]

    @property
    def cdrs(self) -> list[dict[str, Any]]:
        return self.records("cdr")

    def restarted(self, journal: list[bytes] | None = None, after: float = 1.0) -> "World":
        """The switch was killed; this is the next one, with the same journal and the same actors."""
        world = type(self)(self.found, self.now + after)
        world.journal = list(self.journal if journal is None else journal)
        world.exchange.boot_id = self.exchange.boot_id
        records = [orjson.loads(record) for record in world.journal]
        exchange, utc = world.exchange, world.exchange.wall(world.now)
        exchange.sightings.restore(records, world.now)
        exchange.registrar.restore(records, world.now, utc)
        for record in records:
            exchange.meters.restore(record, world.now, utc)
            exchange.caps.restore(record)
        exchange.meters.restored()
        exchange.callbacks.restore(records, utc)
        exchange.unheard.restore(records, world.now, utc)
        for actor in self.actors.values():
            actor.world = world
            actor.inbox.clear()
            world.join(actor)
        resume(exchange, world.now)
        restore_calls(exchange, records, world.now)
        world.pump()
        return world

    def assert_idle(self) -> None:
        """Nothing is left once every timer of a dead dialog has run out."""
        self.after(70)
        exchange = self.exchange
        assert not exchange.calls
        assert not exchange.legs
        assert not exchange.invites
        assert not exchange.live_by_line
        assert exchange.transactions.server_count == exchange.transactions.client_count == 0
        assert all(trunk.calls == 0 for trunk in exchange.trunks.by_id.values())


class Actor:
    """A phone or a carrier at one address."""

    def __init__(self, world: World, name: str, flow: Flow, password: str = "") -> None:
        self.world = world
        self.name = name
        self.flow = flow
        self.password = password
        self.inbox: list[Request | Response] = []
        self.record: list[tuple[str, Request | Response]] = []  # ("in" or "out", message)
        self.challenge: Challenge | None = None
        self.uses = 0
        self.cseq = 0
        self.tryings = 0
        self.registration = f"reg-{next(serial)}@{name}"
        host, port = flow.remote
        self.contact = f"<sip:{name}@{host}:{port};x-kept=yes>"
        world.join(self)

    # -- the wire ------------------------------------------------------------------------------

    def put(self, message: Request | Response) -> None:
        """Send; also to repeat what was sent."""
        self.record.append(("out", message))
        self.world.deliver(message.to_bytes(), self.flow)

    def receive(self, message: Request | Response) -> None:
        """A 100 says nothing to a flow (§17.2.1: it may come or not): it is counted."""
        self.record.append(("in", message))
        if isinstance(message, Response) and message.status == 100:
            self.tryings += 1
        else:
            self.inbox.append(message)

    def expect(self, what: str | int) -> Any:
        """The next message that came: a request by its method, a response by its status."""
        assert self.inbox, f"{self.name} waits for {what} and nothing came"
        message = self.inbox.pop(0)
        came = message.method if isinstance(message, Request) else message.status
        assert came == what, (
            f"{self.name} waits for {what}, got {came}\n{message.to_bytes().decode()}"
        )
        return message

    @property
    def got(self) -> list[str | int]:
        """Methods and statuses of what came and wasn't looked at; they are taken."""
        inbox, self.inbox = self.inbox, []
        return [m.method if isinstance(m, Request) else m.status for m in inbox]

    def silent(self) -> None:
        assert self.got == []

    def via(self) -> str:
        host, port = self.flow.remote
        return f"SIP/2.0/{self.flow.transport} {host}:{port};branch=z9hG4bK{next(serial)};rport"

    def request(
        self,
        method: str,
        uri: str,
        *headers: tuple[str, str],
        to: str = "",
        tag: str = "",
        call_id: str = "",
        body: bytes = b"",
        content_type: str = SDP,
        **changed: str,
    ) -> Request:
        """A request of this actor, not yet sent. `changed` replaces a field (`from_`, `contact`...)."""
        self.cseq += 1
        fields = {
            "Via": self.via(),
            "Max-Forwards": "70",
            "From": f"<sip:{self.name}@vigie>;tag={tag or next(serial)}",
            "To": to or f"<{uri}>",
            "Call-ID": call_id or f"{next(serial)}@{self.name}",
            "CSeq": f"{self.cseq} {method}",
            "Contact": self.contact,
        }
        for key, value in changed.items():
            fields[key.strip("_").replace("_", "-").title()] = value
        if body:
            fields["Content-Type"] = content_type
        return make_request(method, uri, [*fields.items(), *headers], body)

    def ask(
        self, method: str, uri: str = "sip:vigie", *headers: tuple[str, str], **more: Any
    ) -> Request:
        """Send a request outside any dialog."""
        request = self.request(method, uri, *headers, **more)
        self.put(request)
        return request

    def reply(
        self,
        request: Request,
        status: int,
        *headers: tuple[str, str],
        tag: str = "",
        body: bytes = b"",
    ) -> Response:
        """Answer a request."""
        fields = list(headers)
        if 100 < status < 300:
            fields.append(("Contact", self.contact))
        if body:
            fields.append(("Content-Type", SDP))
        response = make_response(
            request,
            status,
            to_tag=None if status == 100 else tag or self.name,
            headers=fields,
            body=body,
        )
        self.put(response)
        return response

    # -- digest --------------------------------------------------------------------------------

    def authorized(self, request: Request) -> Request:
        """The request with an answer to the last challenge, if there was one."""
        if self.challenge is not None and self.password:
            self.uses += 1
            request.set(
                "Authorization",
                authorize(
                    self.challenge,
                    self.name,
                    self.password,
                    request.method,
                    request.uri,
                    self.uses,
                    "c",
                ),
            )
        return request

    def take_challenge(self, response: Response) -> None:
        self.challenge = choose_challenge(response.get_all("WWW-Authenticate"))
        self.uses = 0
        assert self.challenge is not None

    def register(
        self, expires: int = 3600, contact: str = "", *headers: tuple[str, str]
    ) -> Response:
        """REGISTER, 401, REGISTER; the final response."""
        uri = "sip:vigie"

        def send() -> Response:
            request = self.request(
                "REGISTER",
                uri,
                ("Expires", str(expires)),
                *headers,
                to=f"<sip:{self.name}@vigie>",
                call_id=self.registration,
                contact=contact or self.contact,
            )
            self.put(self.authorized(request))
            answer = self.inbox.pop(0)
            assert isinstance(answer, Response)
            return answer

        response = send()
        if response.status == 401:
            self.take_challenge(response)
            response = send()
        return response

    # -- calls ---------------------------------------------------------------------------------

    def call(
        self,
        number: str,
        *headers: tuple[str, str],
        body: bytes | None = None,
        uri: str = "",
        **changed: str,
    ) -> "Talk":
        """Send an INVITE, answer a challenge to it; what comes then is to be expected."""
        body = sdp(self.name) if body is None else body
        call_id, tag = f"{next(serial)}@{self.name}", f"tag-of-{self.name}-{next(serial)}"

        def send() -> Request:
            where = uri or f"sip:{number}@vigie"
            invite = self.request(
                "INVITE", where, *headers, call_id=call_id, tag=tag, body=body, **changed
            )
            self.put(self.authorized(invite))
            return invite

        invite = send()
        if self.password and self.inbox and getattr(self.inbox[0], "status", 0) == 401:
            refusal = self.expect(401)
            self.take_challenge(refusal)
            self.put(make_ack_non2xx(invite, refusal))
            invite = send()
        return Talk(self, invite, is_caller=True)

    def called(self) -> "Talk":
        """Take the INVITE that came."""
        return Talk(self, self.expect("INVITE"), is_caller=False)
