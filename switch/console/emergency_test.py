"""`emergency.test`: an emergency call walked to the trunks' OPTIONS, and no call placed.

The decision is the live engine's, the INVITEs are written by what writes them in a call, and each is
shown as it would leave: octets, transport, fields. OPTIONS go to every path that they would take, by
the same sockets; an answer shows that somebody is there, not that a centre would be reached. What is
weak is told in sentences (weaknesses.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from policy.explain import as_dict
from policy.model import Action, ToEmergency
from switch.call.emergency_media import speech_only
from switch.call.exchange import Exchange
from switch.call.identity import Caller
from switch.call.invitation import Wording, write_invite
from switch.call.vocabulary import Body
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.rehearsal import Rehearsal, known_line, rehearse
from switch.console.weaknesses import Outlook, Path, Sent, weaknesses
from switch.dialog.dialog import host_port
from switch.routing.dialplan import EMERGENCY_ROUTE
from switch.routing.target import Target
from switch.sip.flow import Flow
from switch.sip.ids import new_tag
from switch.sip.message import Request
from switch.trunk.enquiry import Enquiry

# Longer than any carrier may take that isn't given up in a call (no_100_s).
PATIENCE_S: Final = 3.0
DEFAULT_DIAL: Final = "18"

# What a desk phone offers, so that the INVITE is as large as a real one.
OFFER: Final = Body(
    "application/sdp",
    b"v=0\r\no=- 4711 4711 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 8 0 9 18 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    b"a=rtpmap:9 G722/8000\r\na=rtpmap:18 G729/8000\r\na=fmtp:18 annexb=no\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n",
)


class EmergencyTest:
    """Over one exchange. `workers` tells how many media workers run."""

    def __init__(
        self, exchange: Exchange, perform: Callable[[], None], workers: Callable[[], int]
    ) -> None:
        self._exchange = exchange
        self._perform = perform
        self._workers = workers

    def table(self) -> dict[str, UseCase]:
        """The command by name."""
        return {"emergency.test": self.test}

    async def test(self, args: Args) -> object:
        """Walk the path of `dial` (18) from `line`."""
        exchange = self._exchange
        line = known_line(exchange, args)
        dialled = str(args.get("dial") or DEFAULT_DIAL)
        if exchange.rules.emergency.classify(dialled) is None:
            raise CommandRefused("bad_args", f"{dialled} is no emergency number")
        found = rehearse(exchange, {**args, "dial": dialled}, line, f"test-{new_tag()}")
        sent = [self._sent(found, target) for target in found.targets]
        paths = await self._ask(sent)
        weak = weaknesses(self._outlook(line, found, sent, paths))
        decision = found.decision
        is_ready = decision.action is Action.CONNECT and any(path.answers for path in paths)
        return {
            "line": line,
            "dialled": dialled,
            "source_ip": found.request.source_ip,
            "ready": is_ready,
            **as_dict(decision),
            "location": self._location(found),
            "targets": [_target_shown(each) for each in sent],
            "trunks": [_path_shown(path) for path in paths],
            "weak": [{"slug": slug, "text": text} for slug, text in weak],
        }

    def _sent(self, found: Rehearsal, target: Target) -> Sent:
        wording = Wording(
            Caller(found.decision.caller_number),
            new_tag(),
            speech_only(OFFER),
            [],
            self._exchange.settings.max_forwards - 1,
            True,
            self._exchange.settings,
        )
        flow, invite = write_invite(target, wording)
        return Sent(target, flow, invite)

    async def _ask(self, sent: list[Sent]) -> list[Path]:
        """OPTIONS to each next hop of the emergency route, and to the paths of the INVITEs."""
        exchange, now = self._exchange, boottime()
        loop = asyncio.get_running_loop()
        waits: list[Awaitable[Enquiry]] = []
        enquiries: list[tuple[str, Enquiry]] = []
        for trunk, host, flow in self._paths(sent):
            answered: asyncio.Future[Enquiry] = loop.create_future()
            enquiry = Enquiry(host, flow, exchange.transactions, answered.set_result, now)
            enquiries.append((trunk, enquiry))
            waits.append(answered)
        self._perform()
        if waits:
            await asyncio.wait([asyncio.ensure_future(w) for w in waits], timeout=PATIENCE_S)
        for _, enquiry in enquiries:
            enquiry.give_up()
        return [
            Path(trunk, each.flow, each.status, each.answer_s, each.reason)
            for trunk, each in enquiries
        ]

    def _paths(self, sent: list[Sent]) -> list[tuple[str, str, Flow]]:
        """(trunk, host, flow) of all ways out, each once, in the order of the call."""
        trunks, route = self._exchange.trunks, self._exchange.routes.get(EMERGENCY_ROUTE)
        found: dict[tuple[str, Flow], str] = {}
        for each in sent:
            known = trunks.by_id.get(each.target.label)
            if known is not None:
                found.setdefault((each.target.label, each.flow), known.carrier.host)
        for hop in route.hops if route is not None else ():
            known = trunks.by_id.get(hop.trunk)
            for next_hop in known.hops if known is not None else ():
                carrier = next_hop.carrier
                found.setdefault((hop.trunk, carrier.flow), carrier.host)
        return [(trunk, host, flow) for (trunk, flow), host in found.items()]

    def _outlook(self, line: str, found: Rehearsal, sent: list[Sent], paths: list[Path]) -> Outlook:
        exchange = self._exchange
        return Outlook(
            decision=found.decision,
            line=exchange.facts.lines[line],
            is_registered=bool(exchange.registrar.bindings(line, boottime())),
            route=tuple(hop.trunk for hop in exchange.routes[EMERGENCY_ROUTE].hops),
            trunks=exchange.trunks.by_id,
            sent=tuple(sent),
            paths=tuple(paths),
            has_table=bool(exchange.psap.version),
            workers=self._workers(),
            slow_s=exchange.settings.no_100_s / 3,
        )

    def _location(self, found: Rehearsal) -> dict[str, object] | None:
        destination = found.decision.destination
        if not isinstance(destination, ToEmergency):
            return None
        place = destination.location
        return {
            "insee": place.insee,
            "civic": dict(place.civic),
            "version": place.version,
            "validated": place.validated,
            "confirmed": place.confirmed,
        }


def body_types(invite: Request) -> list[str]:
    """What the body holds."""
    kinds = ["application/sdp"] if b"application/sdp" in invite.body else []
    content_type = invite.get("Content-Type") or ""
    if not content_type.startswith("multipart/"):
        return [content_type] if content_type else []
    return [*kinds, "application/pidf+xml"]


def _target_shown(sent: Sent) -> dict[str, Any]:
    target, invite = sent.target, sent.invite
    return {
        "trunk": target.label,
        "profile": target.profile,
        "shortfall": target.shortfall or None,
        "transport": sent.flow.transport,
        "remote": host_port(sent.flow.remote),
        "octets": len(invite.to_bytes()),
        "request_uri": invite.uri,
        "body_types": body_types(invite),
        "headers": [list(field) for field in zip(invite.names, invite.values, strict=True)],
    }


def _path_shown(path: Path) -> dict[str, Any]:
    return {
        "trunk": path.trunk,
        "transport": path.flow.transport,
        "remote": host_port(path.flow.remote),
        "answers": path.answers,
        "status": path.status or None,
        "answer_ms": round(path.answer_s * 1000, 1) if path.status else None,
        "reason": path.reason or None,
    }
