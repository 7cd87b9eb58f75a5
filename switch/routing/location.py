"""The registered location as it travels in SIP: P-Access-Network-Info, PIDF-LO, Geolocation.

PANI is RFC 7315 with the French operators' content (operator code + INSEE code); PIDF-LO is RFC
4119 with the civic address of RFC 5139, conveyed by value in multipart/mixed (RFC 6442, RFC 5621).
Deliberately absent: geodetic locations, location by reference, and which trunk gets which of these.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from policy.model import Location

# The schema of RFC 5139 §3.4 is a sequence: a civic address out of order is invalid.
CIVIC_ORDER: Final = (
    *("country", "A1", "A2", "A3", "A4", "A5", "A6", "PRM", "PRD", "RD", "STS", "POD", "POM"),
    *("RDSEC", "RDBR", "RDSUBBR", "HNO", "HNS", "LMK", "LOC", "FLR", "NAM", "PC", "BLD"),
    *("UNIT", "ROOM", "SEAT", "PLC", "PCN", "POBOX", "ADDCODE"),
)
# RFC 4119 §2.2.2: what a recipient assumes if nothing is said, so say it.
RETENTION: Final = timedelta(hours=24)
# RFC 4119 §6.1 registry: typed in by a person, which a registered address is.
REGISTERED: Final = "Manual"
# INSEE codes of Corsica have a letter; what a carrier wants in its digits is its own choice.
CORSICA_AS_WRITTEN: Final[Mapping[str, str]] = {"2A": "2A", "2B": "2B"}

# ISO 3166 codes of the overseas territories by the start of their INSEE codes; else FR.
_COUNTRIES: Final = {
    "971": "GP",
    "972": "MQ",
    "973": "GF",
    "974": "RE",
    "975": "PM",
    "976": "YT",
    "977": "BL",
    "978": "MF",
}

_NAMESPACES = (
    'xmlns="urn:ietf:params:xml:ns:pidf"'
    ' xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10"'
    ' xmlns:gbp="urn:ietf:params:xml:ns:pidf:geopriv10:basicPolicy"'
    ' xmlns:ca="urn:ietf:params:xml:ns:pidf:geopriv10:civicAddr"'
)
# XML 1.0 §2.2: these can't be written in any way, not even escaped.
_NOT_XML = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 0xFFFE, 0xFFFF])


def pani(
    operator_code: str, location: Location, corsica: Mapping[str, str] = CORSICA_AS_WRITTEN
) -> str:
    """The value of P-Access-Network-Info: ARCEP operator code (2 characters), INSEE code, "00".

    `corsica` maps the département prefixes 2A and 2B to what the carrier expects. Raises ValueError
    for codes of another length.
    """
    insee = location.insee
    insee = corsica.get(insee[:2], insee[:2]) + insee[2:]
    if len(operator_code) != 2 or not (operator_code.isascii() and operator_code.isalnum()):
        raise ValueError("an operator code has two letters or digits")
    if len(insee) != 5 or not (insee.isascii() and insee.isalnum()):
        raise ValueError("an INSEE code has five characters")
    return f'GSTN;operator-specific-GI="{operator_code}{insee}00";network-provided'


def civic(location: Location) -> tuple[tuple[str, str], ...]:
    """The elements of the civic address in the order of RFC 5139, with the INSEE code as ADDCODE.

    Elements that RFC 5139 doesn't have and empty ones are left out.
    """
    country = _COUNTRIES.get(location.insee[:3], "FR")
    found = {"country": country, "ADDCODE": f"INSEE:{location.insee}", **location.civic}
    return tuple((name, found[name]) for name in CIVIC_ORDER if found.get(name))


def pidf_lo(
    location: Location, entity_uri: str, method: str = REGISTERED, timestamp: float = 0.0
) -> bytes:
    """The location as application/pidf+xml; `timestamp` is UTC seconds, `method` as in RFC 4119."""
    at = datetime.fromtimestamp(timestamp, UTC)
    address = "".join(f"<ca:{name}>{_text(value)}</ca:{name}>" for name, value in civic(location))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\r\n'
        f"<presence {_NAMESPACES} entity={quoteattr(entity_uri.translate(_NOT_XML))}>"
        f'<tuple id="location"><status><gp:geopriv>'
        f'<gp:location-info><ca:civicAddress xml:lang="fr">{address}</ca:civicAddress>'
        "</gp:location-info>"
        # A PSAP passes the place on to those who drive there.
        "<gp:usage-rules><gbp:retransmission-allowed>true</gbp:retransmission-allowed>"
        f"<gbp:retention-expiry>{_utc(at + RETENTION)}</gbp:retention-expiry></gp:usage-rules>"
        f"<gp:method>{_text(method)}</gp:method>"
        f"</gp:geopriv></status><timestamp>{_utc(at)}</timestamp></tuple></presence>\r\n"
    ).encode()


def multipart(
    sdp: bytes | None, places: Iterable[tuple[bytes, str]], boundary: str
) -> tuple[str, bytes]:
    """Join an SDP (None = there is none) and locations: the Content-Type and the body.

    `places` are PIDF-LO documents with their Content-IDs, without angle brackets. The receiver must
    understand the SDP and may ignore the locations (RFC 5621 §5.3). Raises ValueError if a part
    contains the boundary.
    """
    delimiter = b"--" + boundary.encode("ascii")
    lines: list[bytes] = []
    if sdp is not None:
        lines += (
            delimiter,
            b"Content-Type: application/sdp",
            b"Content-Disposition: session;handling=required",
            b"",
            sdp,
        )
    for pidf, content_id in places:
        lines += (
            delimiter,
            b"Content-Type: application/pidf+xml",
            b"Content-ID: <" + content_id.encode("ascii") + b">",
            b"Content-Disposition: by-reference;handling=optional",
            b"",
            pidf,
        )
    if sum(delimiter in line for line in lines) != lines.count(delimiter):
        raise ValueError("the boundary occurs in a part")
    body = b"\r\n".join((*lines, delimiter + b"--", b""))
    return f'multipart/mixed;boundary="{boundary}"', body


def geolocation_headers(content_id: str, host: str) -> tuple[tuple[str, str], ...]:
    """The headers that point at the PIDF-LO (RFC 6442 §4); `host` is our loc-src (RFC 8787)."""
    return (
        ("Geolocation", f"<cid:{content_id}>;loc-src={host}"),
        ("Geolocation-Routing", "yes"),
    )


def _text(value: str) -> str:
    return escape(value.translate(_NOT_XML))


def _utc(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
