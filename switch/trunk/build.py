"""From a [[trunk]] section to a trunk: the carrier as routing sees it, and how it is reached."""

from collections.abc import Callable
from ipaddress import ip_address

from switch.clock import Wheel
from switch.routing.carrier import Carrier
from switch.routing.target import FAILOVER_STATUSES, Credentials
from switch.sip.flow import Flow
from switch.sip.outbox import Outbox
from switch.transaction.transactions import Transactions
from switch.trunk.registration import Account, contact_token
from switch.trunk.settings import TrunkSettings
from switch.trunk.trunk import Reach, Trunk

LocalFlow = Callable[[str, tuple[str, int]], Flow]

# Codes of Corsica as they are, where a carrier wants nothing else.
_CORSICA = {"2A": "2A", "2B": "2B"}


def build_trunk(
    entry: TrunkSettings,
    flows: LocalFlow,
    key: bytes,
    wheel: Wheel,
    transactions: Transactions,
    outbox: Outbox,
    *,
    emergency_probe_s: float | None = None,
) -> Trunk:
    """A trunk that is not started yet. `key` makes the Contact token of its registration.

    `emergency_probe_s` is None for a trunk that no emergency call leaves by; else it is probed at
    least so often, whatever its own setting: its silence must be noticed before someone needs it.
    """
    carrier = _carrier(entry, flows)
    account = None
    if entry.registered_aor and carrier.credentials is not None and entry.register_expires_s:
        account = Account(
            entry.id,
            entry.registered_aor,
            carrier.credentials,
            entry.register_expires_s,
            contact_token(key, entry.id),
        )
    uri = "" if is_literal(entry.address) else entry.uri
    reach = Reach(uri, entry.certificate_name, account)
    trunk = Trunk(carrier, probing_s(entry, emergency_probe_s), wheel, transactions, outbox, reach)
    trunk.serves_emergency = emergency_probe_s is not None
    return trunk


def probing_s(entry: TrunkSettings, emergency_probe_s: float | None) -> float:
    """Seconds between two probes of a trunk, 0 = none."""
    if emergency_probe_s is None:
        return entry.ping_s
    return min(entry.ping_s or emergency_probe_s, emergency_probe_s)


def is_literal(address: str) -> bool:
    """Whether an address needs no DNS."""
    try:
        ip_address(address)
    except ValueError:
        return False
    return True


def _carrier(entry: TrunkSettings, flows: LocalFlow) -> Carrier:
    remote = (entry.address, entry.port or 5060)
    transport = "UDP" if entry.transport == "any" else entry.transport.upper()
    credentials = None
    if entry.password is not None:
        credentials = Credentials(entry.username, entry.password.get_secret_value())
    return Carrier(
        id=entry.id,
        host=entry.host,
        flow=flows(transport, remote),
        stream_flow=flows("TCP", remote) if transport == "UDP" and entry.tcp_for_large else None,
        tcp_for_large=entry.tcp_for_large,
        trusted=entry.trusted,
        number_out=entry.number_out,
        number_in=entry.number_in,
        profile=entry.profile,
        pidf_lo=entry.pidf_lo,
        resource_priority=entry.resource_priority,
        priority_header=entry.priority_header,
        corsica=_CORSICA | dict(entry.corsica),
        channels=entry.channels,
        credentials=credentials,
        failover_on=frozenset(entry.failover_on) or FAILOVER_STATUSES,
        portability_prefixes=entry.portability_prefixes,
        origin=entry.origin,
        passes_identity=entry.stir != "none",
    )
