"""A whole call through the switch, message by message, as a case tells it: from its INVITE to its CDR."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from policy.model import LineState
from switch.call.record import calendar_of
from switch.routing.target import Target, TargetKind
from tests.flows.actors import Actor, Talk, World, sdp

T38 = sdp("101", 9).replace(b"m=audio 40000 RTP/AVP 8 0 101", b"m=image 40002 udptl t38")
LINE = "101"
# Where a call asks for its targets.
DESTINATIONS_OF = "switch.call.incoming.destination_groups"


class Placed:
    """One call of a case, from its INVITE to its CDR."""

    def __init__(self, world: World, case: dict[str, Any], patch: pytest.MonkeyPatch) -> None:
        self.world = world
        self.patch = patch
        self.case = case
        exchange, now = world.exchange, world.now
        if "used_ms" in case:
            cycle = calendar_of(exchange, LINE).cycle_at(round(exchange.wall(now) * 1000))
            used = {"inbound": 0, "outbound": case["used_ms"]}
            crossed = case["crossed"]
            exchange.meters.load(LINE, cycle, used, crossed, now, exchange.wall(now))
        self.phone = world.phone(LINE, case.get("address", "127.0.0.1"))
        self.carrier = world.carrier(1)
        flow = self.carrier.flow
        self.carrier_2 = Actor(world, "elsewhere", flow._replace(remote=("127.0.1.1", 5079)))

    def place(self) -> None:
        case = self.case
        if "from" in case:
            caller, callee = self.carrier_calls(case["from"])
        else:
            caller = self.phone.call(case["dial"])
            if case.get("cancel") and case["dial"] == "112":
                self.cancelled(caller)
                return
            callee = self.carrier.called()
        self.ring(caller, callee)
        if case.get("cancel"):
            self.cancelled(caller)
        elif "final" in case:
            callee.answer(case["final"])
            caller.fails(case["final"])
        else:
            self.talk(caller, callee)

    def carrier_calls(self, number: str) -> tuple[Talk, Talk]:
        """A call comes in; a line that forwards has the switch open its leg to the other carrier."""
        forwarder = self.case.get("forwarded_by")
        if forwarder:
            self.forward_to_second_carrier(forwarder)
        bringing = self.carrier
        caller = bringing.call("+33199000101", from_=f"<sip:{number}@carrier>;tag=in")
        return caller, (self.carrier_2 if forwarder else self.phone).called()

    def forward_to_second_carrier(self, line: str) -> None:
        """What a feature of forwarding will do: the target is a carrier's, on the line's behalf."""
        flow, uri = self.carrier_2.flow, "sip:0145678901@127.0.1.1:5070"
        target = Target(TargetKind.TRUNK, "carrier-1", flow, uri, uri, "vigie", on_behalf_of=line)
        self.patch.setattr(DESTINATIONS_OF, lambda *_: [(target,)])

    def ring(self, caller: Talk, callee: Talk) -> None:
        status = self.case.get("progress", 180)
        callee.answer(status, body=sdp("carrier") if status == 183 else b"")
        caller.expect(status)
        self.pass_time(self.case.get("ring_s", 0))

    def cancelled(self, caller: Talk) -> None:
        caller.cancel()
        self.pass_time(1)
        self.world.after(40)

    def talk(self, caller: Talk, callee: Talk) -> None:
        case, world = self.case, self.world
        answered = world.now
        callee.answer(200, body=sdp("callee"))
        caller.expect(200)
        callee.expect("ACK")
        if case.get("ack_after_s"):
            world.after(case["ack_after_s"])
            assert caller.actor.got.count(200) >= 2, "it was repeated"
        if case.get("ack", True):
            caller.ack()
        if case.get("vanishes"):
            world.after(4_000)
            return
        for step in case.get("steps", ()):
            self.pass_time(answered + step["at"] - world.now)
            self.do(step["do"], caller, callee)
        self.pass_time(answered + case["talk_s"] - world.now)
        if case.get("ack", True):
            self.hang_up(caller, callee)

    def do(self, what: str, caller: Talk, callee: Talk) -> None:
        if what in ("hold", "resume", "reinvite", "t38"):
            direction = "sendonly" if what == "hold" else "sendrecv"
            body = T38 if what == "t38" else sdp(LINE, 2, direction)
            caller.reinvite(body=body)
            callee.actor.reply(callee.expect("INVITE"), 200, body=body)
            callee.expect("ACK")
            caller.expect(200)
            caller.ack()
        elif what == "t38_refused":
            caller.reinvite(body=T38)
            callee.actor.reply(callee.expect("INVITE"), 488)
            callee.expect("ACK")
            caller.fails(488)
        elif what == "suspend":
            self.change(
                lambda line: replace(
                    line,
                    policy=replace(line.policy, state=LineState.SUSPENDED, ground="2(k)(a)"),
                )
            )
        elif what == "per_minute":
            self.change(lambda line: replace(line, plan="per_minute"))
        else:
            pytest.fail(f"unknown step {what}")

    def change(self, changed: Callable[[Any], Any]) -> None:
        """The facts are swapped, as by a command or a reload."""
        facts = self.world.exchange.facts
        line = changed(facts.lines[LINE])
        self.world.exchange.facts = replace(facts, lines={**facts.lines, LINE: line})

    def hang_up(self, caller: Talk, callee: Talk) -> None:
        caller.send("BYE")
        if self.case.get("bye") == "both":
            self.world.after(0.004)
            callee.send("BYE")
        self.pass_time(0.1)

    def pass_time(self, seconds: float) -> None:
        """Both ends answer what keeps the session alive."""
        end = self.world.now + seconds
        while True:
            for actor in (self.phone, self.carrier, self.carrier_2):
                for message in list(actor.inbox):
                    method = getattr(message, "method", "")
                    if method and method != "ACK":
                        actor.inbox.remove(message)
                        actor.reply(
                            message, 200, body=sdp(actor.name) if method == "INVITE" else b""
                        )
                actor.inbox.clear()  # ACKs, and the answers to a BYE
            if self.world.now >= end:
                return
            self.world.after(min(30.0, end - self.world.now))


def outcome(world: World) -> dict[str, Any]:
    """What remains of a case."""
    cdr = world.cdrs[-1]
    usage = [r for r in world.records("usage") if r["line"] == LINE]
    exchange = world.exchange
    cycle = calendar_of(exchange, LINE).cycle_at(round(exchange.wall(world.now) * 1000))
    reading = exchange.meters.reading(LINE, world.now, cycle)
    if cdr["answer"] is not None and cdr["exempt_reason"] is None:
        assert sum(r["counted_ms"] for r in world.cdrs) == sum(r["ms"] for r in usage)
    return {
        **{name: cdr[name] for name in ("disposition", "ending", "direction", "estimated", "plan")},
        "forwarded_by": cdr["forwarded_by"],
        "feature": cdr["feature"] or "",
        "used_ms": reading.used_ms,
        "usage_records": len(usage),
        "crossed": [
            fields["percentage"] for name, fields in world.events if name == "usage.threshold"
        ],
        "audited": next((r["verdict"] for r in world.records("audit")), None),
    }


def next_call(placed: Placed, dialled: str) -> int | str:
    """What a call after the case comes to."""
    placed.world.speakers.free = 0  # a refusal is told by its status, at once
    for actor in (placed.phone, placed.carrier):
        actor.inbox.clear()
    placed.phone.call(dialled)
    if any(getattr(message, "method", "") == "INVITE" for message in placed.carrier.inbox):
        return "routed"
    statuses = [message.status for message in placed.phone.inbox if hasattr(message, "status")]
    return statuses[-1] if statuses else "nothing"
