"""One emergency call -> ordered targets: which carriers, in which profile, with which location.

The profile of a trunk says what the carrier understands:

    A  the short number and P-Access-Network-Info with operator and INSEE code
    B  the long number of the centre that answers for the commune, and the same
    C  a service URN (RFC 5031) routed to the carrier, and PIDF-LO by value (RFC 6442)

A trunk of profile B for which the routing table has no row is asked by profile A: a hole in a table
never refuses a call. The order is: the emergency route; the centre's long number by ordinary trunks;
and for vital numbers 112 by the emergency route.

Deliberately absent: when the next one is tried (call/hunt.py, call/call.py), repairs (call/repair.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from policy.model import ToEmergency
from switch.routing.carrier import Carrier
from switch.routing.location import geolocation_headers, pani, pidf_lo
from switch.routing.numbers import format_number
from switch.routing.psap_table import PsapTable
from switch.routing.select import host_of
from switch.routing.target import Place, Target, TargetKind

FALLBACK_NUMBER: Final = "112"
FALLBACK_URN: Final = "urn:service:sos"

# RFC 7135 §4: esnet has five values and leaves their meaning to the network; 1 is what NENA's i3
# networks give to calls for help.
ESNET_CALL: Final = "esnet.1"

NO_ENTRY: Final = "no_psap_entry"
NO_PANI: Final = "no_pani"


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


@dataclass(frozen=True, slots=True)
class EmergencyRouting:
    """What the targets of one call have in common.

    `caller` is the line's E.164 number; `at` UTC seconds; `call_id` is unique and goes into the
    Content-ID of the location.
    """

    caller: str
    voice: EmergencyVoice
    psap: PsapTable
    call_id: str
    at: float

    def targets(
        self,
        destination: ToEmergency,
        carriers: Sequence[Carrier],
        ordinary: Sequence[Carrier],
        *,
        is_vital: bool,
    ) -> list[Target]:
        """All targets in their order. `carriers` are of the emergency route, best first; `ordinary`
        are the others that a call may leave by; `is_vital` calls end at 112."""
        place = self._place(destination, carriers, ordinary)
        found = [self._target(destination, carrier, place) for carrier in carriers]
        long_number = self.psap.find(destination.number, destination.location.insee)
        if long_number:
            by_long_number = [replace(carrier, profile="B") for carrier in ordinary]
            found += [self._target(destination, carrier, place) for carrier in by_long_number]
        if is_vital and destination.number != FALLBACK_NUMBER:
            general = ToEmergency(FALLBACK_NUMBER, FALLBACK_URN, destination.location)
            found += [self._target(general, carrier, place) for carrier in carriers]
        return found

    def _place(self, destination: ToEmergency, *carriers: Sequence[Carrier]) -> Place | None:
        """The PIDF-LO, written when the first trunk gets it; None where no trunk wants it."""
        if not any(carrier.pidf_lo for group in carriers for carrier in group):
            return None
        source = self.voice.location_source
        entity = f"pres:{self.caller or 'anonymous'}@{source}"
        document = partial(pidf_lo, destination.location, entity, timestamp=self.at)
        return Place(document, f"{self.call_id}@{source}")

    def _target(self, destination: ToEmergency, carrier: Carrier, place: Place | None) -> Target:
        uri, profile, shortfall = self._address(destination, carrier)
        headers: list[tuple[str, str]] = []
        try:
            value = pani(self.voice.operator_code, destination.location, carrier.corsica)
            headers.append(("P-Access-Network-Info", value))
        except ValueError:  # a code that can't be written must not cost the call
            shortfall = shortfall or NO_PANI
        if carrier.resource_priority:
            headers.append(("Resource-Priority", ESNET_CALL))
        if carrier.priority_header:
            headers.append(("Priority", "emergency"))
        if carrier.pidf_lo and place is not None:
            headers += geolocation_headers(place.content_id, self.voice.location_source)
        return Target(
            TargetKind.TRUNK,
            label=carrier.id,
            flow=carrier.flow,
            request_uri=uri,
            to_uri=uri,
            from_host=host_of(carrier.flow.local[0]),
            caller_format=carrier.number_out,
            stream_flow=carrier.stream_flow,
            routes=(f"<sip:{carrier.host};lr>",) if profile == "C" else (),
            headers=tuple(headers),
            place=place if carrier.pidf_lo else None,
            credentials=carrier.credentials,
            # The PSAP learns the number whatever the trunk is trusted with otherwise.
            trusts_identity=True,
            profile=profile,
            is_emergency=True,
            shortfall=shortfall,
            passes_identity=carrier.passes_identity,
        )

    def _address(self, destination: ToEmergency, carrier: Carrier) -> tuple[str, str, str]:
        """Request-URI (and To), the profile that it follows, and the shortfall."""
        if carrier.profile == "C":
            return destination.urn, "C", ""
        if carrier.profile == "B":
            found = self.psap.find(destination.number, destination.location.insee)
            if found:
                return f"sip:{format_number(found, carrier.number_out)}@{carrier.host}", "B", ""
        shortfall = NO_ENTRY if carrier.profile == "B" else ""
        return f"sip:{destination.number}@{carrier.host}", "A", shortfall
