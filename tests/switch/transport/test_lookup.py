"""dnspython against a name server on loopback."""

import asyncio
import socket

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from switch.transport.lookup import DnsLookup, Naptr, Srv

ZONE = {
    ("example.com.", "NAPTR"): [
        '20 50 "S" "sip+d2u" "" _sip._udp.Example.com.',
        '10 50 "s" "SIPS+D2T" "" _sips._tcp.example.com.',
    ],
    ("_sip._udp.example.com.", "SRV"): ["1 2 5070 One.example.com.", "9 0 0 ."],
    ("one.example.com.", "A"): ["192.0.2.1", "192.0.2.2"],
    ("one.example.com.", "AAAA"): ["2001:db8::1"],
}


class NameServer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        [question] = query.question
        name, kind = question.name.to_text(), dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{kind} {name}")
        if "silent" in name:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if "broken" in name:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif records := ZONE.get((name.lower(), kind)):
            answer.answer.append(dns.rrset.from_text(name, 77, "IN", kind, *records))
        else:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self.transport.sendto(answer.to_wire(), address)


def ask(test):
    async def main():
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(
            NameServer, local_addr=("127.0.0.1", 0)
        )
        try:
            port = transport.get_extra_info("sockname")[1]
            return await test(DnsLookup([("127.0.0.1", port)]), server)
        finally:
            transport.close()

    return asyncio.run(main())


def test_naptr() -> None:
    records, ttl = ask(lambda lookup, _: lookup.naptr("example.com"))
    assert ttl == 77.0
    assert sorted(records) == [
        Naptr(10, 50, "s", "SIPS+D2T", "_sips._tcp.example.com"),
        Naptr(20, 50, "s", "SIP+D2U", "_sip._udp.example.com"),
    ]


def test_srv_and_the_dot_that_means_no_service() -> None:
    records, _ = ask(lambda lookup, _: lookup.srv("_sip._udp.example.com"))
    assert sorted(records) == [Srv(1, 2, 5070, "one.example.com"), Srv(9, 0, 0, "")]


def test_addresses_of_both_families() -> None:
    async def both(lookup: DnsLookup, _: NameServer):
        ipv4, _ttl = await lookup.addresses("one.example.com", ipv6=False)
        ipv6, _ttl = await lookup.addresses("one.example.com", ipv6=True)
        return sorted(ipv4), ipv6

    assert ask(both) == (["192.0.2.1", "192.0.2.2"], ["2001:db8::1"])


def test_answers_are_cached_and_no_search_list_is_used() -> None:
    async def twice(lookup: DnsLookup, server: NameServer):
        await lookup.srv("_sip._udp.example.com")
        await lookup.srv("_sip._udp.example.com")
        await lookup.srv("nothing")
        return server.asked

    assert ask(twice) == ["SRV _sip._udp.example.com.", "SRV nothing."]


@pytest.mark.parametrize(
    "name", ["absent.example.com", "broken.example.com", "bad..name", "x" * 70]
)
def test_no_srv_is_an_empty_answer_whatever_the_reason(name: str) -> None:
    records, _ = ask(lambda lookup, _: lookup.srv(name))
    assert records == []


def test_a_name_of_the_hosts_file_is_found() -> None:
    found, _ = ask(lambda lookup, _: lookup.addresses("localhost", ipv6=False))
    assert found == ["127.0.0.1"]


@pytest.mark.parametrize("name", ["bad..name", "x" * 70])
def test_what_is_no_name_has_no_address(name: str) -> None:
    assert ask(lambda lookup, _: lookup.addresses(name, ipv6=False))[0] == []


@pytest.mark.parametrize(
    ("error", "raises"), [(socket.EAI_AGAIN, True), (socket.EAI_NONAME, False)]
)
def test_nobody_to_ask_is_an_error_and_no_such_name_is_none(monkeypatch, error, raises) -> None:
    async def test(lookup: DnsLookup, _: NameServer):
        async def fail(*_args: object, **_options: object) -> None:
            raise socket.gaierror(error, "told")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", fail)
        return await lookup.addresses("absent.example.com", ipv6=False)

    if raises:
        with pytest.raises(OSError, match="no DNS server tells of absent"):
            ask(test)
    else:
        assert ask(test)[0] == []


@pytest.mark.parametrize("kind", ["naptr", "srv"])
def test_silence_is_no_answer(monkeypatch, kind: str) -> None:
    monkeypatch.setattr("switch.transport.lookup._LIFETIME_S", 0.2)
    with pytest.raises(TimeoutError, match="no DNS server answers for silent"):
        ask(lambda lookup, _: getattr(lookup, kind)("silent.example.com"))
