"""Header and method names: canonical spelling, compact forms (RFC 3261 §7.3.3), single values."""

from typing import Final

METHODS: Final[dict[str, str]] = {
    method: method
    for method in (
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "REGISTER",
        "PRACK",
        "UPDATE",
        "INFO",
        "SUBSCRIBE",
        "NOTIFY",
        "PUBLISH",
        "MESSAGE",
        "REFER",
    )
}
"""Registered methods, each mapped to the one string all messages share."""

COMPACT: Final[dict[str, str]] = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}

_KNOWN: Final = """
Accept Accept-Contact Accept-Encoding Accept-Language Accept-Resource-Priority Alert-Info Allow
Allow-Events Answer-Mode Authentication-Info Authorization Call-ID Call-Info Contact
Content-Disposition Content-Encoding Content-Language Content-Length Content-Type CSeq Date
Diversion Error-Info Event Expires Feature-Caps Flow-Timer From Geolocation Geolocation-Error
Geolocation-Routing History-Info Identity Identity-Info In-Reply-To Info-Package Join Max-Breadth
Max-Forwards MIME-Version Min-Expires Min-SE Organization P-Access-Network-Info
P-Asserted-Identity P-Asserted-Service P-Associated-URI P-Called-Party-ID
P-Charging-Function-Addresses P-Charging-Vector P-Early-Media P-Preferred-Identity
P-Preferred-Service P-RTP-Stat P-Visited-Network-ID Path Priority Privacy Proxy-Authenticate
Proxy-Authentication-Info Proxy-Authorization Proxy-Require RAck Reason Record-Route Recv-Info
Refer-Sub Refer-To Referred-By Reject-Contact Remote-Party-ID Replaces Reply-To
Request-Disposition Require Resource-Priority Retry-After Route RSeq Security-Client
Security-Server Security-Verify Server Service-Route Session-Expires SIP-ETag SIP-If-Match Subject
Subscription-State Supported Suppress-If-Match Target-Dialog Timestamp To Unsupported User-Agent
User-to-User Via Warning WWW-Authenticate X-RTP-Stat
""".split()  # noqa: SIM905 (a hundred quoted lines would hide what is missing)

# As written on the wire by most peers, in lower and in upper case, and compact: one look-up each.
CANONICAL: Final[dict[str, str]] = (
    {name.lower(): name for name in _KNOWN}
    | {name.upper(): name for name in _KNOWN}
    | {name: name for name in _KNOWN}
    | COMPACT
    | {short.upper(): name for short, name in COMPACT.items()}
)

# §7.3.1 and §20: at most one of each may appear; a second could make two readers see two messages.
SINGLE_VALUED: Final = (
    "Call-ID",
    "CSeq",
    "From",
    "To",
    "Max-Forwards",
    "Content-Type",
    "Expires",
    "Min-Expires",
    "Event",
    "RSeq",
    "RAck",
    "Session-Expires",
    "Min-SE",
    "Replaces",
    "Date",
    "Content-Disposition",
)


def canonical(name: str) -> str:
    """The canonical spelling of a header name; an unknown one as written."""
    return CANONICAL.get(name) or CANONICAL.get(name.lower()) or name
