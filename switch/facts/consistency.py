"""Whether accounts, sites and lines fit each other and the dial plan.

Each check yields the key of the offending value, in vigie.toml, and what is wrong with it.
"""

from collections.abc import Callable, Iterable, Iterator

from switch.facts import address
from switch.facts.line import extension_of
from switch.facts.settings import Definitions, LineSettings, LocationSettings

Key = tuple[str | int, ...]
Complaint = tuple[Key, str]
_DEFAULT: Key = ("emergency", "default_location")


def complaints(
    settings: Definitions, french: frozenset[str], refuse_extension: Callable[[str], str | None]
) -> Iterator[Complaint]:
    """Everything that doesn't fit. `french` are the countries of the French emergency services;
    `refuse_extension` says why a number can't be an extension (it is an emergency number)."""
    yield from doubles("account", "id", (account.id for account in settings.accounts))
    yield from doubles("site", "id", (site.id for site in settings.sites))
    yield from doubles("line", "id", (line.id for line in settings.lines))
    yield from doubles("line", "number", (line.number for line in settings.lines))
    yield from _references(settings)
    yield from _extensions(settings.lines, refuse_extension)
    yield from _places(settings, french)


def doubles(table: str, field: str, values: Iterable[str]) -> Iterator[Complaint]:
    """Values that stand twice in an array of tables."""
    seen: set[str] = set()
    for position, value in enumerate(values):
        if value in seen:
            yield (table, position, field), f"{value} stands twice"
        seen.add(value)


def missing_hashes(
    lines: tuple[LineSettings, ...], algorithms: tuple[str, ...]
) -> Iterator[Complaint]:
    """Lines that have no hash for an offered algorithm: a phone that chose it could not log in."""
    for position, line in enumerate(lines):
        if line.password is None:
            given = {"MD5": line.ha1, "SHA-256": line.ha1_sha256}
            for name in algorithms:
                if given.get(name) is None:
                    yield ("line", position), f"no {name} hash, and sip.digest_algorithms offers it"


def _references(settings: Definitions) -> Iterator[Complaint]:
    accounts = {account.id for account in settings.accounts}
    sites = {site.id for site in settings.sites}
    for position, line in enumerate(settings.lines):
        if line.account not in accounts:
            yield ("line", position, "account"), f"there is no [[account]] {line.account}"
        if line.site not in sites:
            yield ("line", position, "site"), f"there is no [[site]] {line.site}"


def _extensions(
    lines: tuple[LineSettings, ...], refuse_extension: Callable[[str], str | None]
) -> Iterator[Complaint]:
    """No extension may equal an emergency number: it would catch the call."""
    seen: set[tuple[str, str]] = set()
    for position, line in enumerate(lines):
        extension = extension_of(line)
        key: Key = ("line", position, "extension" if line.extension else "id")
        if extension and (refusal := refuse_extension(extension)):
            yield key, refusal
        if extension and (line.account, extension) in seen:
            yield key, f"the extension {extension} stands twice in account {line.account}"
        seen.add((line.account, extension))
        if line.number.startswith(("+336", "+337")):
            # ARCEP's numbering plan: 06 and 07 are for mobile services only.
            yield ("line", position, "number"), "06 and 07 numbers are not for fixed lines"


def _places(settings: Definitions, french: frozenset[str]) -> Iterator[Complaint]:
    for key, building in _buildings(settings):
        if building.civic.get("country") not in french:
            known = ", ".join(sorted(french))
            yield (*key, "civic"), f"country is one that French emergency services cover: {known}"


def contradictions(settings: Definitions) -> Iterator[Complaint]:
    """Addresses that the official geography contradicts. A check refuses them; a start takes them as
    not validated, since no table of ours may keep emergency calls from being carried."""
    for key, building in _buildings(settings):
        for found in address.problems(building.insee, building.civic):
            if not found.is_missing:
                yield (*key, found.key), found.message


def doubts(settings: Definitions) -> Iterator[Complaint]:
    """Addresses that are to be looked at: incomplete ones are not validated, others look odd."""
    for key, building in _buildings(settings):
        if key != _DEFAULT and building.validated:
            for found in address.problems(building.insee, building.civic):
                if found.is_missing:
                    yield (*key, found.key), f"{found.message}: not a validated address"
        if doubt := address.doubt(building.insee, building.civic):
            yield (*key, "civic"), doubt


def _buildings(settings: Definitions) -> Iterator[tuple[Key, LocationSettings]]:
    yield _DEFAULT, settings.default_location
    yield from ((("site", n), site) for n, site in enumerate(settings.sites))
    for n, line in enumerate(settings.lines):
        if isinstance(line.location, LocationSettings):
            yield ("line", n, "location"), line.location
