"""Decision + bindings + carriers -> ordered targets.

What a target's INVITE says beyond the caller's own words is decided here: the number's format, the
path. Emergency calls have a file of their own (emergency.py).
"""

from collections.abc import Iterable, Sequence
from typing import Protocol

from policy.model import ToNumber
from switch.routing.carrier import Carrier
from switch.routing.numbers import format_number
from switch.routing.target import Target, TargetKind
from switch.sip.flow import Flow
from switch.sip.uri import Uri


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


def binding_targets(bindings: Iterable[Reachable], aor: str) -> tuple[Target, ...]:
    """One target per registered phone, with its own Contact as Request-URI, parameters included."""
    return tuple(_binding_target(binding, aor) for binding in bindings)


def _binding_target(binding: Reachable, aor: str) -> Target:
    contact, flow = str(binding.contact), binding.destination
    host = host_of(flow.local[0])
    return Target(
        TargetKind.BINDING,
        label=contact,
        flow=flow,
        request_uri=contact,
        to_uri=f"sip:{aor}@{host}",
        from_host=host,
        routes=binding.path,
        aor=aor,
    )


def carrier_targets(destination: ToNumber, carriers: Sequence[Carrier]) -> list[Target]:
    """One target per carrier, in the order given."""
    return [
        _trunk_target(
            carrier, f"sip:{format_number(destination.number, carrier.number_out)}@{carrier.host}"
        )
        for carrier in carriers
    ]


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


def host_of(address: str) -> str:
    """An address as URIs have it: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def _trunk_target(carrier: Carrier, uri: str, headers: tuple[tuple[str, str], ...] = ()) -> Target:
    """A carrier asked for `uri`."""
    return Target(
        TargetKind.TRUNK,
        label=carrier.id,
        flow=carrier.flow,
        request_uri=uri,
        to_uri=uri,
        from_host=host_of(carrier.flow.local[0]),
        caller_format=carrier.number_out,
        stream_flow=carrier.stream_flow,
        headers=headers,
        credentials=carrier.credentials,
        trusts_identity=carrier.trusted,
        follows_redirects=True,
        failover_on=carrier.failover_on,
        profile=carrier.profile,
        passes_identity=carrier.passes_identity,
    )
