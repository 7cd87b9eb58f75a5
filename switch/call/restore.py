"""After a restart: from the journal's records to live calls (see `journal`).

Local CSeqs jump ahead, since the last requests may have left unrecorded. Every dialog that is taken
back is probed within half a minute; one whose peer is gone is closed at the last sign of life.
"""

import random
from collections.abc import Iterable
from typing import Any

from policy.model import (
    Action,
    CallRequest,
    Decision,
    Destination,
    Evidence,
    EvidenceLevel,
    Location,
    NumberClass,
    ToEmergency,
    ToFeature,
    ToLine,
    ToNumber,
)
from switch.call.answered import Repeated2xx
from switch.call.call import Call
from switch.call.callee_leg import CalleeLeg
from switch.call.capping import start_capped
from switch.call.ending import ENDINGS, ending_headers
from switch.call.exchange import Exchange
from switch.call.identity import Caller
from switch.call.journal import Record, Replayed
from switch.call.leg import Leg
from switch.call.record import CallRecord, MeteredLeg
from switch.call.state import CallState, LegState
from switch.call.vocabulary import Body
from switch.dialog.dialog import RESTORE_CSEQ_JUMP, Dialog
from switch.dialog.session_timer import SessionTimer
from switch.routing.target import Target, TargetKind
from switch.sip.build import make_response
from switch.sip.flow import Flow
from switch.sip.message import Request

PROBE_WITHIN_S = 30.0  # all dialogs are asked once within this time, so that phones aren't flooded
JUST_ENDED_MS = 32_000  # a BYE may be repeated for 64*T1; older ends were heard


def restore_calls(exchange: Exchange, records: Iterable[Record], now: float) -> int:
    """Take the journal's calls back; how many go on."""
    replayed = Replayed(records)
    utc_ms = exchange.wall(now) * 1000
    for state in replayed.live.values():
        if state["state"] == "up":
            _resume(exchange, state, now)
        else:
            _end_setup(exchange, state, now)
    for state, end_ms in replayed.ended.values():
        if state["state"] == "up" and utc_ms - end_ms < JUST_ENDED_MS:
            for side in ("caller", "callee"):
                _restore_leg(exchange, state[side], now).disconnect("ok", now)
    return len(exchange.calls)


class _Probe:
    """Asks a restored leg's peer whether it still knows the dialog."""

    def __init__(self, leg: Leg) -> None:
        self.leg = leg

    def on_timer(self, name: str, now: float) -> None:
        """Ask."""
        self.leg.probe(now)


def _resume(exchange: Exchange, state: Record, now: float) -> None:
    """A call that was up goes on."""
    call = _restore_call(exchange, state, now)
    call.state = CallState.CONNECTED
    call.caller = _restore_leg(exchange, state["caller"], now)
    call.callee = _restore_leg(exchange, state["callee"], now)
    call.lived_until = exchange.meters.last_beat or now
    if call.record.answer is not None:
        start_capped(call, call.record.answer)
    for leg in (call.caller, call.callee):
        leg.call = call
        at = now + random.random() * PROBE_WITHIN_S
        exchange.wheel.arm(at, _Probe(leg), "probe")


def _end_setup(exchange: Exchange, state: Record, now: float) -> None:
    """A call that was not answered yet ends at both ends: the caller may dial again at once."""
    call = _restore_call(exchange, state, now)
    slug = "switch_restarted"
    if state["invite"] is not None:
        invite = _read_request(state["invite"])
        tx = exchange.transactions.receive_request(invite, _flow(state["caller"]["flow"]), now)
        if tx is not None:
            headers = ending_headers(slug, exchange.settings.host)
            status = ENDINGS[slug].status
            tag = state["caller"]["tag"]
            tx.respond(make_response(invite, status, to_tag=tag, headers=headers), now)
    for branch in state["branches"]:
        if branch.get("invite") is not None:
            _cancel_branch(exchange, branch, now)
    call.refuse(ENDINGS[slug].status, slug, [], now)


def _cancel_branch(exchange: Exchange, state: Record, now: float) -> None:
    """The INVITE is repeated with its branch (a retransmission to the callee) and cancelled; a 200
    that comes all the same is acknowledged and hung up."""
    flow = _flow(state["flow"])
    target = Target(TargetKind.BINDING, state["label"], flow, state["invite"]["uri"], "", "")
    leg = CalleeLeg(exchange, None, target)
    exchange.legs.pop(leg.local_tag, None)
    leg.local_tag = state["tag"]
    exchange.legs[leg.local_tag] = leg
    leg.resend_and_cancel(_read_request(state["invite"]), now)


def _restore_call(exchange: Exchange, state: Record, now: float) -> Call:
    dialled, line, source_ip, at, trunk, caller = state["request"]
    given = state["decision"]
    decision = Decision(
        NumberClass(given["class"]),
        Action.CONNECT,
        given["reason"],
        given["rule"],
        given["clause"],
        _destination(given["destination"], NumberClass(given["class"])),
        Evidence(EvidenceLevel(given["level"]), ()),
        audit=given["audit"],
        exempt_reason=given["exempt_reason"],
        caller_number=given["caller_number"],
    )
    request = CallRequest(dialled, line, source_ip, at, trunk, caller=caller)
    dst_raw, sip_call_id, caller_trunk, override = state["record"]
    # Boottime means something within one boot only; else the wall clock has to do.
    shift = 0.0
    if state["boot"] != exchange.boot_id:
        shift = now - (exchange.wall(now) - state["wall"] / 1000) - state["start"]
    record = CallRecord(state["start"] + shift, dst_raw, sip_call_id, caller_trunk)
    record.override = override
    if state["answer"] is not None:
        record.answer = state["answer"] + shift
    record.legs = [MeteredLeg(*metered) for metered in state["metered"]]
    identity = Caller(state["identity"][0], "", state["identity"][1])
    call = Call(state["id"], exchange, request, decision, identity, record)
    call.opened()
    return call


def _restore_leg(exchange: Exchange, state: dict[str, Any], now: float) -> Leg:
    leg = Leg(exchange, None, _flow(state["flow"]), state["tag"])
    leg.label, leg.aor, leg.is_trunk = state["label"], state["aor"], state["is_trunk"]
    leg.state, leg.has_acked = LegState.CONFIRMED, state["has_acked"]
    leg.peer_takes_update = state["update"]
    leg.in_body, leg.out_body = _read_body(state["in"]), _read_body(state["out"])
    if state.get("dialog") is not None:
        leg.dialog = _read_dialog(state["dialog"])
    if state.get("ok") is not None:
        cseq, data, had_offer = state["ok"]
        leg.state = LegState.ANSWERED
        leg.ok = Repeated2xx(leg, exchange, cseq, data.encode("latin-1"), leg.flow, now)
        leg.ok.had_offer = had_offer
        exchange.outbox.send(leg.flow, leg.ok.data)
    if state.get("ack") is not None:
        leg.ack = (state["ack"][0], state["ack"][1].encode("latin-1"), leg.flow)
    if state["timer"] is not None:
        leg.session.start(SessionTimer(*state["timer"]), now)
    return leg


def _destination(given: list[Any] | None, number_class: NumberClass) -> Destination | None:
    match given:
        case ["line", line]:
            return ToLine(line)
        case ["number", number]:
            return ToNumber(number, number_class, "")
        case ["emergency", number, urn, insee, version]:
            return ToEmergency(number, urn, Location(insee, {}, version))
        case ["feature", name]:
            return ToFeature(name)
        case _:
            return None


def _read_request(state: Record) -> Request:
    names = [name for name, _ in state["fields"]]
    values = [value for _, value in state["fields"]]
    return Request(state["method"], state["uri"], names, values)


def _read_dialog(state: list[Any]) -> Dialog:
    call_id, local, local_tag, remote, remote_tag, lcseq, rcseq, target, routes, flow = state
    return Dialog(
        call_id,
        local,
        local_tag,
        remote,
        remote_tag,
        local_cseq=lcseq + RESTORE_CSEQ_JUMP,
        remote_cseq=rcseq,
        remote_target=target,
        route_set=tuple(routes),
        flow=_flow(flow),
    )


def _flow(state: list[Any]) -> Flow:
    """A flow without its connection: that died with the process."""
    transport, local, remote = state
    return Flow(transport, (local[0], local[1]), (remote[0], remote[1]))


def _read_body(state: list[str] | None) -> Body | None:
    return None if state is None else Body(state[0], state[1].encode("latin-1"))
