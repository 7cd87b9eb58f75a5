"""[sip]: addresses, names, timers and limits of the signalling.

One section for operators; `switch.config` hands each room its part as plain values.
"""

from typing import Literal, Self

from pydantic import Field, model_validator

from switch.settings import ListenAddress, Network, Secret, Section
from switch.sip.flow import WILDCARDS


class SipSettings(Section):
    """What the signalling core is told. Times are seconds.

    `domains` empty accepts any domain in a phone's requests. `tls_certificate` and `tls_key` are
    paths relative to the configuration file; without them a self-signed certificate is made.
    `public_address` is what phones and carriers are told when we listen on 0.0.0.0 or [::].
    `trusted_proxies` are believed where a phone behind them is (switch/sip/origin.py): by their
    `source_header`, Path or Via. `max_calls` are live calls, emergency calls not limited by it.
    `name_servers` are asked for carriers' names, () those of resolv.conf.
    """

    udp: tuple[ListenAddress, ...] = ()
    tcp: tuple[ListenAddress, ...] = ()
    tls: tuple[ListenAddress, ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""
    public_address: str = ""

    realm: str = Field(default="vigie", min_length=1, pattern=r'^[^"\\\x00-\x1f]+$')
    domains: tuple[str, ...] = ()
    # RFC 8760 §2.3: offered in this order, the most wanted first.
    digest_algorithms: tuple[Literal["SHA-256", "MD5"], ...] = ("SHA-256", "MD5")
    auth_invite: Literal["always", "flow"] = "always"
    nonce_lifetime_s: float = Field(default=600, ge=10, le=86_400)
    nonce_key: Secret | None = None

    # RFC 3261 §17.1.1.1 allows a larger T1 on slow links, and a smaller one in private networks.
    t1_s: float = Field(default=0.5, ge=0.05, le=5)
    t2_s: float = Field(default=4, ge=0.1, le=60)
    t4_s: float = Field(default=5, ge=0.1, le=60)
    ring_timeout_s: float = Field(default=120, ge=5, le=600)
    qualify_s: float = Field(default=30, ge=0)
    session_expires_s: int = Field(default=1800, ge=90)
    # RFC 4028 §5: no Min-SE below 90 s.
    min_se_s: int = Field(default=90, ge=90)

    min_expires_s: int = Field(default=60, ge=1)
    max_expires_s: int = Field(default=7200, ge=60)
    default_expires_s: int = Field(default=3600, ge=60)
    contacts_per_line: int = Field(default=20, ge=1, le=200)
    max_calls: int = Field(default=20_000, ge=1)
    trusted_proxies: tuple[Network, ...] = ()
    name_servers: tuple[ListenAddress, ...] = ()
    source_header: str = Field(default="", pattern=r"^(?:[A-Za-z][A-Za-z0-9-]{0,63})?$")

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if not (self.udp or self.tcp or self.tls):
            raise ValueError("nothing to listen on: give udp, tcp or tls")
        wildcards = {at.host for at in (*self.udp, *self.tcp, *self.tls)} & WILDCARDS
        if wildcards and not self.public_address:
            # Else Via and Contact would name it, and no peer could answer or acknowledge.
            raise ValueError(f"listening on {wildcards.pop()} needs public_address")
        if not self.min_expires_s <= self.default_expires_s <= self.max_expires_s:
            raise ValueError("min_expires_s <= default_expires_s <= max_expires_s does not hold")
        if self.min_expires_s >= 3600:
            # RFC 3261 §10.3: 423 is for intervals shorter than an hour.
            raise ValueError("min_expires_s is less than 3600")
        if self.session_expires_s < self.min_se_s:
            raise ValueError("session_expires_s is at least min_se_s")
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("tls_certificate and tls_key go together")
        if not self.digest_algorithms:
            raise ValueError("digest_algorithms names at least one")
        return self
