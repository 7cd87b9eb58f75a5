"""What is weak about an emergency call that would go out well, or would not: one sentence each.

Facts in, sentences out. Each kind has a slug that stays, so that a monitor can look for it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policy.model import Action, Decision
from switch.facts.line import Line
from switch.routing.emergency import NO_ENTRY, NO_PANI
from switch.routing.target import Target
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.trunk.trunk import Trunk

Weakness = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """An INVITE that would be sent, by which flow, to which target."""

    target: Target
    flow: Flow
    invite: Request


@dataclass(frozen=True, slots=True)
class Path:
    """A way to a trunk and what its OPTIONS brought; `status` 0 = no answer, for `reason`."""

    trunk: str
    flow: Flow
    status: int
    answer_s: float
    reason: str

    @property
    def answers(self) -> bool:
        """Whether somebody is there to take calls: 408 and 503 say the contrary."""
        return self.status not in (0, 408, 503)


@dataclass(frozen=True, slots=True)
class Outlook:
    """All that is looked at. `route` are the ids of the emergency route in its order; an answer that
    takes longer than `slow_s` is told."""

    decision: Decision
    line: Line
    is_registered: bool
    route: tuple[str, ...]
    trunks: Mapping[str, Trunk]
    sent: tuple[Sent, ...]
    paths: tuple[Path, ...]
    has_table: bool
    workers: int
    slow_s: float


def weaknesses(outlook: Outlook) -> list[Weakness]:
    """(slug, sentence) of everything that is weak, the gravest first."""
    return [
        *_verdict(outlook),
        *_routes(outlook),
        *_paths(outlook),
        *_address(outlook),
        *_invites(outlook),
        *_words(outlook),
    ]


def _verdict(outlook: Outlook) -> Iterator[Weakness]:
    decision = outlook.decision
    if decision.action is Action.BLOCK:
        key = decision.override_key
        way_out = f", and connected by pressing {key}" if key else ""
        yield "blocked", f"the call would be blocked with a warning ({decision.reason}){way_out}"
    elif decision.action is Action.REFUSE:
        yield "refused", f"the call would be refused ({decision.reason})"
    if not outlook.is_registered:
        yield "not_registered", "no phone of this line is registered"


def _routes(outlook: Outlook) -> Iterator[Weakness]:
    if not outlook.route:
        yield "no_trunk", "no trunk is in the emergency route"
    elif len(set(outlook.route)) < 2:
        yield "no_second_trunk", f"{outlook.route[0]} is the only way out: add a second trunk"
    else:
        places = {
            hop.carrier.flow.remote[0]
            for name in outlook.route
            if name in outlook.trunks
            for hop in outlook.trunks[name].hops
        }
        if len(places) == 1:
            yield "one_address", f"all trunks are at one address, {places.pop()}"
    for name in outlook.route:
        trunk = outlook.trunks.get(name)
        if trunk is not None and not trunk.hops:
            yield "trunk_unresolved", f"{name}: {trunk.reason}"
        elif trunk is not None and not trunk.is_up:
            yield "trunk_down", f"{name} is down ({trunk.reason}) and is tried last"


def _paths(outlook: Outlook) -> Iterator[Weakness]:
    if outlook.paths and not any(path.answers for path in outlook.paths):
        yield "no_answer_at_all", "no trunk answers: an emergency call would reach nobody"
    for path in outlook.paths:
        way = f"{path.trunk} by {path.flow.transport}"
        if not path.status:
            yield "trunk_silent", f"{way}: {path.reason}"
        elif not path.answers:
            yield "trunk_refuses", f"{way}: {path.status} to OPTIONS"
        elif path.answer_s > outlook.slow_s:
            yield "trunk_slow", f"{way} took {path.answer_s * 1000:.0f} ms to answer"


def _address(outlook: Outlook) -> Iterator[Weakness]:
    own = outlook.line.policy.location
    if own is None or not own.validated:
        place = "site's" if outlook.line.policy.site_location is not None else "default"
        yield "unvalidated_address", f"the line has no validated address: the {place} is sent"
    elif not own.confirmed:
        yield "unconfirmed_address", "the customer has not confirmed the address"


def _invites(outlook: Outlook) -> Iterator[Weakness]:
    told = set()
    for sent in outlook.sent:
        name, target = sent.target.label, sent.target
        for slug, text in _of_invite(sent, target, has_table=outlook.has_table):
            if (name, slug) not in told:
                told.add((name, slug))
                yield slug, f"{name}: {text}"


def _of_invite(sent: Sent, target: Target, *, has_table: bool) -> Iterator[Weakness]:
    if target.shortfall == NO_ENTRY and has_table:
        yield "no_psap_entry", "the routing table has no long number: the short one is sent"
    elif target.shortfall == NO_ENTRY:
        yield "no_psap_table", "it wants long numbers, and no routing table is in force"
    elif target.shortfall == NO_PANI:
        yield "no_pani", "the INSEE code can't be written for this carrier"
    if target.place is not None and not sent.invite.has("Geolocation"):
        yield (
            "pidf_left_behind",
            "the INVITE with the address is too large for UDP: it goes without",
        )
    elif target.place is not None and sent.flow.transport != target.flow.transport:
        yield (
            "pidf_needs_tcp",
            "the INVITE with the address is too large for UDP: it needs TCP, else it goes without",
        )


def _words(outlook: Outlook) -> Iterator[Weakness]:
    if not outlook.workers:
        yield "no_media_worker", "no media worker runs: nobody hears a warning or what else to do"
    elif outlook.workers == 1:
        yield "single_media_worker", "one media worker runs: while it is down, nothing is spoken"
