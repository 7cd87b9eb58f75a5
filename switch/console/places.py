"""Where lines are registered: changing it, confirming it, its versions, and reminding customers of it.

A new address must fit its INSEE code (facts/address.py) and a country that French emergency services
cover, or the command is refused. It is in force for the next call at once; calls that are up keep the
location they began with. The customer confirms it; until then they are reminded on day 0, 3 and 7. A
phone that moves has them asked again.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict

from policy.model import LineState
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.line_life import LineLives
from switch.console.place_view import one_line, provenance, version_shown
from switch.facts import address
from switch.facts.line import Line
from switch.facts.locations import sighted
from switch.facts.registered import (
    DAY_MS,
    Address,
    LocationState,
    Registered,
    Source,
    registered_of,
)
from switch.facts.settings import CIVIC_ELEMENTS
from switch.store.read import Reader, StoreUnavailableError

REMINDER = "location_reminder"
CLAUSE = "1(d)"


class Places:
    """The use cases, over the lives of all lines. `reader` knows the versions of long ago; `perform`
    does what a command led to."""

    def __init__(
        self,
        exchange: Exchange,
        lives: LineLives,
        reader: Reader,
        perform: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._lives = lives
        self._reader = reader
        self._perform = perform
        self.may_remind = True  # of nodes that share a database one does
        self._owed: set[str] = set()

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "line.locate": self.locate,
            "line.confirm": self.confirm,
            "line.locations": self.versions,
        }

    # -- commands ------------------------------------------------------------------------------

    def locate(self, args: Args) -> object:
        """Register a line in a site, at an address, or at none that is validated."""
        line, now = self._line(args), self._now()
        wanted, site = self._wanted(line, args)
        before = self.registered(line)
        is_doubted = wanted is not None and self.state_of(line) is LocationState.UNVALIDATED
        is_there = before is not None and before.address == wanted and before.site == site
        if is_there and not is_doubted:
            raise CommandRefused("unchanged", f"line {line.id} is registered there already")
        registered = Registered(
            line=line.id,
            version=1 if before is None else before.version + 1,
            at=now,
            address=wanted,
            validated=wanted is not None,
            source=Source.STORE,
            by=str(args.get("by") or "operator"),
            why=str(args.get("why") or ""),
            site=site,
            filed_site=line.filed_site,
            number=line.number,
            changed_at=now,
        )
        self._put(registered)
        self.remind(now)
        self._perform()
        doubt = address.doubt(wanted.insee, wanted.civic) if wanted is not None else ""
        return {**self.shown(line.id), "warnings": [doubt] if doubt else []}

    def confirm(self, args: Args) -> object:
        """The customer says that the registered location is right."""
        line = self._line(args)
        registered = self.registered(line)
        state = self.state_of(line)
        if registered is None or state is LocationState.UNVALIDATED:
            what = f"line {line.id} has no validated address that could be confirmed"
            raise CommandRefused("unvalidated", what)
        if state is LocationState.CONFIRMED:
            raise CommandRefused(
                "unchanged", f"the location of line {line.id} is confirmed already"
            )
        by = str(args.get("by") or "customer")
        self._put(registered.confirmed(by, self._now()))
        self._perform()
        return self.shown(line.id)

    async def versions(self, args: Args) -> object:
        """Every location that a line ever had, oldest first."""
        line = self._line(args).id
        found = {(each.version, each.at): each for each in await self._stored(line)}
        found |= {(each.version, each.at): each for each in self._lives.locations.of(line)}
        return [version_shown(found[key]) for key in sorted(found)]

    # -- what time and files lead to -----------------------------------------------------------

    def see(self) -> None:
        """Take note of the lines as the files have them: new ones, other numbers, sites, addresses."""
        now, current = self._now(), self._lives.locations.current
        news = [
            version
            for line in self._exchange.facts.lines.values()
            if line.state is not LineState.TERMINATED
            and (version := sighted(line, current.get(line.id), now)) is not None
        ]
        for version in news:
            self._lives.register(version)
        if news:
            self._lives.renew(*(version.line for version in news))
        self.remind(now)

    def remind(self, now: int | None = None) -> None:
        """Have the reminders sent that are due at UTC ms `now`, each once.

        A reminder's day is kept as done only when this looks again: what was owed is in the journal by
        then. A crash in between has it owed once more, under the same id, which the ledger knows.
        """
        if not self.may_remind:
            return
        now = self._now() if now is None else now
        for registered, day in list(self._lives.locations.due(now)):
            line = self._exchange.facts.lines.get(registered.line)
            if line is None or line.state is LineState.TERMINATED:
                continue
            reminder = f"{REMINDER} {line.id} {registered.version} {day}"
            if reminder in self._owed:
                self._owed.discard(reminder)
                self._lives.register(registered.reminded_on(day, now))
            else:
                self._owed.add(reminder)
                self._owe(reminder, line, registered, day)

    # -- what is shown -------------------------------------------------------------------------

    def registered(self, line: Line) -> Registered | None:
        """The newest version of a line's location, with its reminders."""
        return self._lives.locations.current.get(line.id)

    def state_of(self, line: Line) -> LocationState:
        """How far the location in force may be believed."""
        place = line.policy.location
        if place is None or not place.validated:
            return LocationState.UNVALIDATED
        return LocationState.CONFIRMED if place.confirmed else LocationState.UNCONFIRMED

    def shown(self, line_id: str) -> dict[str, object]:
        """What `line show` and the commands say of a line's registered location."""
        line = self._exchange.facts.lines[line_id]
        place, registered = line.policy.location, self.registered(line)
        return {
            "line": line.id,
            "state": self.state_of(line).value,
            "version": registered.version if registered else 1,
            "insee": place.insee if place else None,
            "civic": dict(place.civic) if place else None,
            "address": one_line(place.civic) if place else "",
            "site": line.site,
            **(provenance(registered) if registered else {}),
        }

    # -- inside --------------------------------------------------------------------------------

    def _wanted(self, line: Line, args: Args) -> tuple[Address | None, str]:
        """The address that a command names, completed and checked, and the line's site."""
        civic = _texts(args.get("civic"))
        site, insee = args.get("site"), args.get("insee")
        if [bool(site), bool(insee), args.get("none") is True].count(True) != 1:
            raise CommandRefused("bad_args", "give one of a site, an INSEE code, or none")
        if site:
            known = self._exchange.facts.sites.get(str(site))
            if known is None:
                raise CommandRefused("unknown_site", f"there is no site {site}")
            return self._checked(known.insee, {**known.civic, **civic}), known.id
        if insee:
            return self._checked(str(insee).upper(), civic), line.site
        if civic:
            raise CommandRefused("bad_args", "a line without an address has no civic elements")
        return None, line.site

    def _checked(self, insee: str, civic: Mapping[str, str]) -> Address:
        if unknown := sorted(set(civic) - CIVIC_ELEMENTS):
            raise CommandRefused("bad_args", f"not an element of RFC 5139: {', '.join(unknown)}")
        whole = address.completed(insee, civic)
        if wrong := address.problems(insee, whole):
            raise CommandRefused("invalid_address", "; ".join(each.message for each in wrong))
        if whole["country"] not in self._exchange.facts.networks.french:
            what = f"French emergency services don't cover {insee} ({whole['country']})"
            raise CommandRefused("invalid_address", what)
        return Address(insee, whole)

    def ask_again(self, line_id: str, why: str) -> None:
        """Have the customer confirm the line's address again; nothing for one that isn't confirmed."""
        line = self._exchange.facts.lines.get(line_id)
        if line is None or self.state_of(line) is not LocationState.CONFIRMED:
            return
        registered = self.registered(line)
        if registered is not None:
            self._put(registered.asked_again(self._now(), why))

    def reopen(self, now: int | None = None) -> None:
        """A move has the customer asked again (terms 2(q)): a phone that had a place of its own, and has
        been on another network in France for a day. A journey of some hours is none."""
        now = self._now() if now is None else now
        for line_id, seen in list(self._exchange.sightings.marked()):
            line, mark = self._exchange.facts.lines.get(line_id), seen.moved
            if line is None or mark is None or now - mark.since_ms < DAY_MS:
                continue
            had_a_place = bool(self._exchange.facts.sites[line.site].networks) or any(
                network.is_usual for network in seen.networks.values()
            )
            registered = self.registered(line)
            is_open = self.state_of(line) is not LocationState.CONFIRMED
            if registered is None or is_open or not had_a_place:
                continue
            if mark.since_ms > registered.changed_at:  # else the customer has answered it
                self._put(registered.asked_again(now, "phone on another network for a day"))

    def _put(self, registered: Registered) -> None:
        self._lives.register(registered)
        self._exchange.outbox.note(
            "line.location",
            line=registered.line,
            version=registered.version,
            state=registered.state.value,
            insee=registered.address.insee if registered.address else "",
            by=registered.confirmed_by or registered.by,
        )
        self._lives.renew(registered.line)

    def _owe(self, reminder: str, line: Line, registered: Registered, day: int) -> None:
        place = registered.address
        self._exchange.outbox.note(
            "notice.due",
            id=reminder,
            kind=REMINDER,
            audience="customer",
            line=line.id,
            account=line.account,
            clause=CLAUSE,
            fields={
                "day": day,
                "version": registered.version,
                "insee": place.insee if place else "",
                "address": one_line(place.civic) if place else "",
            },
        )

    async def _stored(self, line: str) -> list[Registered]:
        try:
            return [registered_of(asdict(row)) for row in await self._reader.locations(line)]
        except StoreUnavailableError:
            return []  # memory has them all since the last lost journal

    def _line(self, args: Args) -> Line:
        line = self._exchange.facts.lines.get(str(args["line"]))
        if line is None:
            raise CommandRefused("unknown_line", f"there is no line {args['line']}")
        return line

    def _now(self) -> int:
        return round(self._exchange.wall(boottime()) * 1000)


def _texts(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise CommandRefused("bad_args", "civic elements are an object")
    return {str(name): str(text).strip() for name, text in value.items()}
