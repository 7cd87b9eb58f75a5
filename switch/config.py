"""TOML -> frozen settings -> the values that each room takes; errors name file, line and key.

A configuration is checked as a whole before anything of it is used: the settings, the dial plan,
the tables of networks, and whether they fit each other. Models live beside the rooms they
configure. Deliberately absent: merging of several files, and writing.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from pydantic import Field, ValidationError

from policy.engine import Rules
from switch import toml
from switch.demo.settings import DemoSettings
from switch.facts import consistency as facts_consistency
from switch.facts.consistency import doubles
from switch.facts.line import LineLife
from switch.facts.networks import (
    CountryDatabase,
    NetworkError,
    Networks,
    Place,
    PrefixTable,
    open_database,
    read_csv,
    version_of,
)
from switch.facts.settings import (
    AccountSettings,
    LineSettings,
    LocationSettings,
    NetworksSettings,
    SiteSettings,
)
from switch.facts.snapshot import Snapshot
from switch.media.settings import MediaSettings
from switch.notice.settings import NoticeSettings
from switch.observe.settings import HttpSettings, LogSettings
from switch.provisioning import consistency as device_consistency
from switch.provisioning.settings import DeviceSettings, FirmwareSettings, MqttSettings
from switch.registrar.wanted import Limits
from switch.routing import dialplan
from switch.routing.dialplan import DialPlan
from switch.routing.plan_file import RouteSection
from switch.routing.route import Route, RouteHop
from switch.settings import Section
from switch.sip.origin import Proxies
from switch.sip.settings import SipSettings
from switch.store.settings import RetentionSettings, StoreSettings
from switch.terms.settings import AcceptableUseSettings, ContractSettings
from switch.toml import ConfigError, Document, Key, Problem
from switch.transaction.timings import Timings
from switch.transport.certificate import client_context, server_context
from switch.trunk import consistency as trunk_consistency
from switch.trunk.settings import EmergencySettings, TrunkSettings
from switch.usage.settings import TariffSettings, UsageSettings

FILE_NAME = "vigie.toml"
OVERRIDE_KEY = "1"  # the announcement says so


class Settings(Section):
    """The whole of vigie.toml."""

    schema_version: Literal[1]
    dialplan: str
    sip: SipSettings
    emergency: EmergencySettings
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    media: MediaSettings = MediaSettings()
    usage: UsageSettings = UsageSettings()
    acceptable_use: AcceptableUseSettings = AcceptableUseSettings()
    contract: ContractSettings = ContractSettings()
    retention: RetentionSettings = RetentionSettings()
    store: StoreSettings = StoreSettings()
    notice: NoticeSettings = NoticeSettings()
    networks: NetworksSettings = NetworksSettings()
    demo: DemoSettings = DemoSettings()
    tariffs: tuple[TariffSettings, ...] = Field(default=(), alias="tariff")
    mqtt: MqttSettings = MqttSettings()
    firmware: FirmwareSettings = FirmwareSettings()
    trunks: tuple[TrunkSettings, ...] = Field(default=(), alias="trunk")
    routes: tuple[RouteSection, ...] = Field(default=(), alias="route")
    accounts: tuple[AccountSettings, ...] = Field(default=(), alias="account")
    sites: tuple[SiteSettings, ...] = Field(default=(), alias="site")
    lines: tuple[LineSettings, ...] = Field(default=(), alias="line")
    devices: tuple[DeviceSettings, ...] = Field(default=(), alias="device")

    @property
    def realm(self) -> str:
        """The digest realm of all lines."""
        return self.sip.realm

    @property
    def default_location(self) -> LocationSettings:
        """What an emergency call carries when nothing better is known."""
        return self.emergency.default_location


@dataclass(frozen=True, slots=True)
class Configuration:
    """A checked configuration. `routes` are the dial plan's, or the file's own of the same name;
    `rules` are the dial plan's with what the file says of emergency calls. `contents` are digests of
    the files beside vigie.toml, by key and name: what tells that one of them changed."""

    path: Path
    settings: Settings
    plan: DialPlan
    rules: Rules
    routes: Mapping[str, Route]
    networks: Networks
    document: Document
    contents: Mapping[str, str]

    def sources(self) -> list[Path]:
        """The files that say what the configuration is, its own first."""
        named = (self.settings.dialplan, *self.settings.networks.csv)
        return [self.path, *(self.resolve(name) for name in named)]

    def resolve(self, name: str) -> Path:
        """A path that the file gives, relative to the file's directory."""
        return self.path.parent / name

    def emergency_order(self) -> tuple[str, ...]:
        """The ids of the trunks that emergency calls try, first to last."""
        route = self.routes[dialplan.EMERGENCY_ROUTE]
        return tuple(hop.trunk for hop in route.hops)

    def emergency_probe_s(self, trunk: str) -> float | None:
        """How often a trunk is probed because emergency calls leave by it; None when none do."""
        return self.settings.emergency.probe_s if trunk in self.emergency_order() else None

    def registrar_limits(self) -> Limits:
        """What the registrar is bound by."""
        sip = self.settings.sip
        return Limits(
            contacts=sip.contacts_per_line,
            min_expires_s=sip.min_expires_s,
            max_expires_s=sip.max_expires_s,
            default_expires_s=sip.default_expires_s,
            trusted_proxies=PrefixTable((network, True) for network in sip.trusted_proxies),
        )

    def proxies(self) -> Proxies | None:
        """Whose word on a source address is taken, None for nobody's."""
        sip = self.settings.sip
        if not sip.trusted_proxies:
            return None
        trusted = PrefixTable((network, True) for network in sip.trusted_proxies)
        return Proxies(trusted.find, sip.source_header)

    def timings(self) -> Timings:
        """The timer values of RFC 3261 §17."""
        sip = self.settings.sip
        return Timings(t1=sip.t1_s, t2=sip.t2_s, t4=sip.t4_s)

    def origins(self, line: str) -> dict[str, str]:
        """Where each value of a line is written: "file:line" by key, or "default"."""
        entries = [entry.id for entry in self.settings.lines]
        if line not in entries:
            return {}
        at = self.document.lines_in(("line", entries.index(line)))
        return {
            name: f"{self.path.name}:{at[name]}" if name in at else "default"
            for name in LineSettings.model_fields
        }

    def snapshot(self, overrides: Mapping[str, LineLife]) -> Snapshot:
        """The facts, given what the store remembers of each line."""
        return Snapshot.build(self.settings, overrides, self.networks)

    def misplaced(self) -> list[Problem]:
        """Addresses that contradict the official geography: no reason not to start."""
        return [
            self.document.problem(*found)
            for found in facts_consistency.contradictions(self.settings)
        ]

    def doubts(self) -> list[Problem]:
        """Addresses that are incomplete or look odd."""
        return [self.document.problem(*found) for found in facts_consistency.doubts(self.settings)]


def load(path: Path, kept: Mapping[Path, Path] = MappingProxyType({})) -> Configuration:
    """Read and check a configuration file, or vigie.toml in a directory. `kept` tells where the
    content of some files is, if not there (absolute paths).

    Raises ConfigError with every problem that could be found. The dial plan's own tests are not
    run: `plan.run_tests()` does that.
    """
    path = path / FILE_NAME if path.is_dir() else path

    def content(name: str) -> Path:
        named = (path.parent / name).absolute()
        return kept.get(named, named)

    document = toml.load(path, content(path.name))
    settings = _settings(document)
    if missing := list(_missing_files(document, content, settings)):
        raise ConfigError(missing)
    plan_path = path.parent / settings.dialplan
    plan = dialplan.load(plan_path, content=content(settings.dialplan))
    routes = {**plan.routes, **{section.name: _route(section) for section in settings.routes}}
    table, problems = _places(path.parent, content, settings.networks)
    problems += [document.problem(*found) for found in _complaints(settings, plan, routes)]
    problems += _unusable_certificates(document, settings)
    if problems:
        raise ConfigError(problems)
    networks = Networks(plan.emergency.french_countries, table, *_database(document, settings))
    contents = _contents(content, settings)
    return Configuration(
        path,
        settings,
        plan,
        _rules(plan, settings.emergency, contents[f"dialplan {settings.dialplan}"]),
        routes,
        networks,
        document,
        contents,
    )


def _contents(content: Callable[[str], Path], settings: Settings) -> dict[str, str]:
    """Digests of the dial plan and the tables of networks."""
    named = [("dialplan", settings.dialplan), ("networks.mmdb", settings.networks.mmdb)]
    named += [("networks.csv", name) for name in settings.networks.csv]
    return {
        f"{key} {name}": sha256(content(name).read_bytes()).hexdigest()[:12]
        for key, name in named
        if name
    }


def _settings(document: Document) -> Settings:
    try:
        return Settings.model_validate(document.content)
    except ValidationError as error:
        # The input may be a password, so an error must not carry it along.
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise ConfigError(
            document.problem(_spelt(document.content, entry["loc"]), toml.words(entry))
            for entry in found
        ) from None


def _spelt(content: object, location: Key) -> Key:
    """A pydantic location without the steps that are not in the file (tags of unions)."""
    key: Key = ()
    for position, part in enumerate(location, 1):
        match content:
            case dict() if part in content:
                content = content[part]
            case list() if isinstance(part, int) and part < len(content):
                content = content[part]
            case dict() if position == len(location):
                pass  # the key that is missing
            case _:
                continue
        key += (part,)
    return key


def _route(section: RouteSection) -> Route:
    hops = [RouteHop(hop.trunk, hop.priority, hop.weight) for hop in section.hops]
    return Route(section.name, tuple(sorted(hops, key=lambda hop: hop.priority)))


def _rules(plan: DialPlan, settings: EmergencySettings, plan_digest: str) -> Rules:
    """The dial plan's rules with what the operator's configuration says about emergency calls; their
    version is a digest of both."""
    abroad = plan.emergency.abroad
    if settings.abroad_signals is not None:
        abroad = replace(abroad, signals=settings.abroad_signals)
    if settings.abroad_override is not None:
        key = abroad.override_key or OVERRIDE_KEY
        abroad = replace(abroad, override_key=key if settings.abroad_override else "")
    numbers = (settings.test_number, *sorted(settings.psap_numbers))
    said = f"{plan_digest} {abroad.signals} {abroad.override_key} {' '.join(numbers)}"
    version = sha256(said.encode()).hexdigest()[:12]
    return Rules(
        plan.plan,
        replace(plan.emergency, abroad=abroad),
        version=version,
        readback_number=settings.test_number,
        psap_callback_numbers=frozenset(settings.psap_numbers),
    )


def _missing_files(
    document: Document, content: Callable[[str], Path], settings: Settings
) -> Iterator[Problem]:
    """Files that the configuration names and that are not there."""
    named: list[tuple[Key, str]] = [
        (("dialplan",), settings.dialplan),
        (("sip", "tls_certificate"), settings.sip.tls_certificate),
        (("sip", "tls_key"), settings.sip.tls_key),
        (("networks", "mmdb"), settings.networks.mmdb),
        (("media", "sounds"), settings.media.sounds),
        (("mqtt", "ca"), settings.mqtt.ca),
        (("mqtt", "certificate"), settings.mqtt.certificate),
        (("mqtt", "key"), settings.mqtt.key),
    ]
    named += [(("networks", "csv"), name) for name in settings.networks.csv]
    for position, trunk in enumerate(settings.trunks):
        for key, name in (("ca", trunk.ca), ("cert", trunk.cert), ("key", trunk.key)):
            named.append((("trunk", position, key), name))
    for path, name in named:
        if name and not content(name).exists():
            yield document.problem(path, f"there is no {name}")


def _unusable_certificates(document: Document, settings: Settings) -> Iterator[Problem]:
    """Certificates and keys that can't be read, or don't fit each other."""

    def tried(key: Key, context: Callable[..., object], *names: str) -> Iterator[Problem]:
        try:
            context(*(document.path.parent / name if name else None for name in names))
        except ssl.SSLError as error:
            reason = (error.reason or "not in PEM format").replace("_", " ").lower()
            yield document.problem(key, f"can't be used: {reason}")
        except OSError as error:
            yield document.problem(key, f"can't be read: {error.strerror}")

    sip, mqtt = settings.sip, settings.mqtt
    if sip.tls_certificate:
        key: Key = ("sip", "tls_certificate")
        yield from tried(key, server_context, sip.tls_certificate, sip.tls_key)
    for position, trunk in enumerate(settings.trunks):
        if trunk.ca:
            yield from tried(("trunk", position, "ca"), client_context, trunk.ca)
        if trunk.cert:
            yield from tried(("trunk", position, "cert"), client_context, "", trunk.cert, trunk.key)
    if mqtt.ca:
        yield from tried(("mqtt", "ca"), client_context, mqtt.ca)
    if mqtt.certificate:
        yield from tried(("mqtt", "certificate"), client_context, "", mqtt.certificate, mqtt.key)


def _places(
    directory: Path, content: Callable[[str], Path], settings: NetworksSettings
) -> tuple[PrefixTable[Place], list[Problem]]:
    rows: list[tuple[str, Place]] = []
    problems: list[Problem] = []
    for name in settings.csv:
        path = directory / name
        try:
            kept = content(name)
            text = kept.read_text(encoding=toml.ENCODING)
            rows += read_csv(text, version_of(kept, name=path.name))
        except NetworkError as error:
            problems.append(Problem(path, error.line, "", error.message))
        except (OSError, UnicodeDecodeError) as error:
            problems.append(toml.unreadable(path, error))
    return PrefixTable(rows), problems


def _database(document: Document, settings: Settings) -> tuple[CountryDatabase | None, str]:
    """The country database and its version."""
    if not settings.networks.mmdb:
        return None, ""
    try:
        return open_database(document.path.parent / settings.networks.mmdb)
    except (OSError, ValueError) as error:
        raise ConfigError([document.problem(("networks", "mmdb"), str(error))]) from error


def _complaints(
    settings: Settings, plan: DialPlan, routes: Mapping[str, Route]
) -> Iterator[tuple[Key, str]]:
    """What is right by itself and doesn't fit the rest."""
    test_number = settings.emergency.test_number

    def refuse_extension(extension: str) -> str | None:
        its_own = f"{extension} is the test number, emergency.test_number"
        return its_own if extension == test_number else plan.refuse_extension(extension)

    french = plan.emergency.french_countries
    yield from facts_consistency.complaints(settings, french, refuse_extension)
    yield from doubles("tariff", "class", (tariff.name for tariff in settings.tariffs))
    yield from doubles("route", "name", (route.name for route in settings.routes))
    yield from facts_consistency.missing_hashes(settings.lines, settings.sip.digest_algorithms)
    yield from trunk_consistency.complaints(settings.trunks)
    names = {line.id for line in settings.lines}
    is_owned = settings.store.url is None or settings.mqtt.node is not None
    yield from device_consistency.complaints(
        settings.devices, names, settings.sip, is_owned=is_owned
    )
    if refusal := plan.refuse_extension(test_number):
        yield ("emergency", "test_number"), refusal
    yield from trunk_consistency.unknown_hops(settings.trunks, settings.routes, routes)
