"""Where a line's phone is: what the customer declares of it, and what is known, for people to read."""

import re
from collections.abc import Callable
from datetime import date
from typing import Final

from phonenumbers import SUPPORTED_REGIONS

from switch.call import registered_from
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.facts.line import Line
from switch.facts.networks import Networks, days_old
from switch.facts.whereabouts import Declaration, Mark, Whereabouts
from switch.registrar.binding import Binding

_ISO: Final = re.compile(r"[A-Z]{2}")
DATA_DAYS: Final = 90


class Declarations:
    """`line declare`; `perform` performs what a command led to."""

    def __init__(self, exchange: Exchange, perform: Callable[[], None]) -> None:
        self._exchange = exchange
        self._perform = perform

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {"line.declare": self.declare}

    def declare(self, args: Args) -> object:
        """The customer says in which country the phone is, or takes it back (`clear`)."""
        exchange, now = self._exchange, boottime()
        line = exchange.facts.lines.get(str(args["line"]))
        if line is None:
            raise CommandRefused("unknown_line", f"there is no line {args['line']}")
        declaration = None if args.get("clear") is True else self._declaration(args, now)
        if declaration is None and exchange.sightings.of(line.id).declared is None:
            raise CommandRefused("unchanged", f"nothing is declared for line {line.id}")
        registered_from.declared(exchange, line, declaration, now)
        by = str(args.get("by") or "operator")
        country = declaration.country if declaration else ""
        exchange.outbox.note("line.declared", line=line.id, country=country, by=by)
        self._perform()
        return {"line": line.id, **shown(exchange, line, now)}

    def _declaration(self, args: Args, now: float) -> Declaration:
        country = str(args.get("country") or "").upper()
        # A slip of the pen must not block an emergency call: only countries that exist.
        if not _ISO.fullmatch(country) or country not in SUPPORTED_REGIONS:
            raise CommandRefused("bad_args", "--country is a two-letter ISO code, like DE or RE")
        until = args.get("until")
        ends = None
        if isinstance(until, int):
            ends = now + until / 1000 - self._exchange.wall(now)
            if ends <= now:
                raise CommandRefused("bad_args", "--until is in the past")
        return Declaration(country, now, ends, str(args.get("by") or "operator"))


def shown(exchange: Exchange, line: Line, now: float) -> dict[str, object]:
    """What is known of a line's place; instants as UTC milliseconds."""
    seen = exchange.sightings.of(line.id)

    def utc_ms(moment: float) -> int:
        return round(exchange.wall(moment) * 1000)

    declared, device = seen.declared, seen.device
    return {
        "place": place_of(seen),
        "abroad": _shown_mark(seen.abroad),
        "moved_in_fr": _shown_mark(seen.moved),
        "declared": declared
        and {
            "country": declared.country,
            "at": utc_ms(declared.at),
            "until": None if declared.until is None else utc_ms(declared.until),
            "by": declared.by,
        },
        "device_report": device
        and {
            "country": device.country,
            "address": device.address,
            "fingerprint": device.fingerprint,
            "at": utc_ms(device.at),
        },
        "networks": [
            {
                "network": each.name,
                "usual": each.is_usual,
                "days": each.days,
                "at": utc_ms(each.last),
            }
            for each in seen.networks.values()
        ],
    }


def place_of(seen: Whereabouts) -> str:
    """The mark of a line in lists: "abroad (DE)", "new network in France (FR)", "" for none."""
    if seen.abroad is not None:
        return f"abroad ({seen.abroad.value})"
    return f"new network in France ({seen.moved.value})" if seen.moved is not None else ""


def stale_countries(networks: Networks, today: date) -> list[dict[str, object]]:
    """What `doctor` says of a country database that is older than DATA_DAYS."""
    age = days_old(networks.database_version, today)
    if age <= DATA_DAYS:
        return []
    advice = "addresses change hands: an old database blocks calls that it should not"
    detail = f"{networks.database_version} is {age} days old"
    return [{"check": "country database", "ok": False, "detail": detail, "advice": advice}]


def level_of(exchange: Exchange, binding: Binding, now: float) -> str:
    """The level of evidence of a registered phone's place, at this moment."""
    line = exchange.facts.lines.get(binding.aor)
    if line is None:
        return ""
    return registered_from.evidence_of(exchange, line, binding.source, now).level.value


def _shown_mark(mark: Mark | None) -> dict[str, object] | None:
    if mark is None:
        return None
    return {
        "since": mark.since_ms,
        "level": mark.level,
        "value": mark.value,
        "source": mark.source,
    }
