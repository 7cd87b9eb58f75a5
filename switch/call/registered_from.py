"""Where a registration comes from: what is learnt of it, and who is told.

A phone that registers with positive evidence of being abroad (E5) will hear a warning instead of
reaching the emergency services: its customer and the operator are told at once, when the episode
begins and when the phone is home again. A line is abroad while any of its contacts is, so a desk
phone at home and a softphone on a journey don't tell their news in turns. What proves nothing (E3,
E4) neither begins nor ends an episode. A new network in France (E2) is marked, and ends by becoming
usual, or by going back to a known one.

Networks are learnt from registrations without any foreign signal; VPN, hosting and private addresses
and the enrolled ones are nothing to learn.
"""

from policy.emergency import weigh
from policy.model import Evidence, EvidenceLevel, Says, Signal
from switch.call.exchange import Exchange
from switch.facts.line import Line
from switch.facts.networks import UNKNOWN, Networks
from switch.facts.whereabouts import (
    DAY_S,
    Declaration,
    DeviceReport,
    Mark,
    fingerprint_key,
    network_key,
    network_name,
)

HOME = frozenset({EvidenceLevel.E0, EvidenceLevel.E1, EvidenceLevel.E2})
CLAUSE = "1(c)"
RESUME_S = 3600.0


def evidence_of(exchange: Exchange, line: Line, source: str, now: float) -> Evidence:
    """What is known of the place of a line's phone at an address."""
    seen = exchange.sightings.of(line.id)
    return weigh(exchange.facts.signals(line, source, now, seen), exchange.rules.emergency)


def registered(exchange: Exchange, line: Line, source: str, now: float) -> None:
    """A REGISTER of the line was accepted from the address `source`; it may have ended a contact."""
    evidence = evidence_of(exchange, line, source, now)
    seen = exchange.sightings.of(line.id)
    is_new = evidence.level is EvidenceLevel.E2
    is_abroad = evidence.level is EvidenceLevel.E5
    key = _worth_learning(exchange.facts.networks, evidence, source)
    known = None if key is None else seen.networks.get(key)
    is_known = known is not None and now - known.last < DAY_S
    if (key is None or is_known) and not (is_new or is_abroad or seen.abroad or seen.moved):
        return
    if not any(b.source == source for b in exchange.registrar.bindings(line.id, now)):
        return  # it ended its contact, or only asked
    if key is not None and not is_known:
        exchange.sightings.learn(line.id, key, network_name(source), now)
    review(exchange, line, now)


def reported(
    exchange: Exchange,
    line_id: str,
    country: str,
    address: str,
    fingerprint: str,
    at: float,
    now: float,
) -> None:
    """A device says where it is: what provisioning calls for each report of a line's device.

    `country` is an ISO code, `address` its public IP, `fingerprint` that of its local network; each
    "" when not told. `at` is UTC seconds by the device's clock: a report from the future is of now.
    An unknown line is nothing to remember.
    """
    line = exchange.facts.lines.get(line_id)
    if line is None:
        return
    age_s = max(0.0, exchange.wall(now) - at)
    report = DeviceReport(country, address, fingerprint, now - age_s)
    exchange.sightings.report(line_id, report, now)
    bindings = exchange.registrar.bindings(line_id, now)
    if fingerprint and bindings:
        evidence = evidence_of(exchange, line, bindings[0].source, now)
        if evidence.level in HOME:
            name = f"local network {fingerprint}"
            exchange.sightings.learn(line_id, fingerprint_key(fingerprint), name, now)
    review(exchange, line, now)


def declared(exchange: Exchange, line: Line, declaration: Declaration | None, now: float) -> None:
    """The customer says in which country the phone is, or takes that back (None)."""
    exchange.sightings.declare(line.id, declaration, now)
    review(exchange, line, now, is_declared=True)


def review(exchange: Exchange, line: Line, now: float, *, is_declared: bool = False) -> None:
    """Look at all contacts of a line: an episode may begin or end. The customer's word (`is_declared`)
    ends one that the evidence no longer carries, a phone's new place only if that is in France."""
    seen = exchange.sightings.of(line.id)
    found = [
        (binding.source, evidence_of(exchange, line, binding.source, now))
        for binding in exchange.registrar.bindings(line.id, now)
    ]
    if not found and not is_declared:
        return
    levels = {evidence.level for _, evidence in found}
    abroad, moved = seen.abroad, seen.moved
    if EvidenceLevel.E5 in levels:
        abroad = abroad or _mark(exchange, found, EvidenceLevel.E5, now)
    elif is_declared or levels & HOME:
        abroad = None
    if EvidenceLevel.E2 in levels:
        moved = moved or _mark(exchange, found, EvidenceLevel.E2, now)
    elif levels & HOME:
        moved = None
    if (abroad, moved) == (seen.abroad, seen.moved):
        return
    exchange.sightings.mark(line.id, abroad, moved, now)
    if abroad is not None and seen.abroad is None:
        _tell(exchange, line, "registered_abroad", abroad)
    elif abroad is None and seen.abroad is not None:
        _tell(exchange, line, "home_again", seen.abroad)
    if moved is not None and seen.moved is None:
        exchange.outbox.note(
            "line.moved_in_fr", line=line.id, place=moved.value, source=moved.source
        )


def resume(exchange: Exchange, now: float) -> None:
    """After a restart: an episode that had just begun may not have been told. The ledger knows by its
    id whether it was."""
    since_ms = (exchange.wall(now) - RESUME_S) * 1000
    for line_id, seen in exchange.sightings.marked():
        line = exchange.facts.lines.get(line_id)
        if line is not None and seen.abroad is not None and seen.abroad.since_ms >= since_ms:
            _tell(exchange, line, "registered_abroad", seen.abroad)


def _worth_learning(networks: Networks, evidence: Evidence, source: str) -> bytes | None:
    """The key of a network that may become usual, None for one that tells nothing."""
    for signal in evidence.signals:
        if signal.says in (Says.ABROAD, Says.SITE) and evidence.counts(signal):
            return None
    country = networks.signal(source)
    may_be_french = country.says is Says.FRANCE or country.value == UNKNOWN
    return network_key(source) if may_be_french else None


def _mark(
    exchange: Exchange, found: list[tuple[str, Evidence]], level: EvidenceLevel, now: float
) -> Mark:
    source, evidence = next(pair for pair in found if pair[1].level is level)
    said = Says.ABROAD if level is EvidenceLevel.E5 else Says.FRANCE
    value = ", ".join(
        _words(signal)
        for signal in evidence.signals
        if signal.says is said and evidence.counts(signal)
    )
    return Mark(round(exchange.wall(now) * 1000), level.value, value, source)


def _words(signal: Signal) -> str:
    return signal.value if signal.kind == "source_country" else f"{signal.kind} {signal.value}"


def _tell(exchange: Exchange, line: Line, kind: str, mark: Mark) -> None:
    """Customer and operator, once per episode: the ids are those of its beginning."""
    for audience in ("customer", "operator"):
        exchange.outbox.note(
            "notice.due",
            kind=kind,
            line=line.id,
            account=line.account,
            audience=audience,
            clause=CLAUSE,
            fields={"place": mark.value, "source": mark.source},
            id=f"{kind} {line.id} {mark.since_ms} {audience}",
        )
