"""Where a datagram or a stream's message came from, and where one goes (the flow of RFC 5626 §2).

A value: it names a path and holds no socket. The transports map it to one.
"""

from typing import Final, NamedTuple

WILDCARDS: Final = frozenset({"0.0.0.0", "::"})  # to listen on; no peer can be told to send there


class Flow(NamedTuple):
    """A path between one of our addresses and a peer's.

    `transport` is "UDP", "TCP" or "TLS"; addresses are (IP literal, port); IPv6 literals carry no
    brackets. `connection` tells two TCP or TLS connections between the same addresses apart; it is
    0 for UDP and for a stream that is yet to be opened.
    """

    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    connection: int = 0

    @property
    def is_reliable(self) -> bool:
        """Whether the transport retransmits by itself, so that SIP doesn't (RFC 3261 §17)."""
        return self.transport != "UDP"
