"""An INVITE outside any dialog becomes a call: who calls, may they, and where to.

The order is the emergency pipeline's: classify first, recognise the registered phone by its flow
without a challenge, and only then ask who it is. Everything here is local memory.
"""

from policy.emergency_call import without_warning
from policy.engine import decide
from policy.model import Action, CallRequest, Decision, NumberClass, ToFeature, ToLine
from switch.auth.authenticator import Accepted, Challenge, Rejected
from switch.call import afterwards, audit, callback, way
from switch.call.call import Call
from switch.call.caller_leg import CallerLeg
from switch.call.capping import is_over_cap
from switch.call.destination import announcement, destination_groups, hears_early_media
from switch.call.ending import ENDINGS, ending_headers
from switch.call.exchange import Exchange
from switch.call.headers import CROSSING_BODIES, crossing, crossing_in_emergency
from switch.call.hunt import Hunt
from switch.call.identity import Caller, asserted_by_trunk, shown_number, wants_privacy
from switch.call.mending import usable
from switch.call.phone_location import claimed_values
from switch.call.record import CallRecord
from switch.dialog.dialog import host_port
from switch.routing.numbers import parse_number
from switch.routing.target import Target
from switch.sip.build import make_response
from switch.sip.flow import Flow
from switch.sip.ids import new_call_id, new_tag, stateless_tag
from switch.sip.message import Request
from switch.transaction.server import ServerTransaction
from switch.trunk.trunk import Trunk

CHALLENGED = 401
SUPPORTED = frozenset({"100rel", "timer", "path", "outbound"})
TEL_AND_URN = ("tel:", "urn:")

# Why a call that may be connected finds no target, by its kind of destination.
_NOWHERE = {ToLine: "unreachable", ToFeature: "media_failed"}

# Exempt reasons of calls that need no free channel.
_WITHOUT_LIMITS = frozenset({"emergency", callback.EXEMPT, "support"})


EMERGENCY = frozenset({NumberClass.EMERGENCY_VITAL, NumberClass.EMERGENCY_SOCIAL})


class Refused(Exception):  # noqa: N818 (a refusal is an answer to the caller, not an error of ours)
    """The INVITE makes no call: `status` goes out with these headers."""

    def __init__(
        self, status: int, slug: str, headers: list[tuple[str, str]] | None = None
    ) -> None:
        super().__init__(slug)
        self.status = status
        self.slug = slug
        self.headers = headers or []


def receive_invite(
    exchange: Exchange, tx: ServerTransaction, invite: Request, origin: Flow, now: float
) -> None:
    """Take a new INVITE that comes from `origin`, the far end of the flow, or behind a trusted proxy
    the phone's; its call, if it makes one, is in `exchange.calls` afterwards."""
    try:
        trunk = exchange.trunks.of_request(invite, origin)
        dialled = dialled_number(invite)
        if trunk is not None:
            # Where we are registered, the Request-URI holds our token and To the number.
            dialled = trunk.called_number(invite) or dialled
        is_emergency = exchange.rules.emergency.classify(dialled) is not None
        if is_emergency:
            invite = usable(invite, tx.flow, exchange.settings.host)
        elif not invite.has("Contact"):
            raise Refused(400, "bad_request")  # §8.1.1.8
        line = None if trunk else identify(exchange, invite, origin, now, is_emergency)
        if not is_emergency:  # 420 and 415 are for who can choose
            _check_extensions(invite)
            _check_body(invite)
        _open(exchange, tx, invite, origin, line, trunk, dialled, now)
    except Refused as refusal:
        fields = refusal.headers
        if refusal.slug:
            fields = ending_headers(refusal.slug, exchange.settings.host) + fields
        if refusal.status == CHALLENGED:
            # By who may be anybody: a flood of INVITEs under invented addresses must leave nothing that
            # is repeated for 32 s (RFC 3261 §26.3.2.4). A phone that misses the 401 asks again.
            tag = stateless_tag(invite.via.branch or invite.call_id)
            challenge = make_response(invite, CHALLENGED, to_tag=tag, headers=fields)
            tx.respond_and_forget(challenge, now)
            return
        tx.respond(make_response(invite, refusal.status, to_tag=new_tag(), headers=fields), now)


def dialled_number(invite: Request) -> str:
    """What was dialled: the user part of the Request-URI, or the whole of a tel: or urn: URI."""
    if invite.uri[:4].lower() in TEL_AND_URN:
        return invite.uri
    return invite.request_uri.user or ""


def identify(
    exchange: Exchange, request: Request, origin: Flow, now: float, is_emergency: bool
) -> str | None:
    """The line that a phone's request comes from; Refused carries the challenge.

    An emergency call of a registered phone is never challenged, and neither is a phone on its own
    authenticated stream when the settings say so.
    """
    if is_emergency:
        binding = exchange.registrar.find(origin, _contact_user(request))
        if binding is not None:
            return binding.aor
    if exchange.settings.auth_invite == "flow" and origin.is_reliable:
        registered = exchange.registrar.line_of(origin)
        if registered is not None:
            return registered
    verdict = exchange.authenticator.verify(request, origin.remote[0], now)
    if isinstance(verdict, Accepted):
        return verdict.user
    if isinstance(verdict, Challenge):
        raise Refused(CHALLENGED, "", list(verdict.headers))
    note_failed(exchange, request, origin, verdict)
    if is_emergency and not verdict.locked:
        record = audit.refused_record(exchange, request, origin.remote[0], now)
        exchange.outbox.journal.append(record)
    raise Refused(403, verdict.slug)


def note_failed(exchange: Exchange, request: Request, origin: Flow, verdict: Rejected) -> None:
    """Tell the log; its words are what fail2ban filters look for."""
    exchange.outbox.note(
        "auth.failed",
        user=request.from_.uri.user or "",
        peer=host_port(origin.remote),
        method=request.method,
        locked=verdict.locked,
    )


def _contact_user(request: Request) -> str:
    """The user that the phone gave itself in its Contact, else in From."""
    contacts = request.contacts
    user = contacts[0].uri.user if contacts else None
    return user or request.from_.uri.user or ""


def unsupported(request: Request) -> str:
    """The extensions that a request requires and we don't have (§8.2.2.3)."""
    return ", ".join(tag for tag in request.split("Require") if tag.lower() not in SUPPORTED)


def hops_left(exchange: Exchange, invite: Request, line: str | None, is_emergency: bool) -> int:
    """The Max-Forwards that the call goes on with (RFC 3261 §16.6 step 3), of which none is 483.

    A line's emergency call begins with all of them, whatever its phone says: that isn't a loop yet. Beside
    a live one of the same line it may be that one, come back through a PBX that is registered here, so
    its hops count. What a trunk brings has been somewhere, and counts always.
    """
    most, said = exchange.settings.max_forwards, invite.max_forwards
    if is_emergency and line is not None and line not in exchange.in_emergency:
        return most - 1
    if said == 0:
        raise Refused(483, "too_many_hops")
    return min(most if said is None else said, most) - 1


def _check_extensions(invite: Request) -> None:
    """An extension that we don't have is 420 (§8.2.2.3)."""
    if unknown := unsupported(invite):
        raise Refused(420, "bad_extension", [("Unsupported", unknown)])


def _check_body(invite: Request) -> None:
    """A body that may not cross is 415 (§8.2.3)."""
    if invite.body and (invite.content_type or "application/sdp") not in CROSSING_BODIES:
        raise Refused(415, "rejected", [("Accept", "application/sdp")])


def _check_load(exchange: Exchange, trunk: Trunk | None, decision: Decision) -> None:
    """Limits of the switch, which no emergency call and no PSAP's call-back meets."""
    if decision.number_class in EMERGENCY or decision.exempt_reason == callback.EXEMPT:
        return
    if exchange.is_draining:
        raise Refused(503 if trunk else ENDINGS["draining"].status, "draining")
    if len(exchange.calls) >= exchange.settings.max_calls:
        raise Refused(503 if trunk else ENDINGS["overload"].status, "overload")


def is_unlimited(decision: Decision) -> bool:
    """Whether a call needs no free channel: help hangs on it."""
    return decision.exempt_reason in _WITHOUT_LIMITS or decision.number_class in EMERGENCY


def _check_channels(
    exchange: Exchange, line: str | None, trunk: Trunk | None, decision: Decision
) -> None:
    """Limits of the line and the carrier, for calls that help does not hang on."""
    # A refused emergency call is audited as what it is, not as one call too many.
    if is_unlimited(decision):
        return
    if trunk is not None and not trunk.has_channel:
        raise Refused(503, "limit")
    known = exchange.facts.lines.get(line or "")
    if known is not None and exchange.live_by_line.get(known.id, 0) >= known.channels:
        raise Refused(ENDINGS["limit"].status, "limit")


def _open(
    exchange: Exchange,
    tx: ServerTransaction,
    invite: Request,
    origin: Flow,
    line: str | None,
    trunk: Trunk | None,
    dialled: str,
    now: float,
) -> None:
    """Decide, and start the call."""
    asserted: Caller | None = None
    marks: list[tuple[str, str]] = []
    if trunk is not None:
        asserted, marks = asserted_by_trunk(invite, trunk.carrier)
        carrier = trunk.carrier
        dialled = parse_number(dialled, carrier.number_in, carrier.portability_prefixes)
    request = _call_request(exchange, invite, origin, line, trunk, asserted, dialled, now)
    seen = exchange.sightings.of(line)
    facts = exchange.facts.policy_facts(line, request.source_ip, now, seen)
    decision = decide(request, facts, exchange.rules)
    hops = hops_left(exchange, invite, line, decision.number_class in EMERGENCY)
    _check_load(exchange, trunk, decision)
    _check_channels(exchange, line, trunk, decision)
    identity = asserted or Caller(
        shown_number(exchange.facts, decision, line, invite),
        "",
        decision.may_withhold and wants_privacy(invite),
    )
    record = CallRecord(
        now, invite.request_uri.user or invite.uri, invite.call_id, request.trunk or ""
    )
    call = Call(new_call_id(), exchange, request, decision, identity, record)
    leg = _caller_leg(call, tx, invite)
    call.max_forwards = hops
    call.crossed = _crossed(call, invite, marks)
    call.opened()
    brief = leg.agree_on_timer()
    if brief is not None and not call.is_emergency:  # which then lives without a session timer
        call.refuse(422, "bad_request", [("Min-SE", str(brief.min_se))], now)
        return
    _route(exchange, call, leg, now)


def _call_request(
    exchange: Exchange,
    invite: Request,
    origin: Flow,
    line: str | None,
    trunk: Trunk | None,
    asserted: Caller | None,
    dialled: str,
    now: float,
) -> CallRequest:
    """What the policy is asked."""
    at = exchange.wall(now)
    unheard_s = exchange.unheard.age_s(line, now) if line else None
    return CallRequest(
        dialled=dialled,
        line=line,
        source_ip=origin.remote[0],
        at=at,
        trunk=trunk.carrier.id if trunk else None,
        trunk_trusted=trunk.carrier.trusted if trunk else False,
        caller=asserted.number if asserted else "",
        priority=invite.get("Priority") or "" if trunk else "",
        warned_at=None if unheard_s is None else at - unheard_s,
    )


def _crossed(call: Call, invite: Request, marks: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """The caller's fields that go on; our phones are also told what to think of the number."""
    to_trunk = call.called_line is None
    from_trunk = call.request.trunk is not None
    fields = crossing(invite, "INVITE", from_trunk=from_trunk, to_trunk=to_trunk)
    if call.is_emergency:
        fields = crossing_in_emergency(fields) + claimed_values(invite)
    return fields if to_trunk else callback.marked(fields, call.is_callback) + marks


def _caller_leg(call: Call, tx: ServerTransaction, invite: Request) -> CallerLeg:
    """The leg of the phone or the carrier that calls."""
    leg = CallerLeg(call.exchange, call, tx, invite, tx.flow)
    request = call.request
    leg.is_trunk = request.trunk is not None
    leg.label = request.trunk or request.line or ""
    leg.aor = request.line or ""
    way.of_caller(leg, invite)
    call.caller = leg
    tx.owner = leg
    return leg


def _hindrance(exchange: Exchange, call: Call, now: float) -> str:
    """What keeps a call from being tried although the policy lets it pass; "" for nothing."""
    decision = call.decision
    called = call.called_line
    is_in_emergency = called in exchange.in_emergency and not call.is_callback
    if is_in_emergency and not callback.free_phones(exchange, called or "", now):
        return "busy"
    if decision.action is Action.CONNECT and is_over_cap(exchange, call, now):
        return "limit"
    return ""


def _route(exchange: Exchange, call: Call, leg: CallerLeg, now: float) -> None:
    """Try where the decision leads; then whoever is to know of it is told."""
    _try_targets(exchange, call, leg, now)
    afterwards.alert(call)


def _try_targets(exchange: Exchange, call: Call, leg: CallerLeg, now: float) -> None:
    """Turn the decision into groups of targets, and try the first."""
    decision = call.decision
    groups: list[tuple[Target, ...]] = []
    if slug := _hindrance(exchange, call, now):
        call.refuse(ENDINGS[slug].status, slug, [], now)
        return
    if decision.announcement:
        agent = leg.invite.get("User-Agent") or "" if leg.invite else ""
        # Early media needs an offer to answer; without one the words come in an answered call.
        early = leg.in_body is not None and hears_early_media(exchange, call.request.line, agent)
        spoken = announcement(exchange, decision, early=early)
        if spoken is not None:
            groups.append((spoken,))
        elif decision.action is Action.BLOCK:
            decision = call.decision = without_warning(decision)
            if decision.action is Action.BLOCK and call.request.line is not None:
                exchange.unheard.note(call.request.line, now, call.request.at)
    if decision.action is Action.CONNECT or (decision.override_key and groups):
        groups += destination_groups(
            exchange, decision, call.request.line, call.id, call.request.at, now
        )
    if groups:
        call.start(Hunt(groups), now)
        return
    destination = decision.destination
    if isinstance(destination, ToLine) and exchange.registrar.is_expected_back(
        destination.line, now
    ):
        call.await_phone(now)
        return
    slug = decision.reason
    if decision.action is Action.CONNECT:
        slug = _NOWHERE.get(type(decision.destination), "no_route")
    call.refuse(ENDINGS[slug].status, slug, [], now)
