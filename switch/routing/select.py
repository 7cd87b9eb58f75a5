"""Decision + bindings + carriers -> ordered targets.

Everything that a target's INVITE says beyond the caller's own words is decided here: the number's
format, the emergency profile (facts of the French convention: P-Access-Network-Info; RFC 6442:
PIDF-LO), the path.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from policy.model import ToEmergency, ToNumber
from switch.routing.carrier import Carrier
from switch.routing.location import geolocation_headers, pani, pidf_lo
from switch.routing.numbers import format_number
from switch.routing.target import Place, Target, TargetKind
from switch.sip.flow import Flow
from switch.sip.uri import Uri

FALLBACK_NUMBER, FALLBACK_URN = "112", "urn:service:sos"


class Reachable(Protocol):
    """A binding of the registrar, as a value (RFC 3261 §10)."""

    @property
    def contact(self) -> Uri:
        """As registered."""

    @property
    def destination(self) -> Flow:
        """Where to send."""

    @property
    def path(self) -> tuple[str, ...]:
        """Route values, topmost first."""


class EmergencyVoice(Protocol):
    """What all emergency calls share."""

    @property
    def operator_code(self) -> str:
        """ARCEP's two characters."""

    @property
    def location_source(self) -> str:
        """Our FQDN, as loc-src."""

    @property
    def abroad_answer_mode(self) -> tuple[str, ...]:
        """Who hears the warning in an answered call."""


def binding_targets(bindings: Iterable[Reachable], aor: str) -> tuple[Target, ...]:
    """One target per registered phone, with its own Contact as Request-URI, parameters included."""
    return tuple(
        Target(
            TargetKind.BINDING,
            label=str(binding.contact),
            flow=binding.destination,
            request_uri=str(binding.contact),
            to_uri=f"sip:{aor}@{_host(binding.destination.local[0])}",
            from_host=_host(binding.destination.local[0]),
            routes=binding.path,
            aor=aor,
        )
        for binding in bindings
    )


def carrier_targets(destination: ToNumber, carriers: Sequence[Carrier]) -> list[Target]:
    """One target per carrier, in the order given."""
    return [
        _trunk_target(
            carrier, f"sip:{format_number(destination.number, carrier.number_out)}@{carrier.host}"
        )
        for carrier in carriers
    ]


def emergency_targets(
    destination: ToEmergency,
    carriers: Sequence[Carrier],
    caller: str,
    voice: EmergencyVoice,
    call_id: str,
    at: float,
) -> list[Target]:
    """The emergency carriers in their order with the number dialled, then all of them with 112.

    `at` is UTC seconds; `caller` the line's E.164 number.
    """
    targets = [_emergency_target(destination, c, caller, voice, call_id, at) for c in carriers]
    if destination.number != FALLBACK_NUMBER:
        general = ToEmergency(FALLBACK_NUMBER, FALLBACK_URN, destination.location)
        targets += [_emergency_target(general, c, caller, voice, call_id, at) for c in carriers]
    return targets


def announcement_target(
    name: str,
    address: tuple[str, int],
    local: Flow,
    *,
    answer: bool,
    keys: str = "",
    final_status: int = 480,
) -> Target:
    """A media worker that plays `name`, as early media or in an answered call."""
    host = f"{address[0]}:{address[1]}"
    headers = [
        ("X-Vigie-Answer", "answer" if answer else "early"),
        ("X-Vigie-Final", str(final_status)),
    ]
    if keys:
        headers.append(("X-Vigie-Keys", keys))
    return Target(
        TargetKind.ANNOUNCEMENT,
        label=f"announcement:{name}",
        flow=local._replace(remote=address),
        request_uri=f"sip:{name}@{host}",
        to_uri=f"sip:{name}@{host}",
        from_host=host,
        headers=tuple(headers),
    )


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _trunk_target(carrier: Carrier, uri: str, headers: tuple[tuple[str, str], ...] = ()) -> Target:
    return Target(
        TargetKind.TRUNK,
        label=carrier.id,
        flow=carrier.flow,
        request_uri=uri,
        to_uri=uri,
        from_host=_host(carrier.flow.local[0]),
        caller_format=carrier.number_out,
        stream_flow=carrier.stream_flow,
        headers=headers,
        credentials=carrier.credentials,
        trusts_identity=carrier.trusted,
        follows_redirects=True,
        failover_on=carrier.failover_on,
        profile=carrier.profile,
    )


def _emergency_target(
    destination: ToEmergency,
    carrier: Carrier,
    caller: str,
    voice: EmergencyVoice,
    call_id: str,
    at: float,
) -> Target:
    by_urn = carrier.profile == "C"
    uri = destination.urn if by_urn else f"sip:{destination.number}@{carrier.host}"
    headers: list[tuple[str, str]] = []
    location = destination.location
    headers.append(("P-Access-Network-Info", pani(voice.operator_code, location, carrier.corsica)))
    if carrier.resource_priority:
        headers.append(("Resource-Priority", "esnet.1"))
    if carrier.priority_header:
        headers.append(("Priority", "emergency"))
    place = None
    if carrier.pidf_lo:
        number = caller or "anonymous"
        entity = f"pres:{number}@{voice.location_source}"
        content_id = f"{call_id}@{voice.location_source}"
        place = Place(pidf_lo(location, entity, timestamp=at), content_id)
        headers += geolocation_headers(content_id, voice.location_source)
    target = _trunk_target(carrier, uri, tuple(headers))
    routes = (f"<sip:{carrier.host};lr>",) if by_urn else ()
    # An emergency caller is identified to the PSAP whatever the trunk is trusted with otherwise.
    return replace(
        target,
        routes=routes,
        place=place,
        trusts_identity=True,
        follows_redirects=False,
        is_emergency=True,
    )
