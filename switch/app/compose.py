"""From a checked configuration to the rooms of signalling and policy, connected; nothing is opened."""

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

from policy.model import NumberClass
from switch.auth.authenticator import Authenticator
from switch.call.exchange import Announcer, CallSettings, Exchange
from switch.clock import Wheel, boottime, wall
from switch.config import Configuration, Settings
from switch.console.psap_routes import PsapRoutes
from switch.facts.line import LineLife
from switch.facts.settings import AccountSettings
from switch.facts.sightings import Sightings
from switch.facts.snapshot import Snapshot
from switch.media.pool import Pool, PoolOptions
from switch.registrar.registrar import Registrar
from switch.settings import HostPort
from switch.sip.flow import Flow
from switch.sip.outbox import Outbox
from switch.store.alarm import Alarm
from switch.store.psap_tables import PsapTables
from switch.transaction.transactions import Transactions
from switch.transport.limits import StreamLimits
from switch.transport.local import LocalFlow
from switch.trunk.build import build_trunk
from switch.trunk.trunks import Trunks
from switch.usage.caps import Caps
from switch.usage.cycle import DAYS_TO_BILLING, Calendar
from switch.usage.meter import Meters
from switch.usage.rating import Tariff, Tariffs
from switch.usage.settings import UsageSettings

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def calendar_of(account: AccountSettings) -> Calendar:
    """The billing calendar of an account (terms 4(a))."""
    start = account.activation_requested + timedelta(days=DAYS_TO_BILLING)
    return Calendar(start, account.time_zone)


def build_exchange(
    found: Configuration,
    lives: Mapping[str, LineLife],
    announcer: Announcer,
    listening: Mapping[str, Sequence[HostPort]],
    nonce_key: bytes,
) -> Exchange:
    """The rooms of signalling and policy, connected; nothing is opened."""
    settings, sip = found.settings, found.settings.sip
    wheel, outbox = Wheel(), Outbox()
    boot_id = BOOT_ID.read_text().strip() if BOOT_ID.exists() else ""
    timings = found.timings()
    transactions = Transactions(wheel, outbox, timings)
    facts = found.snapshot(lives)
    flows = LocalFlow(listening, sip.public_address)
    return Exchange(
        wheel=wheel,
        outbox=outbox,
        transactions=transactions,
        timings=timings,
        registrar=Registrar(found.registrar_limits(), wheel, outbox),
        authenticator=_authenticator(found, facts, nonce_key),
        trunks=_trunks(found, flows, nonce_key, transactions, wheel, outbox),
        meters=_meters(settings.usage, wheel, outbox, boot_id),
        caps=Caps(wheel, outbox),
        facts=facts,
        sightings=Sightings(outbox, utc, boot_id),
        rules=found.rules,
        routes=found.routes,
        voice=settings.emergency,
        settings=call_settings(found),
        announcer=announcer,
        local_flow=flows,
        wall=utc,
        draw=random.random,
        calendar=calendar_of,
        boot_id=boot_id,
    )


def _trunks(
    found: Configuration,
    flows: LocalFlow,
    key: bytes,
    transactions: Transactions,
    wheel: Wheel,
    outbox: Outbox,
) -> Trunks:
    return Trunks(
        build_trunk(
            entry,
            flows,
            key,
            wheel,
            transactions,
            outbox,
            emergency_probe_s=found.emergency_probe_s(entry.id),
        )
        for entry in found.settings.trunks
    )


def _meters(usage: UsageSettings, wheel: Wheel, outbox: Outbox, boot_id: str) -> Meters:
    return Meters(
        wheel,
        outbox,
        usage.threshold_ms,
        boot=boot_id,
        counted=usage.counted,
        percentages=usage.percentages,
    )


def psap_routes(
    exchange: Exchange, data: Path, found: Callable[[], Configuration], alarm: Alarm
) -> PsapRoutes:
    """The emergency routing table of an exchange; `found` gives the configuration in force."""
    tables = PsapTables(data)
    return PsapRoutes(exchange, tables, lambda: found().settings.emergency.routes_max_shrink, alarm)


def patience(exchange: Exchange, flow: Flow, carrier_s: float, limits: StreamLimits) -> float:
    """How long a connection may take to open: a carrier that has UDP too need not be waited for."""
    has_udp = flow.transport == "TCP" and any(
        hop.carrier.stream_flow is not None and hop.carrier.stream_flow.remote == flow.remote
        for trunk in exchange.trunks.by_id.values()
        for hop in trunk.hops
    )
    return carrier_s if has_udp else limits.connect_timeout_s


def utc(now: float) -> float:
    """UTC seconds at boottime `now`, by the clock as it stands at this moment."""
    return now + (wall() - boottime())


def _authenticator(found: Configuration, facts: Snapshot, key: bytes) -> Authenticator:
    sip = found.settings.sip
    return Authenticator(
        sip.realm, key, int(wall()), facts.ha1, sip.digest_algorithms, sip.nonce_lifetime_s
    )


def call_settings(found: Configuration) -> CallSettings:
    """What all calls share, from the sections that it is spread over."""
    sip, emergency = found.settings.sip, found.settings.emergency
    return CallSettings(
        host=emergency.location_source,
        ring_timeout_s=sip.ring_timeout_s,
        session_expires_s=sip.session_expires_s,
        min_se_s=sip.min_se_s,
        no_100_s=emergency.no_100_s,
        emergency_pdd_s=emergency.emergency_pdd_s,
        max_calls=sip.max_calls,
        callback_s=emergency.callback_s,
        short_call_s=emergency.short_call_s,
        auth_invite=sip.auth_invite,
        proxies=found.proxies(),
    )


def tariffs_of(settings: Settings) -> Tariffs:
    """The per-minute plan's tariffs by class of number and first day."""
    tariffs: dict[NumberClass, dict[date, Tariff]] = {}
    for entry in settings.tariffs:
        dated = tariffs.setdefault(entry.number_class, {})
        dated[entry.since or date.min] = entry.tariff()
    return tariffs


def make_pool(
    found: Configuration,
    data: Path,
    lost: Callable[[str, int], None],
    alarm: Callable[[str, Mapping[str, object]], None],
) -> Pool | None:
    """The media workers, not started; None where there are none. `lost` is told the address of one that
    died."""
    media = found.settings.media
    if not media.workers:
        return None
    options = PoolOptions(
        cache=data / "sounds",
        sounds=found.resolve(media.sounds) if media.sounds else None,
        workers=media.workers,
        reserved=media.reserved_workers,
        media_address=str(media.address),
    )
    return Pool(options, lost, alarm)
