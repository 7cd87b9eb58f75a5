"""[[trunk]]: carriers, how they are recognised, and what an emergency call looks like to each.
[emergency]: what all emergency calls share.

Profiles (docs/emergency.md): A short number + P-Access-Network-Info, B long number + the same,
C service URN + PIDF-LO (RFC 6442).
"""

import ipaddress
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from switch.facts.settings import LocationSettings
from switch.settings import E164, HostPort, Identifier, Secret, Section

FailureStatus = Annotated[int, Field(ge=400, le=699)]
# +33145678901, 33145678901, 0033145678901, 0145678901: the words of routing/numbers.py.
NumberFormat = Literal["e164", "plain", "international", "national"]
# Short numbers are 10XY or 118XYZ or 9XX here; six digits are the longest in French use.
CorsicaCode = Annotated[str, Field(pattern=r"^[0-9A-Z]{2}$")]
ShortNumber = Annotated[str, Field(pattern=r"^\d{2,6}$")]


def is_literal(address: str) -> bool:
    """Whether an address is an IP literal, which needs no DNS."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


class TrunkSettings(Section):
    """One carrier.

    `address` is an IP literal, or a name that RFC 3263 resolves: with `port` to the addresses of
    the name, without it (0) also by SRV, and with `transport` "any" by NAPTR first. Which calls leave
    by a trunk, and in which order, is said by the routes that name it. `channels` None = no limit;
    emergency calls are never limited. A request is recognised as this trunk's by address, port and
    transport (so two trunks can't share all three), by the name in its TLS certificate (`tls_name`,
    else the address), or by the Contact of our registration.

    `aor` is what we register, sip:USERNAME@ADDRESS by default. `origin` "abroad" marks French
    numbers that call through this trunk. `tcp_for_large` is whether a UDP carrier takes requests over
    1,300 octets by TCP (RFC 3261 §18.1.1); without it they go by UDP, and a location as XML stays
    behind. `stir` is who signs: with "none" no Identity field is passed on. `ping_s` 0 = no probes;
    a trunk of the emergency route is probed all the same ([emergency] probe_s).
    """

    id: Identifier
    address: str = Field(min_length=1)
    port: int = Field(default=0, ge=0, le=65535)
    transport: Literal["udp", "tcp", "tls", "any"] = "udp"
    tls_name: str = ""
    ca: str = ""
    cert: str = ""
    key: str = ""

    trusted: bool = False
    username: str = ""
    password: Secret | None = None
    # 0 = we don't register there. A day at most: a carrier that lost our binding is noticed by then.
    register_expires_s: int = Field(default=0, ge=0, le=86_400)
    aor: str = Field(default="", pattern=r'^(sips?:[^\s<>"@;?]+@[^\s<>"@;?]+)?$')
    ping_s: float = Field(default=30, ge=0)
    tcp_for_large: bool = True
    channels: int | None = Field(default=None, ge=1)
    failover_on: tuple[FailureStatus, ...] = ()

    number_out: NumberFormat = "e164"
    number_in: NumberFormat = "e164"
    portability_prefixes: tuple[Annotated[str, Field(pattern=r"^\+?[0-9A-F]{1,10}$")], ...] = ()
    stir: Literal["carrier", "none"] = "carrier"
    origin: Literal["france", "abroad"] = "france"

    profile: Literal["A", "B", "C"] = "A"
    pidf_lo: bool = False
    resource_priority: bool = False
    priority_header: bool = False
    # How this carrier writes the INSEE codes of Corsica in P-Access-Network-Info.
    corsica: dict[Literal["2A", "2B"], CorsicaCode] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _literals_have_a_port(cls, value: Any) -> Any:
        """A literal without a port means the default one; a name without a port asks for SRV."""
        if not isinstance(value, dict) or value.get("port"):
            return value
        if not is_literal(str(value.get("address"))):
            return value
        return {**value, "port": 5061 if value.get("transport") == "tls" else 5060}

    @property
    def host(self) -> str:
        """What stands in URIs: `host` or `host:port`, IPv6 in brackets."""
        return str(HostPort(self.address, self.port)) if self.port else self.address

    @property
    def uri(self) -> str:
        """The SIP URI whose way is looked up in the DNS."""
        return f"sip:{self.host}" + (
            "" if self.transport == "any" else f";transport={self.transport}"
        )

    @property
    def certificate_name(self) -> str:
        """The DNS name that this carrier's TLS certificate shows, in lower case; "" when none does."""
        if self.transport not in ("tls", "any"):
            return ""
        return (self.tls_name or ("" if is_literal(self.address) else self.address)).lower()

    @property
    def registered_aor(self) -> str:
        """The address of record that we register, "" when we don't."""
        if not self.register_expires_s:
            return ""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return self.aor or f"sip:{self.username}@{host}"

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.transport == "any" and is_literal(self.address):
            raise ValueError('transport = "any" needs a name, which the DNS tells the transport of')
        if (self.password is None) != (self.username == ""):
            raise ValueError("username and password go together")
        if self.register_expires_s and self.password is None:
            raise ValueError("a registration needs username and password")
        if self.transport not in ("tls", "any") and (
            self.tls_name or self.ca or self.cert or self.key
        ):
            raise ValueError('tls_name, ca, cert and key need transport = "tls"')
        if bool(self.cert) != bool(self.key):
            raise ValueError("cert and key go together")
        if self.profile == "C" and not self.pidf_lo:
            raise ValueError("profile C carries the location as PIDF-LO: pidf_lo = true")
        return self


class EmergencySettings(Section):
    """What all emergency calls share. The numbers themselves are in the dial plan.

    `operator_code` is ours at ARCEP (R1R2 of P-Access-Network-Info). `abroad_signals` and
    `abroad_override` replace the dial plan's when given. `abroad_answer_mode` lists who hears the
    warning in an answered call instead of early media: "line:104", or a pattern for User-Agent,
    "Gigaset*". `default_location` serves a line that has neither address nor site. `probe_s` is the
    longest time between two OPTIONS to a trunk of the emergency route. `routes_max_shrink` is the
    largest share of its rows that a new routing table may lack. An emergency call that the caller ends
    within `short_call_s` of the answer is told to the operator.
    """

    operator_code: str = Field(pattern=r"^[0-9A-Z]{2}$")
    default_location: LocationSettings
    test_number: ShortNumber = "933"
    abroad_signals: int | None = Field(default=None, ge=1)
    abroad_override: bool | None = None
    abroad_answer_mode: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    no_100_s: float = Field(default=1.5, ge=0.5, le=10)
    emergency_pdd_s: float = Field(default=8, ge=2, le=60)
    tcp_connect_s: float = Field(default=0.5, ge=0.1, le=5)
    callback_s: float = Field(default=1800, ge=0)
    short_call_s: float = Field(default=10, ge=0, le=300)
    probe_s: float = Field(default=15, ge=2, le=300)
    routes_max_shrink: float = Field(default=0.02, ge=0, le=1)
    psap_numbers: tuple[E164, ...] = ("+33800112112",)
    location_source: str = Field(default="vigie.invalid", description="our FQDN in loc-src")
