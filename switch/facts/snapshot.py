"""All facts that a decision needs, in memory, immutable: a change builds another and swaps it whole.

A snapshot joins what files define with what the store remembers of each line's life. Nothing here
waits: neither a database nor the DNS may be in the path of an emergency call.
Deliberately absent: bindings (registrar), minutes (usage) and where phones are (sightings), which
change with every call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from policy import model
from policy.model import Facts, Says, Signal
from switch.facts.line import UNCHANGED, Line, LineLife, build_line, location_of, relive
from switch.facts.networks import UNKNOWN, Networks, PrefixTable
from switch.facts.settings import AccountSettings, Definitions, SiteSettings
from switch.facts.whereabouts import (
    NOWHERE,
    DeviceReport,
    Whereabouts,
    fingerprint_key,
    network_key,
)

OPERATOR = "configuration"
CUSTOMER = "declaration"
DEVICE = "device"
LEARNT = "registrations"
QUEUED_S = 60.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The facts in force. `lines`, `accounts` and `sites` are by id, `by_number` gives the line id
    of an E.164 number; `extensions` and `numbers` are the same lines as the policy sees them."""

    lines: Mapping[str, Line]
    by_number: Mapping[str, str]
    accounts: Mapping[str, AccountSettings]
    sites: Mapping[str, SiteSettings]
    networks: Networks
    extensions: Mapping[tuple[str, str], model.Line] = field(repr=False)
    numbers: Mapping[str, model.Line] = field(repr=False)
    _site_networks: Mapping[str, PrefixTable[Signal]] = field(repr=False)
    _places: Mapping[str, model.Location] = field(repr=False)

    @classmethod
    def build(
        cls,
        settings: Definitions,
        overrides: Mapping[str, LineLife],
        networks: Networks,
    ) -> "Snapshot":
        """Join definitions with lives by line id. `settings` was checked by `switch.config`: every
        account and site that a line names exists, and numbers and extensions are unique."""
        sites = {site.id: site for site in settings.sites}
        places = {site.id: location_of(site) for site in settings.sites}
        default = location_of(settings.default_location)
        lines = {
            entry.id: build_line(
                entry,
                places,
                default,
                overrides.get(entry.id, UNCHANGED),
                settings.realm,
            )
            for entry in settings.lines
        }
        return cls(
            lines=lines,
            by_number={line.number: line.id for line in lines.values()},
            accounts={account.id: account for account in settings.accounts},
            sites=sites,
            networks=networks,
            extensions={
                (line.account, line.extension): line.policy
                for line in lines.values()
                if line.extension
            },
            numbers={line.number: line.policy for line in lines.values()},
            _site_networks={
                site.id: PrefixTable(
                    (network, Signal("enrolled_network", network, Says.SITE, 0.0, OPERATOR))
                    for network in site.networks
                )
                for site in settings.sites
            },
            _places=places,
        )

    def renewed(self, lives: Mapping[str, LineLife]) -> "Snapshot":
        """These facts with other lives of some lines: a hundred times cheaper than building them."""
        changed = [
            relive(self.lines[name], life, self._places)
            for name, life in lives.items()
            if name in self.lines
        ]
        own = [line for line in changed if line.extension]
        return replace(
            self,
            lines={**self.lines, **{line.id: line for line in changed}},
            numbers={**self.numbers, **{line.number: line.policy for line in changed}},
            extensions={
                **self.extensions,
                **{(line.account, line.extension): line.policy for line in own},
            },
        )

    def policy_facts(
        self, line_id: str | None, source: str, now: float, seen: Whereabouts = NOWHERE
    ) -> Facts:
        """What `policy.decide` is told of a call from the address `source` at boottime `now`, by a line
        that was `seen` somewhere; `line_id` None = from a trunk. An unknown line is told as no line.
        """
        line = self.lines.get(line_id) if line_id is not None else None
        if line is None:
            return Facts(None, (), self.extensions, self.numbers)
        signals = self.signals(line, source, now, seen)
        return Facts(line.policy, signals, self.extensions, self.numbers)

    def signals(
        self, line: Line, source: str, now: float, seen: Whereabouts = NOWHERE
    ) -> tuple[Signal, ...]:
        """Every hint at where the line's phone is, best first, at boottime `now`."""
        enrolled = self._site_networks[line.site].find(source)
        country = self.networks.signal(source)
        if seen is NOWHERE:
            return (country,) if enrolled is None else (enrolled, country)
        found: list[Signal] = [] if enrolled is None else [enrolled]
        usual = seen.usual(network_key(source)) if seen.networks else None
        # A usual network speaks for France unless its addresses turned out to lie abroad, or to be
        # those of a VPN.
        if usual is not None and (country.says is Says.FRANCE or country.value == UNKNOWN):
            found.append(
                Signal("usual_network", usual.name, Says.FRANCE, _age(now, usual.last), LEARNT)
            )
        declared = seen.declared
        if declared is not None and (declared.until is None or now < declared.until):
            found.append(
                self._told("declared_location", declared.country, _age(now, declared.at), CUSTOMER)
            )
        if seen.device is not None:
            found += self._reported(line, seen, seen.device, source, now)
        found.append(country)
        return tuple(found)

    def _reported(
        self, line: Line, seen: Whereabouts, report: DeviceReport, source: str, now: float
    ) -> list[Signal]:
        """What a device says of its place: its country; a local network that is usual for it; its
        public address, unless that is the one which the call comes from."""
        age_s = _age(now, report.at)
        found = [self._told("device_report", report.country, age_s, DEVICE)]
        usual = seen.usual(fingerprint_key(report.fingerprint)) if report.fingerprint else None
        if usual is not None:
            found.append(Signal("device_report", usual.name, Says.FRANCE, age_s, LEARNT))
        if report.address and network_key(report.address) != network_key(source):
            place = self._site_networks[line.site].find(report.address)
            place = place or self.networks.signal(report.address)
            found.append(Signal("device_address", place.value, place.says, age_s, place.source))
        return found

    def _told(self, kind: str, country: str, age_s: float, source: str) -> Signal:
        says = self.networks.says(country) if country else Says.NOTHING
        return Signal(kind, country or UNKNOWN, says, age_s, source)

    def ha1(self, user: str, algorithm: str) -> str | None:
        """The digest hash of a SIP user (a line id) for "MD5" or "SHA-256", None if there is none.

        Of the realm that the settings name (RFC 8760 §2.4: a hash per algorithm).
        """
        line = self.lines.get(user)
        return None if line is None else line.ha1.get(algorithm)

    def next_ha1(self, user: str, algorithm: str) -> str | None:
        """The same of a secret that was handed to a device and not used yet."""
        line = self.lines.get(user)
        return None if line is None else line.life.next_ha1.get(algorithm)


def _age(now: float, at: float) -> float:
    """Seconds since `at`. A call is of the moment when it was received: what became known while it lay
    in a queue is of now, and only what is far in its future shows as such (an explained past)."""
    age_s = now - at
    return 0.0 if -QUEUED_S < age_s < 0 else age_s
