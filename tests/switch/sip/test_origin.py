"""Where a request comes from, behind a proxy that is trusted and behind one that isn't."""

import pytest

from switch.sip.build import make_request
from switch.sip.flow import Flow
from switch.sip.message import Request
from switch.sip.origin import Proxies

US = ("192.0.2.10", 5060)
PROXY = Flow("TCP", US, ("192.0.2.20", 41000), 5)
INNER = Flow("UDP", US, ("192.0.2.21", 5060))
PROXIES = Proxies(lambda address: address in {"192.0.2.20", "192.0.2.21"}, "X-Source")


def request(*headers: tuple[str, str], method: str = "INVITE", via: str = "") -> Request:
    top = "SIP/2.0/TCP 192.0.2.20;branch=z9hG4bKa;received=192.0.2.20"
    fields = [("Via", f"{top}, {via}" if via else top), *headers]
    return make_request(method, "sip:102@vigie", fields)


@pytest.mark.parametrize(
    ("via", "origin"),
    [
        ("SIP/2.0/UDP 10.0.0.5:5062;received=203.0.113.7;rport=6000", ("UDP", "203.0.113.7", 6000)),
        ("SIP/2.0/TLS 203.0.113.7;branch=z9hG4bKb", ("TLS", "203.0.113.7", 5061)),
        ("SIP/2.0/UDP [2001:db8::7];received=2001:db8::7;rport=6000", ("UDP", "2001:db8::7", 6000)),
        # Two of our proxies in a row: the outermost one saw the phone.
        (
            "SIP/2.0/UDP 192.0.2.21;branch=z9hG4bKb, SIP/2.0/UDP 203.0.113.7:5062;branch=z9hG4bKc",
            ("UDP", "203.0.113.7", 5062),
        ),
        # The phone's own word below its Via counts for nothing.
        (
            "SIP/2.0/UDP 203.0.113.7;branch=z9hG4bKb, SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKc",
            ("UDP", "203.0.113.7", 5060),
        ),
    ],
)
def test_the_via_below_the_proxys(via: str, origin: tuple[str, str, int]) -> None:
    found = PROXIES.origin(request(via=via), PROXY)
    assert (found.transport, *found.remote, found.connection) == (*origin, 0)


@pytest.mark.parametrize(
    "via",
    [
        "",  # the proxy spoke for itself
        "SIP/2.0/UDP phone.example;branch=z9hG4bKb",  # it didn't stamp what it got
        "SIP/2.0/SCTP 203.0.113.7;branch=z9hG4bKb",
        "nonsense",
    ],
)
def test_without_a_word_it_is_the_proxy(via: str) -> None:
    assert PROXIES.origin(request(via=via), PROXY) is PROXY


def path(received: str) -> tuple[str, str]:
    return "Path", f"<sip:192.0.2.20;lr{received}>"


def test_the_path_of_a_register() -> None:
    told = path(";received=sip:203.0.113.7:6000%3Btransport%3Dtls")
    via = "SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKb"
    found = PROXIES.origin(request(told, method="REGISTER", via=via), PROXY)
    assert (found.transport, found.remote) == ("TLS", ("203.0.113.7", 6000))
    # An INVITE has no Path: there it is only a line of the phone's.
    assert PROXIES.origin(request(told, via=via), PROXY).remote == ("198.51.100.1", 5060)


def test_the_path_is_read_from_the_top() -> None:
    inner, outer = path(";received=sip:192.0.2.21"), path(";received=sip:203.0.113.7")
    forged = path(";received=sip:198.51.100.1")
    found = PROXIES.origin(request(inner, outer, forged, method="REGISTER"), INNER)
    assert found.remote == ("203.0.113.7", 5060)


def test_the_proxies_own_field_comes_first() -> None:
    told = ("X-Source", "<sip:203.0.113.7:6000;transport=tcp>")
    via = "SIP/2.0/UDP 198.51.100.1;branch=z9hG4bKb"
    found = PROXIES.origin(request(told, via=via), PROXY)
    assert (found.transport, found.remote) == ("TCP", ("203.0.113.7", 6000))
    without = Proxies(PROXIES.trusts)
    assert without.origin(request(told, via=via), PROXY).remote == ("198.51.100.1", 5060)
    unreadable = request(("X-Source", "?"), via=via)
    assert PROXIES.origin(unreadable, PROXY) is PROXY


def test_from_anyone_else_all_of_it_counts_for_nothing() -> None:
    stranger = Flow("UDP", US, ("203.0.113.9", 5060))
    told = [("X-Source", "sip:127.0.0.1"), path(";received=sip:127.0.0.1")]
    for method in ("INVITE", "REGISTER"):
        via = "SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKb"
        assert PROXIES.origin(request(*told, method=method, via=via), stranger) is stranger
