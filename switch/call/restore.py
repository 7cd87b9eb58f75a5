"""After a restart: from the journal's records to live calls (see `journal`).

Local CSeqs jump ahead, since the last requests may have left unrecorded. Every dialog that is taken
back is probed within half a minute; one whose peer is gone is closed at the last sign of life.
"""

import random
from collections.abc import Iterable, Mapping
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
from switch.usage.cdr import CdrAttempt

PROBE_WITHIN_S = 30.0  # all dialogs are asked once within this time, so that phones aren't flooded
JUST_ENDED_MS = 32_000  # a BYE may be repeated for 64*T1; older ends were heard


def restore_calls(exchange: Exchange, records: Iterable[Record], now: float) -> int:
    """Take the journal's calls back; how many go on."""
    replayed = Replayed(records)
    utc_ms = exchange.wall(now) * 1000
    for state in replayed.live.values():
        if (closed := replayed.closed_at(state)) is not None:
            _finish(exchange, state, replayed.counted, closed, now)
        elif state["state"] == "up":
            _resume(exchange, state, now)
        else:
            _end_setup(exchange, state, now)
    for state, cdr in replayed.ended.values():
        if utc_ms - cdr["end"] < JUST_ENDED_MS:
            _repeat_end(exchange, state, cdr, now)
    _drop_orphans(exchange)
    return len(exchange.calls)


def _drop_orphans(exchange: Exchange) -> None:
    """Legs that are metered for no call: the journal was torn before the call's own record, so its
    200 never left. A leg whose ACK came ended with the node's last sign of life."""
    owned = {leg.id for call in exchange.calls.values() for leg in call.record.legs}
    for leg_id in exchange.meters.live_legs():
        if leg_id not in owned:
            exchange.meters.abandon(leg_id)


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
    if state["callee"]["spoken"]:  # the media worker died with the switch: silence helps nobody
        call.disconnect_all("switch_restarted", now)
        call.end("switch_restarted", "switch", call.lived_until)
    if now - (call.record.answer or now) < JUST_ENDED_MS / 1000:
        _cancel_losers(exchange, state, now)


def _repeat_end(exchange: Exchange, state: Record, cdr: Record, now: float) -> None:
    """A call that had just ended: its last messages may never have left."""
    if state["state"] == "up" or _is_heard(state):
        for side in ("caller", "callee"):
            if state[side] is not None:
                _restore_leg(exchange, state[side], now).disconnect("ok", now)
    elif state["invite"] is not None:
        _refuse(exchange, state, cdr["sip_status"], cdr["ending"], now)
    _cancel_losers(exchange, state, now)


def _cancel_losers(exchange: Exchange, state: Record, now: float) -> None:
    """Targets that another one outran, or that the caller gave up."""
    for branch in state["branches"]:
        if branch.get("invite") is not None:
            _give_up(_restore_branch(exchange, branch), branch, now, resend=False)


def _is_heard(state: Record) -> bool:
    """Whether the caller was answered already, to hear words before its target is tried."""
    caller = state["caller"]
    return caller is not None and (caller["has_acked"] or caller.get("ok") is not None)


def _refuse(exchange: Exchange, state: Record, status: int, slug: str, now: float) -> None:
    """The final response to the caller's INVITE, once more or at last."""
    invite = _read_request(state["invite"])
    tx = exchange.transactions.receive_request(invite, _flow(state["caller"]["flow"]), now)
    if tx is not None:
        headers = ending_headers(slug, exchange.settings.host)
        tag = state["caller"]["tag"]
        tx.respond(make_response(invite, status, to_tag=tag, headers=headers), now)


def _finish(
    exchange: Exchange, state: Record, counted: Mapping[str, int], utc_ms: int, now: float
) -> None:
    """A call whose meters were stopped at `utc_ms`, and whose CDR the journal lost: it had ended."""
    call = _restore_call(exchange, state, now)
    call.state = CallState.CONNECTED
    call.caller = _restore_leg(exchange, state["caller"], now)
    call.callee = _restore_leg(exchange, state["callee"], now)
    for leg in call.record.legs:
        leg.counted_ms = counted.get(leg.id, 0)
    call.disconnect_all("ok", now)
    call.end("ok", "switch", now - (exchange.wall(now) - utc_ms / 1000))


def _end_setup(exchange: Exchange, state: Record, now: float) -> None:
    """A call that was not answered yet ends at both ends: the caller may dial again at once."""
    call = _restore_call(exchange, state, now)
    slug = "switch_restarted"
    if _is_heard(state):
        _restore_leg(exchange, state["caller"], now).disconnect(slug, now)
    elif state["invite"] is not None:
        _refuse(exchange, state, ENDINGS[slug].status, slug, now)
    for branch in state["branches"]:
        if branch.get("invite") is not None:
            _cancel_branch(exchange, branch, now)
    call.refuse(ENDINGS[slug].status, slug, [], now)


def _cancel_branch(exchange: Exchange, state: Record, now: float) -> None:
    """The INVITE is repeated with its branch (a retransmission to the callee) and cancelled; a 200
    that comes all the same is acknowledged and hung up."""
    _give_up(_restore_branch(exchange, state), state, now, resend=True)


def _give_up(leg: CalleeLeg, state: Record, now: float, *, resend: bool) -> None:
    """Cancel an INVITE of the process before. `resend` repeats it first, with its own branch, since it
    may never have left; else nothing rings anew."""
    invite = leg.invite = _read_request(state["invite"])
    leg.cseq, leg.started_at = invite.cseq.number, now
    transactions = leg.exchange.transactions
    if resend:
        leg.invite_tx = transactions.request(invite, leg.flow, leg, now)
    else:
        leg.invite_tx = transactions.resume(invite, leg.flow, leg)
    leg.cancel(now)


def _restore_branch(exchange: Exchange, state: Record) -> CalleeLeg:
    """A target that had an INVITE and gave no answer yet."""
    flow = _flow(state["flow"])
    target = Target(TargetKind.BINDING, state["label"], flow, state["invite"]["uri"], "", "")
    leg = CalleeLeg(exchange, None, target)
    exchange.legs.pop(leg.local_tag, None)
    leg.local_tag = state["tag"]
    exchange.legs[leg.local_tag] = leg
    return leg


def _restore_call(exchange: Exchange, state: Record, now: float) -> Call:
    dialled, line, source_ip, at, trunk, caller = state["request"]
    given = state["decision"]
    decision = Decision(
        NumberClass(given["class"]),
        Action(given.get("action", Action.CONNECT)),
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
    record.override, record.is_fax = override, bool(state.get("fax"))
    record.facts, record.decided = state.get("facts"), decision
    record.has_left = state["state"] == "up"
    if state["answer"] is not None:
        record.answer = state["answer"] + shift
        record.offset_ms = state["wall"] - round(record.start * 1000)
        record.forwarded_by = state.get("forwarded_by")
    record.attempts = [
        (None, CdrAttempt(*tried), profile) for *tried, profile in state.get("attempts", ())
    ]
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
