"""Calls in the journal, and calls taken back from it: they survive the death of the process.

A record holds all of a call: who, where to, why, and per leg the dialog (Call-ID, tags, both CSeqs,
route set, remote target, flow, session timer) and what was under way. It is written before the
datagrams that it speaks of leave. At a start, calls that were up go on; calls in set-up are ended at
both ends; calls that had just ended are hung up once more, in case the BYE never left. A call's end
is its CDR.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import orjson

from switch.call import audit
from switch.call.callee_leg import CalleeLeg
from switch.call.caller_leg import CallerLeg
from switch.call.leg import Leg
from switch.call.record import MeteredLeg
from switch.call.vocabulary import Body
from switch.dialog.dialog import Dialog
from switch.routing.target import TargetKind
from switch.sip.message import Request

if TYPE_CHECKING:
    from switch.call.call import Call

# What a CANCEL, an ACK or a final response is made of (RFC 3261 §8.2.6.2, §9.1).
_KEPT = frozenset({"Via", "Route", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact"})

Record = Mapping[str, Any]


def setup_record(call: "Call") -> bytes:
    """A call in set-up, with the INVITEs that are open."""
    return _call(call, "setup", [leg_state(branch) for branch in call.branches])


def answered_record(call: "Call", losers: Iterable[CalleeLeg] = ()) -> bytes:
    """A call whose 200 is about to leave, and the targets that are cancelled with it."""
    return _call(call, "up", [leg_state(branch) for branch in losers])


def acknowledged_record(call: "Call") -> bytes:
    """The caller's ACK came: its 200 is no longer repeated."""
    return orjson.dumps({"k": "ack", "id": call.id})


def refreshed_record(call: "Call", leg: Leg) -> bytes:
    """A leg of a live call changed: target, media, timer or sequence numbers."""
    side = "caller" if leg is call.caller else "callee"
    changed = {"k": "leg", "id": call.id, "side": side, "leg": leg_state(leg)}
    # What turned to fax once was one, also when it is speech again: the SDP that is kept wouldn't tell.
    return orjson.dumps({**changed, "fax": True} if call.record.is_fax else changed)


def live_records(calls: Iterable["Call"]) -> Iterator[bytes]:
    """Restate all calls, for the head of a new journal segment."""
    for call in calls:
        if call.callee is not None:
            yield answered_record(call)
            if call.caller is not None and call.caller.has_acked:
                yield acknowledged_record(call)
        else:
            yield setup_record(call)


class Replayed:
    """What the journal says of calls, at its end: those that live, and those that just ended."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.live: dict[str, dict[str, Any]] = {}
        self.ended: dict[str, tuple[dict[str, Any], Record]] = {}
        self.counted: dict[str, int] = {}
        """Milliseconds that legs counted, by their id."""
        self._closed: dict[str, int] = {}
        for record in records:
            self._take(record)

    def closed_at(self, call: Record) -> int | None:
        """When the meters of a call that has no CDR were stopped (UTC ms); None while it is up."""
        ends = [self._closed[leg[0]] for leg in call["metered"] if leg[0] in self._closed]
        return max(ends, default=None)

    def _take(self, record: Record) -> None:
        match record.get("k"):
            case "usage":
                counted = record["ms"] if record["counts"] else 0
                self.counted[record["leg"]] = self.counted.get(record["leg"], 0) + counted
                if record["final"]:
                    self._closed[record["leg"]] = record["at"]
            case "call":
                self.live[record["id"]] = dict(record)
            case "ack" if record["id"] in self.live:
                caller = self.live[record["id"]]["caller"]
                caller["ok"], caller["has_acked"] = None, True
            case "leg" if record["id"] in self.live:
                call = self.live[record["id"]]
                call[record["side"]] = record["leg"]
                call["fax"] = record.get("fax", False)
            case "cdr" if record["call_id"] in self.live:
                call = self.live.pop(record["call_id"])
                self.ended[record["call_id"]] = (call, record)


def leg_state(leg: Leg) -> dict[str, Any]:
    """One leg as plain values; `restore_leg` reads it."""
    state: dict[str, Any] = {
        "tag": leg.local_tag,
        "label": leg.label,
        "aor": leg.aor,
        "is_trunk": leg.is_trunk,
        "flow": leg.flow[:3],
        "has_acked": leg.has_acked,
        "update": leg.peer_takes_update,
        "timer": leg.session.agreed
        and (leg.session.agreed.interval_s, leg.session.agreed.is_refresher),
        "in": _body(leg.in_body),
        "out": _body(leg.out_body),
    }
    if leg.ok is not None:
        state["ok"] = (leg.ok.cseq, leg.ok.data.decode("latin-1"), leg.ok.had_offer)
    if leg.ack is not None:
        state["ack"] = (leg.ack[0], leg.ack[1].decode("latin-1"))
    dialog = leg.dialog
    if dialog is not None:
        state["dialog"] = dialog_state(dialog)
    state["spoken"] = isinstance(leg, CalleeLeg) and leg.target.kind is TargetKind.ANNOUNCEMENT
    if isinstance(leg, CalleeLeg) and leg.invite is not None:
        state["invite"] = request_state(leg.invite)
    return state


def dialog_state(dialog: Dialog) -> tuple[Any, ...]:
    """A dialog as plain values; `read_dialog` reads it."""
    return (
        dialog.call_id,
        dialog.local,
        dialog.local_tag,
        dialog.remote,
        dialog.remote_tag,
        dialog.local_cseq,
        dialog.remote_cseq,
        dialog.remote_target,
        dialog.route_set,
        dialog.flow[:3],
    )


def request_state(request: Request) -> dict[str, Any]:
    """The fields of a request that answers and cancellations repeat."""
    fields = [
        (name, value)
        for name, value in zip(request.names, request.values, strict=True)
        if name in _KEPT
    ]
    return {"method": request.method, "uri": request.uri, "fields": fields}


def _call(call: "Call", state: str, branches: list[dict[str, Any]]) -> bytes:
    request, record, caller = call.request, call.record, call.caller
    return orjson.dumps(
        {
            "k": "call",
            "id": call.id,
            "state": state,
            "boot": call.exchange.boot_id,
            "wall": round(call.exchange.wall(record.start) * 1000),
            "start": record.start,
            "answer": record.answer,
            "request": (
                request.dialled,
                request.line,
                request.source_ip,
                request.at,
                request.trunk,
                request.caller,
            ),
            "decision": _decision(call),
            "identity": (call.identity.number, call.identity.is_withheld),
            "facts": audit.facts(call) if call.decision.audit else None,
            "record": (record.dst_raw, record.sip_call_id, record.caller_trunk, record.override),
            "forwarded_by": record.forwarded_by,
            "attempts": [
                (tried.trunk, tried.contact, tried.status, tried.ms, profile)
                for _, tried, profile in record.attempts
            ],
            "fax": record.is_fax,
            "metered": [_metered(leg) for leg in record.legs],
            "invite": request_state(caller.invite)
            if isinstance(caller, CallerLeg) and caller.invite
            else None,
            "caller": leg_state(caller) if caller else None,
            "callee": leg_state(call.callee) if state == "up" and call.callee is not None else None,
            "branches": branches,
        }
    )


def _decision(call: "Call") -> dict[str, Any]:
    decision = call.decision
    return {
        "class": decision.number_class.value,
        "action": decision.action.value,
        "reason": decision.reason,
        "rule": decision.rule,
        "clause": decision.clause,
        "level": decision.evidence.level.value,
        "audit": decision.audit,
        "exempt_reason": decision.exempt_reason,
        "caller_number": decision.caller_number,
        "destination": call.record.destination(call),
    }


def _metered(leg: MeteredLeg) -> tuple[Any, ...]:
    return (
        leg.id,
        leg.line,
        leg.trunk,
        leg.direction,
        leg.sip_call_id,
        leg.exempt_reason,
        leg.plan,
    )


def _body(body: Body | None) -> tuple[str, str] | None:
    return None if body is None else (body.content_type, body.content.decode("latin-1"))
