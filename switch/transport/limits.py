"""How many connections, how fast, how long, how full: the limits of TCP and TLS."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Limits of one node. Times in seconds, rates per second and listener."""

    #: A connection without a registration, on which nothing came for so long, serves nobody. One with a
    #: registration stays: many phones ping never, and speak hourly, when they register.
    idle_timeout_s: float = 600.0
    #: A connection on which nothing came for so long is probed (RFC 9293 §3.8.4), which also keeps
    #: the NAT in between from forgetting it.
    probe_after_s: int = 60
    #: A peer whose kernel acknowledges nothing for so long is gone (RFC 5482).
    unheard_s: int = 15
    #: A peer that isn't there refuses at once or never answers; a call can't wait longer for it.
    connect_timeout_s: float = 3.0
    #: A TLS handshake takes three round trips; who needs longer holds a place for nothing.
    handshake_timeout_s: float = 5.0
    #: One address may be the NAT of a building full of phones.
    connections_per_address: int = 500
    #: Under the usual limit of 65,536 descriptors, with room for the rest.
    connections: int = 20_000
    #: An ECDSA P-256 handshake costs about 1 ms of CPU: 100 a second leave 90 % to calls.
    tls_accepts_per_s: float = 100.0
    tcp_accepts_per_s: float = 1_000.0
    #: Messages that wait for a connection to open.
    queued_messages: int = 64
    #: What may wait in our buffer for a peer that doesn't read.
    buffered_bytes: int = 1_048_576
