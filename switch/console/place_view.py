"""How a registered location is shown: on one line, and with where it comes from."""

from collections.abc import Mapping
from typing import Any

from switch.facts.registered import Registered

_INSIDE = (("NAM", ""), ("BLD", "bâtiment "), ("FLR", "étage "), ("ROOM", "bureau "), ("LOC", ""))


def one_line(civic: Mapping[str, str]) -> str:
    """An address as it is written on an envelope."""
    street = " ".join(civic[name] for name in ("HNO", "HNS", "RD") if civic.get(name))
    town = " ".join(civic[name] for name in ("PC", "A3") if civic.get(name))
    inside = [f"{word}{civic[name]}" for name, word in _INSIDE if civic.get(name)]
    return ", ".join(part for part in (*inside, street, town) if part)


def provenance(registered: Registered) -> dict[str, object]:
    """Where a version comes from, and what became of it since."""
    return {
        "source": registered.source.value,
        "at": registered.at,
        "by": registered.by,
        "why": registered.why,
        "confirmed_at": registered.confirmed_at,
        "confirmed_by": registered.confirmed_by,
        "reminded": list(registered.reminded),
    }


def version_shown(registered: Registered) -> dict[str, Any]:
    """One version, as `line locations` shows it."""
    place = registered.address
    return {
        "line": registered.line,
        "version": registered.version,
        "state": registered.state.value,
        "insee": place.insee if place else None,
        "civic": dict(place.civic) if place else None,
        "address": one_line(place.civic) if place else "",
        "site": registered.site,
        "number": registered.number,
        **provenance(registered),
    }
