"""All facts that a decision needs, in memory, immutable: a change builds another and swaps it whole.

A snapshot joins what files define with what the store remembers of each line's life. Nothing here
waits: no database, no DNS (EMERGENCY.md §5 forbids both in the path of an emergency call).
Deliberately absent: bindings (registrar) and minutes (usage), which change with every call.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from policy import model
from policy.model import Facts, Says, Signal
from switch.facts.line import UNCHANGED, Line, LineLife, Sighting, build_line, location_of
from switch.facts.networks import Networks, PrefixTable
from switch.facts.settings import AccountSettings, Definitions, SiteSettings


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
    _site_networks: Mapping[str, PrefixTable[str]] = field(repr=False)
    _usual_networks: Mapping[str, PrefixTable[tuple[str, float]]] = field(repr=False)

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
                places[entry.site],
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
                site.id: PrefixTable((network, network) for network in site.networks)
                for site in settings.sites
            },
            _usual_networks={
                line.id: PrefixTable((name, (name, at)) for name, at in line.life.usual.items())
                for line in lines.values()
                if line.life.usual
            },
        )

    def policy_facts(self, line_id: str | None, source_ip: str, at: float) -> Facts:
        """What `policy.decide` is told of a call at UTC seconds `at`; `line_id` None = from a trunk.

        An unknown line is told as no line.
        """
        line = self.lines.get(line_id) if line_id is not None else None
        if line is None:
            return Facts(None, (), self.extensions, self.numbers)
        signals = self.signals(line, source_ip, at)
        return Facts(line.policy, signals, self.extensions, self.numbers)

    def signals(self, line: Line, source_ip: str, at: float) -> tuple[Signal, ...]:
        """Every hint at where the line's phone is, best first, at UTC seconds `at`."""
        found: list[Signal] = []
        enrolled = self._site_networks[line.site].find(source_ip)
        if enrolled is not None:
            found.append(Signal("enrolled_network", enrolled, Says.SITE))
        country = self.networks.signal(source_ip)
        usual = self._usual_networks.get(line.id)
        seen = usual.find(source_ip) if usual is not None else None
        # A network is usual in France only: one that lies abroad says nothing for France.
        if seen is not None and country.says is not Says.ABROAD:
            found.append(Signal("usual_network", seen[0], Says.FRANCE, at - seen[1]))
        for kind, sighting in (
            ("declared_location", line.life.declared),
            ("device_report", line.life.device_report),
        ):
            if sighting is not None:
                found.append(self._sighted(kind, sighting, at))
        found.append(country)
        return tuple(found)

    def _sighted(self, kind: str, sighting: Sighting, at: float) -> Signal:
        says = self.networks.says(sighting.country) if sighting.country else Says.NOTHING
        return Signal(kind, sighting.country or "unknown", says, at - sighting.at)

    def ha1(self, user: str, algorithm: str) -> str | None:
        """The digest hash of a SIP user (a line id) for "MD5" or "SHA-256", None if there is none.

        Of the realm that the settings name (RFC 8760 §2.4: a hash per algorithm).
        """
        line = self.lines.get(user)
        return None if line is None else line.ha1.get(algorithm)
