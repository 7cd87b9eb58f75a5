"""How a registered phone is reached, and known when it calls: NAT, connections, outbound, Path."""

import pytest

from switch.facts.networks import PrefixTable
from switch.registrar.wanted import Limits
from switch.sip.flow import Flow
from tests.switch.registrar.bench import CONTACT, OUTBOUND, TCP, UDP, US, WALL, Bench

# Flows: NAT, outbound, Path


def test_a_phone_behind_nat_is_reached_by_its_flow(bench: Bench) -> None:
    bench.register("<sip:101@10.0.0.5:5062>")
    (natted,) = bench.registrar.bindings("101", 0.0)
    assert natted.is_natted
    assert natted.destination == UDP
    assert str(natted.contact) == "sip:101@10.0.0.5:5062"


@pytest.mark.parametrize(
    ("contact", "port"), [("<sip:101@192.0.2.1:5062>", 5062), ("<sip:101@192.0.2.1>", 5060)]
)
def test_a_phone_in_the_open_is_reached_at_its_contact(
    bench: Bench, contact: str, port: int
) -> None:
    bench.register(contact, flow=Flow("UDP", US, ("192.0.2.1", 49152)))
    (binding,) = bench.registrar.bindings("101", 0.0)
    assert binding.destination == Flow("UDP", US, ("192.0.2.1", port))


def test_a_connection_is_kept_whatever_the_contact_says(bench: Bench) -> None:
    bench.register("<sip:101@192.0.2.1:5062;transport=tcp>", flow=TCP)
    assert bench.registrar.bindings("101", 0.0)[0].destination == TCP


def test_a_closed_connection_takes_no_calls_and_ends_soon(bench: Bench) -> None:
    bench.register("<sip:101@192.0.2.1;transport=tcp>", flow=TCP)
    bench.register("<sip:102@192.0.2.1;transport=tcp>", flow=TCP, aor="102")
    bench.registrar.on_flow_closed(TCP, 100.0)
    assert bench.contacts(100.0) == []
    assert bench.registrar.is_expected_back("101", 100.0)
    assert not bench.registrar.knows(TCP), "the connection is nobody's any more"
    by_contact = bench.registrar.find(TCP, "101")
    assert by_contact is not None and not by_contact.is_live, "an emergency call knows the phone"
    bench.wheel.fire(133.0)
    assert bench.registrar.find(TCP, "101") is None
    assert len(bench.registrar) == 0
    assert not bench.registrar.is_expected_back("101", 133.0)


def test_a_phone_that_comes_back_in_time_has_the_same_binding(bench: Bench) -> None:
    bench.register(OUTBOUND.format(1), flow=TCP, supported="outbound")
    key = bench.registrar.bindings("101", 0.0)[0].key
    bench.registrar.on_flow_closed(TCP, 100.0)
    again = Flow("TCP", US, ("192.0.2.1", 40001), 8)
    bench.register(
        OUTBOUND.format(1).replace("10.0.0.5", "10.0.0.6"),
        flow=again,
        now=101.0,
        supported="outbound",
    )
    assert len(bench.registrar) == 1
    binding = bench.registrar.binding(key, 101.0)
    assert binding is not None
    assert binding.destination == again
    bench.wheel.fire(200.0)
    assert bench.registrar.line_of(again) == "101"


def test_outbound_keeps_one_binding_per_instance_and_reg_id(bench: Bench) -> None:
    response = bench.register(OUTBOUND.format(1), supported="outbound")
    assert response.get("Require") == "outbound"
    bench.register(OUTBOUND.format(2), supported="outbound")
    assert len(bench.registrar) == 2
    bench.register(OUTBOUND.format(2).replace("10.0.0.5", "10.0.0.6"), supported="outbound")
    assert len(bench.registrar) == 2
    assert all(binding.is_outbound for binding in bench.registrar.bindings("101", 0.0))


def test_without_support_reg_id_means_nothing(bench: Bench) -> None:
    response = bench.register(OUTBOUND.format(1))
    assert (response.status, response.get("Require")) == (200, None)
    bench.register(OUTBOUND.format(1).replace("10.0.0.5", "10.0.0.6"))
    assert len(bench.registrar) == 2


def test_a_first_hop_without_outbound_gets_439(bench: Bench) -> None:
    request = bench.request(OUTBOUND.format(1), supported="outbound")
    request.insert_first("Via", "SIP/2.0/UDP 192.0.2.20;branch=z9hG4bK2")
    assert bench.registrar.register(request, UDP, "101", 0.0, WALL).status == 439
    assert len(bench.registrar) == 0


def test_reg_id_with_several_contacts_gets_400(bench: Bench) -> None:
    assert bench.register(OUTBOUND.format(1), CONTACT, supported="outbound").status == 400
    assert bench.register(OUTBOUND.format("x"), supported="outbound").status == 400
    assert bench.register(OUTBOUND.format("0"), supported="outbound").status == 400


def test_path_is_believed_of_trusted_proxies_only() -> None:
    proxy = Flow("UDP", US, ("192.0.2.20", 5060))
    limits = Limits(trusted_proxies=PrefixTable([("192.0.2.20/32", True)]))
    bench = Bench(limits)
    path = "<sip:edge.example;lr;ob>, <sip:inner.example;lr;ob>"
    response = bench.register(CONTACT, flow=proxy, path=path, supported="path")
    (binding,) = bench.registrar.bindings("101", 0.0)
    assert binding.path == ("<sip:edge.example;lr;ob>", "<sip:inner.example;lr;ob>")
    assert response.get_all("Path") == list(binding.path)
    assert binding.destination == proxy

    response = bench.register(CONTACT, path=path, supported="path")
    assert bench.registrar.bindings("101", 0.0)[0].path == ()
    assert response.get("Path") is None


# Who is calling: the flow of an emergency call


def test_a_registered_phone_is_known_by_its_flow(bench: Bench) -> None:
    bench.register(CONTACT)
    assert bench.registrar.line_of(UDP) == "101"
    assert bench.registrar.line_of(UDP) == "101"
    found = bench.registrar.find(UDP, "whatever it writes")
    assert found is not None
    assert found.aor == "101"


def test_a_nat_that_changed_the_port_is_seen_through_by_the_contact(bench: Bench) -> None:
    bench.register("<sip:abc@10.0.0.5>")
    moved = Flow("UDP", US, ("192.0.2.1", 61000))
    found = bench.registrar.find(moved, "abc")
    assert found is not None
    assert found.aor == "101"
    assert bench.registrar.find(moved, "101") is None
    assert bench.registrar.find(Flow("UDP", US, ("192.0.2.2", 61000)), "abc") is None


def test_many_lines_on_one_flow_are_told_apart_by_user(bench: Bench) -> None:
    for aor in ("101", "102", "103"):
        bench.register(f"<sip:{aor}@192.0.2.1>", aor=aor, call_id=aor)
    assert bench.registrar.line_of(UDP) is None
    found = bench.registrar.find(UDP, "102")
    assert found is not None
    assert found.aor == "102"
    assert bench.registrar.find(UDP, "999") is None
    bench.register("*", aor="101", expires="0", call_id="101")
    bench.register("*", aor="103", expires="0", call_id="103")
    assert bench.registrar.line_of(UDP) == "102"


def test_removing_a_line_ends_its_bindings(bench: Bench) -> None:
    bench.register(CONTACT, "<sip:101@192.0.2.2>")
    assert bench.registrar.remove("101") == 2
    assert bench.registrar.remove("101") == 0
    assert list(bench.registrar.all(0.0)) == []
    assert bench.registrar.find(UDP, "101") is None


# Behind a trusted proxy


PROXY = Flow("TCP", US, ("192.0.2.20", 41000), 5)
BEHIND = Limits(trusted_proxies=PrefixTable([("192.0.2.20/32", True)]))


@pytest.mark.parametrize(
    ("path", "reached"),
    [
        ("<sip:192.0.2.20;transport=tcp;lr>", Flow("TCP", US, ("192.0.2.20", 5060))),
        ("<sip:192.0.2.20:5070;transport=tcp;lr>", Flow("TCP", US, ("192.0.2.20", 5070))),
        ("<sip:192.0.2.20;lr>", Flow("TCP", US, ("192.0.2.20", 41000))),  # another transport
        ("<sip:edge.example;transport=tcp;lr>", Flow("TCP", US, ("192.0.2.20", 41000))),
        ("", Flow("TCP", US, ("192.0.2.20", 41000))),
    ],
)
def test_a_proxied_phone_is_reached_where_the_path_says(path: str, reached: Flow) -> None:
    bench = Bench(BEHIND)
    phone = Flow("UDP", US, ("203.0.113.7", 5060))
    bench.register(CONTACT, flow=PROXY, origin=phone, path=path, supported="path")
    (binding,) = bench.registrar.bindings("101", 0.0)
    assert (binding.destination, binding.source) == (reached, "203.0.113.7")
    bench.registrar.on_flow_closed(PROXY, 1.0)
    assert bench.contacts(1.0), "the proxy's connection is not the phone's"
    (after,) = bench.restarted(5.0, WALL + 5.0).registrar.bindings("101", 5.0)
    assert (after.destination, after.origin) == (reached, phone)


def test_phones_behind_one_proxy_are_not_taken_for_each_other() -> None:
    bench = Bench(BEHIND)
    phone = Flow("UDP", US, ("203.0.113.7", 5060))
    bench.register(CONTACT, flow=PROXY, origin=phone)
    stranger = phone._replace(remote=("203.0.113.8", 5060))
    assert bench.registrar.line_of(PROXY) is None
    assert bench.registrar.find(PROXY, "101") is None
    assert bench.registrar.find(stranger, "101") is None
    found = bench.registrar.find(phone, "whatever it writes")
    assert found is not None and found.aor == "101"
