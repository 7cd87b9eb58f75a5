"""Whether the trunks fit each other, each recognised by an address or certificate of its own; and whether
those that routes name are there."""

from collections.abc import Iterator, Mapping

from switch.routing.plan_file import RouteSection
from switch.routing.route import Route
from switch.trunk.settings import TrunkSettings

Key = tuple[str | int, ...]


def complaints(trunks: tuple[TrunkSettings, ...]) -> Iterator[tuple[Key, str]]:
    """The key of each offending value in vigie.toml, and what is wrong with it."""
    ids: set[str] = set()
    ways: set[tuple[str, int, str]] = set()
    names: set[str] = set()
    for position, trunk in enumerate(trunks):
        if trunk.id in ids:
            yield ("trunk", position, "id"), f"{trunk.id} stands twice"
        way = (trunk.address.lower(), trunk.port, trunk.transport)
        if way in ways:
            yield (
                ("trunk", position, "address"),
                "another trunk has this address, port and transport: calls could not be told apart",
            )
        if trunk.certificate_name and trunk.certificate_name in names:
            yield (
                ("trunk", position, "tls_name"),
                "another trunk has a certificate of this name: calls could not be told apart",
            )
        names.add(trunk.certificate_name)
        ids.add(trunk.id)
        ways.add(way)


def unknown_hops(
    trunks: tuple[TrunkSettings, ...],
    sections: tuple[RouteSection, ...],
    routes: Mapping[str, Route],
) -> Iterator[tuple[Key, str]]:
    """The same of routes, whose `sections` stand in vigie.toml or, if not, in the dial plan."""
    known = {trunk.id for trunk in trunks}
    own = {section.name: position for position, section in enumerate(sections)}
    for name, route in routes.items():
        key: Key = ("route", own[name]) if name in own else ("dialplan",)
        for hop in route.hops:
            if hop.trunk not in known:
                yield key, f"the route {name} names a trunk that is not there, {hop.trunk}"
