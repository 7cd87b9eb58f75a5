"""Whether a civic address fits its INSEE code, by the official geography; and what the code completes.

The code decides where an emergency call goes, the rest is what the rescuers read: so an address that
contradicts its code is worth nothing, and one without street or postcode is not validated. A CEDEX is
no postcode of a commune: it is where letters go.
Deliberately absent: whether the street exists, and which countries are covered (consistency.py).
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from switch.facts import geography
from switch.facts.geography import Place

# One of these tells rescuers where in the commune: a street, a landmark, a named building (RFC 5139).
WHERE: Final = ("RD", "LMK", "NAM")
# Former names and short ones that people write all the same.
_SHORT: Final = {"st": "saint", "ste": "sainte"}
Civic = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an address: `key` is "insee" or "civic". One that isn't `is_missing`
    contradicts: no address that has it may be registered."""

    key: str
    message: str
    is_missing: bool = False


def problems(insee: str, civic: Civic) -> tuple[Finding, ...]:
    """Why an address is no validated one; () if it is."""
    return _problems(insee, civic.get("country", ""), civic.get("PC", ""), has_street(civic))


def has_street(civic: Civic) -> bool:
    """Whether the address tells where in the commune."""
    return any(civic.get(name) for name in WHERE)


def is_valid(insee: str, civic: Civic) -> bool:
    """Whether nothing is wrong with an address."""
    return not problems(insee, civic)


def doubt(insee: str, civic: Civic) -> str:
    """A sentence about a commune's name that isn't that of the code; "" when it is plausible."""
    place, written = geography.find(insee), civic.get("A3", "")
    if place is None or not written:
        return ""
    known = {place.name, *(part.name for part in geography.parts(insee))}
    if town := geography.find(place.part_of):
        known.add(town.name)
    if _plain(written) in {_plain(name) for name in known}:
        return ""
    return f"{insee} is {place.name}, and A3 says {written}"


def completed(insee: str, civic: Civic) -> dict[str, str]:
    """The address with what follows from the code, where it says nothing: country, region (A1),
    département (A2), commune (A3), arrondissement (A4), and the postcode of a commune with one."""
    place = geography.find(insee)
    if place is None:
        return dict(civic)
    region, departement = geography.region_of(insee), geography.departement_of(insee)
    town = geography.find(place.part_of) or place
    follows = {
        "country": geography.country_of(insee),
        "A1": region.name if region else "",
        "A2": departement.name if departement else "",
        "A3": town.name,
        "A4": geography.ordinal(place),
        "PC": place.postcodes[0] if len(place.postcodes) == 1 else "",
    }
    return {name: text for name, text in {**follows, **civic}.items() if text}


@lru_cache(maxsize=4096)
def _problems(insee: str, country: str, postcode: str, has_street: bool) -> tuple[Finding, ...]:
    """Cached: the facts are built anew at each change of a line, with all addresses."""
    return tuple(_found(insee, country, postcode, has_street))


def _found(insee: str, country: str, postcode: str, has_street: bool) -> Iterator[Finding]:
    place = geography.find(insee)
    if place is None:
        yield Finding("insee", _unknown(insee))
        return
    if refusal := _not_usable(place, postcode):
        yield Finding("insee", refusal)
        return
    territory = geography.country_of(insee)
    if country and country != territory:
        yield Finding("civic", f"country is {territory} in {insee} {place.name}, not {country}")
    if not postcode:
        yield Finding("civic", "there is no postcode (PC)", is_missing=True)
    elif postcode not in place.postcodes:
        yield Finding("civic", _other_postcode(place, postcode))
    if not has_street:
        wanted = ", ".join(WHERE)
        yield Finding("civic", f"nothing tells where in the commune ({wanted})", is_missing=True)


def _unknown(insee: str) -> str:
    communes = geography.of_postcode(insee)
    if not communes:
        return f"no commune has the INSEE code {insee} ({geography.version()})"
    named = _listed(communes)
    return f"{insee} is a postcode; the INSEE code of its commune is {named}"


def _not_usable(place: Place, postcode: str) -> str:
    """Codes of a town with arrondissements, and of communes of the past."""
    if arrondissements := geography.arrondissements(place.code):
        named = _listed([each for each in arrondissements if postcode in each.postcodes])
        first, last = arrondissements[0].code, arrondissements[-1].code
        hint = f": {named} for the postcode {postcode}" if named else ""
        return f"{place.name} takes the code of the arrondissement, {first} to {last}{hint}"
    if place.is_current:
        return ""
    now = geography.find(place.part_of)
    return f"{place.code} {place.name} is a part of {_listed([now]) if now else place.part_of} now"


def _other_postcode(place: Place, postcode: str) -> str:
    known = ", ".join(place.postcodes) or "none"
    sentence = f"the postcode {postcode} is not of {place.code} {place.name} ({known})"
    others = geography.of_postcode(postcode)
    return f"{sentence}; it is of {_listed(others)}" if others else sentence


def _listed(places: list[Place] | tuple[Place, ...], limit: int = 4) -> str:
    named = [f"{place.code} {place.name}" for place in places[:limit]]
    more = len(places) - limit
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def _plain(name: str) -> str:
    """A name without accents, hyphens, case and the number of an arrondissement."""
    letters = unicodedata.normalize("NFKD", name.replace("œ", "oe").replace("Œ", "OE"))
    bare = (each for each in letters if not unicodedata.combining(each))
    words = "".join(each if each.isalnum() else " " for each in bare)
    plain = [_SHORT.get(word, word) for word in words.casefold().split()]
    if plain and plain[-1] == "arrondissement":
        plain = plain[:-2]
    return " ".join(plain)
