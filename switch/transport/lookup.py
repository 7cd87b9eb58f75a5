"""DNS as resolve.py needs it: NAPTR, SRV and addresses with their time to live, by dnspython.

Absent records are empty answers, and so is a server's failure to tell of NAPTR or SRV: many can't,
and RFC 3263 §4.2 goes on with A and AAAA then. Silence is no answer: TimeoutError, an OSError. Names
that only the hosts file knows are found by the system.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import dns.asyncresolver
import dns.exception
import dns.resolver
from dns.nameserver import Do53Nameserver

_LIFETIME_S: Final = 2.0  # a call waits for it; resolv.conf's own default is 5 s a server
_SYSTEM_TTL_S: Final = 30.0  # getaddrinfo tells no time to live


class Naptr(NamedTuple):
    """One NAPTR record (RFC 3403): `service` in upper case, `replacement` without the last dot."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """One SRV record (RFC 2782): `target` without the last dot, empty when there is no service."""

    priority: int
    weight: int
    port: int
    target: str


class Lookup(Protocol):
    """Records of a name, and for how many seconds they hold."""

    async def naptr(self, name: str) -> tuple[list[Naptr], float]:
        """NAPTR records, in no order; TimeoutError when nobody answers."""

    async def srv(self, name: str) -> tuple[list[Srv], float]:
        """SRV records, in no order; TimeoutError when nobody answers."""

    async def addresses(self, name: str, *, ipv6: bool) -> tuple[list[str], float]:
        """IP literals of A (or AAAA) records; OSError when nobody could be asked."""


Record = TypeVar("Record")


class DnsLookup:
    """Lookup by dnspython, with its cache; of the nameservers of resolv.conf by default."""

    def __init__(self, nameservers: Sequence[tuple[str, int]] = ()) -> None:
        """`nameservers` are IP literals with ports; () those of resolv.conf."""
        self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = [Do53Nameserver(*each) for each in nameservers]
        self._resolver.cache = dns.resolver.LRUCache()
        self._resolver.lifetime = _LIFETIME_S

    async def naptr(self, name: str) -> tuple[list[Naptr], float]:
        """NAPTR records (Lookup)."""
        return await self._records(name, "NAPTR", _naptr)

    async def srv(self, name: str) -> tuple[list[Srv], float]:
        """SRV records (Lookup)."""
        return await self._records(name, "SRV", _srv)

    async def addresses(self, name: str, *, ipv6: bool) -> tuple[list[str], float]:
        """Addresses (Lookup), of the hosts file when the DNS has none."""
        found = await self._records(
            name, "AAAA" if ipv6 else "A", lambda record: str(record.address)
        )
        return found if found[0] else await self._of_system(name, ipv6=ipv6)

    async def _records(
        self, name: str, kind: str, read: Callable[[Any], Record]
    ) -> tuple[list[Record], float]:
        try:
            answer = await self._resolver.resolve(name, kind, search=False)
        except dns.resolver.LifetimeTimeout as error:
            raise TimeoutError(f"no DNS server answers for {name}") from error
        except dns.exception.DNSException:
            return [], _SYSTEM_TTL_S
        ttl = 0.0 if answer.rrset is None else float(answer.rrset.ttl)
        return [read(record) for record in answer], ttl

    async def _of_system(self, name: str, *, ipv6: bool) -> tuple[list[str], float]:
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(name, None, family=family, type=socket.SOCK_DGRAM)
        except UnicodeError:  # no name at all: an empty label, or one of over 63 characters
            return [], _SYSTEM_TTL_S
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise OSError(error.errno, f"no DNS server tells of {name}") from error
            return [], _SYSTEM_TTL_S
        return list(dict.fromkeys(str(entry[4][0]) for entry in found)), _SYSTEM_TTL_S


def _naptr(record: Any) -> Naptr:
    return Naptr(
        int(record.order),
        int(record.preference),
        record.flags.decode("ascii", "replace").lower(),
        record.service.decode("ascii", "replace").upper(),
        _name(record.replacement),
    )


def _srv(record: Any) -> Srv:
    return Srv(int(record.priority), int(record.weight), int(record.port), _name(record.target))


def _name(name: Any) -> str:
    return str(name).rstrip(".").lower()
