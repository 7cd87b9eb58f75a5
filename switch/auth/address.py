"""Source addresses as nonces and locks see them.

A nonce is good in the whole neighbourhood of the address that asked for it, because a NAT may send
a phone's next request from another address of its pool. A lock names one IPv4 address, and for IPv6
the /64 that one customer has.
"""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)  # parsing costs more than the HMAC; a phone comes back often
def address_class(address: str) -> bytes:
    """The first bytes of an address: /24 of IPv4, /64 of IPv6; b"" for what is no address."""
    parsed = _parse(address)
    if parsed is None:
        return b""
    return parsed.packed[:3] if parsed.version == 4 else parsed.packed[:8]


@lru_cache(maxsize=4096)
def address_key(address: str) -> str:
    """What a lock names: the IPv4 address, or the /64 of an IPv6 address."""
    parsed = _parse(address)
    if parsed is None or parsed.version == 4:
        return str(parsed or address)
    return f"{ipaddress.IPv6Address(parsed.packed[:8] + bytes(8))}/64"


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
