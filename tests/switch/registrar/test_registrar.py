"""REGISTER as RFC 3261 §10.3 has it, with Path, outbound and NAT; time is jumped."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.clock import Wheel
from switch.facts.networks import PrefixTable
from switch.registrar.registrar import Registrar
from switch.registrar.wanted import Limits
from switch.sip.build import make_request
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox

WALL = 1_800_000_000.0
US = ("192.0.2.10", 5060)
PHONE = ("192.0.2.1", 5060)
CONTACT = "<sip:101@192.0.2.1:5060>"
UDP = Flow("UDP", US, PHONE)
TCP = Flow("TCP", US, ("192.0.2.1", 40000), 7)
OUTBOUND = '<sip:101@10.0.0.5:5062>;+sip.instance="<urn:uuid:a>";reg-id={}'


class Bench:
    """A registrar with its wheel and outbox, and a phone's counters."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.wheel, self.outbox = Wheel(), Outbox()
        self.registrar = Registrar(limits or Limits(contacts=3), self.wheel, self.outbox)
        self.cseq = 0

    def request(self, *contacts: str, expires: str | None = None, **headers: str) -> Request:
        self.cseq += 1
        lines = [
            ("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"),
            ("From", "<sip:101@vigie>;tag=1"),
            ("To", "<sip:101@vigie>"),
            ("Call-ID", headers.pop("call_id", "one")),
            ("CSeq", f"{headers.pop('cseq', self.cseq)} REGISTER"),
        ]
        lines += [("Contact", contact) for contact in contacts]
        if expires is not None:
            lines.append(("Expires", expires))
        lines += [(name.replace("_", "-").title(), value) for name, value in headers.items()]
        return make_request("REGISTER", "sip:vigie", lines)

    def register(
        self,
        *contacts: str,
        now: float = 0.0,
        flow: Flow = UDP,
        aor: str = "101",
        expires: str | None = None,
        **headers: str,
    ) -> Response:
        request = self.request(*contacts, expires=expires, **headers)
        return self.registrar.register(request, flow, aor, now, WALL + now)

    def contacts(self, now: float = 0.0, aor: str = "101") -> list[str]:
        return [str(binding.contact) for binding in self.registrar.bindings(aor, now)]

    def restarted(self, now: float, wall: float) -> "Bench":
        other = Bench()
        records = [orjson.loads(line) for line in self.outbox.journal]
        other.registrar.restore(records, now, wall)
        assert other.outbox.journal == []
        return other


@pytest.fixture
def bench() -> Bench:
    return Bench()


# §10.3: lifetimes


def test_a_contact_is_bound_and_answered_with_its_lifetime(bench: Bench) -> None:
    response = bench.register(CONTACT, expires="600")
    assert response.status == 200
    assert response.get_all("Contact") == [f"{CONTACT};expires=600"]
    assert bench.contacts(599.0) == ["sip:101@192.0.2.1:5060"]
    assert bench.contacts(600.0) == []
    bench.wheel.fire(601.0)
    assert len(bench.registrar) == 0
    assert len(bench.wheel) == 0


def test_the_contacts_own_expires_wins_over_the_header(bench: Bench) -> None:
    response = bench.register(f"{CONTACT};expires=120", expires="600")
    assert response.get("Contact") == f"{CONTACT};expires=120"


def test_the_default_and_the_maximum_lifetime(bench: Bench) -> None:
    assert bench.register(CONTACT).get("Contact") == f"{CONTACT};expires=3600"
    assert (
        bench.register(CONTACT, expires="999999999999").get("Contact") == f"{CONTACT};expires=7200"
    )
    assert bench.register(CONTACT, expires="soon").get("Contact") == f"{CONTACT};expires=3600"


def test_too_brief_a_lifetime_gets_423_and_changes_nothing(bench: Bench) -> None:
    response = bench.register(f"{CONTACT};expires=3000", "<sip:x@192.0.2.1>;expires=59")
    assert response.status == 423
    assert response.get("Min-Expires") == "60"
    assert bench.contacts() == []
    assert bench.register(CONTACT, expires="60").status == 200


def test_a_refresh_prolongs_without_another_timer(bench: Bench) -> None:
    for now in (0.0, 50.0, 100.0, 150.0):
        bench.register(CONTACT, expires="60", now=now)
        bench.wheel.fire(now)
    assert len(bench.wheel) == 1
    assert len(bench.registrar) == 1
    assert bench.contacts(209.0) != []
    bench.wheel.fire(211.0)
    assert len(bench.registrar) == 0


# §10.3: removal and queries


def test_expires_0_removes_one_contact(bench: Bench) -> None:
    bench.register(CONTACT, "<sip:101@192.0.2.2>")
    response = bench.register(f"{CONTACT};expires=0")
    assert response.get_all("Contact") == ["<sip:101@192.0.2.2>;expires=3600"]
    assert bench.register("<sip:unknown@192.0.2.9>;expires=0").status == 200


def test_the_asterisk_removes_all(bench: Bench) -> None:
    bench.register(CONTACT, "<sip:101@192.0.2.2>")
    response = bench.register("*", expires="0")
    assert (response.status, response.get("Contact")) == (200, None)
    assert len(bench.registrar) == 0
    assert len(bench.wheel) == 0
    assert bench.registrar.line_of(UDP) is None


@pytest.mark.parametrize(
    ("contacts", "expires"),
    [(["*"], None), (["*"], "60"), (["*", CONTACT], "0"), ([f"*, {CONTACT}"], "0")],
)
def test_a_wrong_asterisk_gets_400(bench: Bench, contacts: list[str], expires: str | None) -> None:
    bench.register(CONTACT)
    assert bench.register(*contacts, expires=expires).status == 400
    assert len(bench.registrar) == 1


def test_no_contact_is_a_query(bench: Bench) -> None:
    bench.register(CONTACT)
    assert bench.register(now=100.0).get_all("Contact") == [f"{CONTACT};expires=3500"]
    assert bench.register(aor="102").get_all("Contact") == []


@pytest.mark.parametrize(
    "contact",
    [
        "<tel:+33199000101>",
        "<sip:101@192.0.2.1?Subject=x>",
        "<sip:101@192.0.2.1",
        "<sip:1@a>;x=a b",
    ],
)
def test_a_contact_that_could_not_be_called_gets_400(bench: Bench, contact: str) -> None:
    assert bench.register(contact).status == 400
    assert len(bench.registrar) == 0


# §10.3: order


def test_an_older_or_repeated_cseq_of_the_same_call_id_is_refused(bench: Bench) -> None:
    bench.register(CONTACT, cseq="5")
    for cseq in ("5", "4"):
        assert bench.register(f"{CONTACT};expires=0", cseq=cseq).status == 500
        assert bench.register("*", expires="0", cseq=cseq).status == 500
    assert len(bench.registrar) == 1
    assert bench.register(f"{CONTACT};expires=0", cseq="6").status == 200


def test_another_call_id_may_count_anew(bench: Bench) -> None:
    bench.register(CONTACT, cseq="5")
    assert bench.register(CONTACT, cseq="1", call_id="after a reboot").status == 200


def test_all_contacts_are_refused_together(bench: Bench) -> None:
    bench.register(CONTACT, cseq="5")
    assert bench.register("<sip:new@192.0.2.1>", CONTACT, cseq="5").status == 500
    assert bench.contacts() == ["sip:101@192.0.2.1:5060"]


# §19.1.4 and several contacts


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ("<sip:%3101@192.0.2.1:5060>", True),
        ("<sip:101@192.0.2.1:5060;line=x>", True),
        ("<sip:101@192.0.2.1>", False),
        ("<sip:101@192.0.2.1:5060;transport=udp>", False),
    ],
)
def test_equivalent_contacts_replace_each_other(bench: Bench, other: str, same: bool) -> None:
    bench.register(CONTACT)
    bench.register(other)
    assert len(bench.registrar) == (1 if same else 2)


def test_parameters_go_back_as_they_came_and_stay_in_the_uri(bench: Bench) -> None:
    contact = '<sip:101@192.0.2.1;line=a;x="q">;methods="INVITE, BYE";audio;q=0.5'
    response = bench.register('"Desk" <sip:101@192.0.2.1;line=a>;methods="INVITE, BYE";audio;q=0.5')
    assert response.get("Contact") == (
        '<sip:101@192.0.2.1;line=a>;q=0.5;methods="INVITE, BYE";audio;expires=3600'
    )
    assert bench.contacts() == ["sip:101@192.0.2.1;line=a"]
    assert bench.register(contact).status == 400  # a quoted URI parameter can't be written back


def test_contacts_are_tried_by_q_and_then_the_most_recent(bench: Bench) -> None:
    bench.register("<sip:old@192.0.2.1>", now=1.0)
    bench.register("<sip:low@192.0.2.1>;q=0.1", now=3.0)
    bench.register("<sip:new@192.0.2.1>;q=7", now=2.0)  # no qvalue: as if absent
    users = [binding.contact.user for binding in bench.registrar.bindings("101", 3.0)]
    assert users == ["new", "old", "low"]


def test_over_the_limit_the_oldest_goes(bench: Bench) -> None:
    for number in range(5):
        assert bench.register(f"<sip:{number}@192.0.2.1>", now=float(number)).status == 200
    users = [binding.contact.user for binding in bench.registrar.bindings("101", 5.0)]
    assert users == ["4", "3", "2"]
    assert bench.register(*[f"<sip:{n}@192.0.2.1>" for n in range(4)]).status == 400


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
    assert bench.registrar.find(TCP, "101") is None
    bench.wheel.fire(133.0)
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
    assert bench.registrar.authenticated_flow(UDP, "101")
    assert not bench.registrar.authenticated_flow(UDP, "102")
    assert not bench.registrar.authenticated_flow(TCP, "101")
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


# The journal


def test_bindings_survive_a_restart(bench: Bench) -> None:
    contact = '<sip:101@192.0.2.1:5060;line=a>;q=0.5;+sip.instance="<urn:uuid:a>"'
    bench.register(contact, expires="600", user_agent="Phone/1")
    bench.register("<sip:101@192.0.2.3>", expires="600")
    bench.register("<sip:101@192.0.2.3>;expires=0")
    (before,) = bench.registrar.bindings("101", 0.0)
    # Another boot: the boottime clock starts anew, UTC goes on.
    other = bench.restarted(now=5.0, wall=WALL + 100.0)
    (after,) = other.registrar.bindings("101", 5.0)
    assert (after.contact, after.flow, after.q) == (before.contact, before.flow, before.q)
    assert (after.text, after.user_agent, after.instance) == (
        before.text,
        "Phone/1",
        "<urn:uuid:a>",
    )
    assert 500.0 <= after.expires_at - 5.0 <= 1100.0
    assert other.registrar.line_of(UDP) == "101"


def test_a_binding_that_ended_meanwhile_is_not_restored(bench: Bench) -> None:
    bench.register(CONTACT, expires="60")
    assert len(bench.restarted(0.0, WALL + 121.0).registrar) == 0


def test_a_connection_does_not_survive_and_is_waited_for(bench: Bench) -> None:
    bench.register("<sip:101@192.0.2.1;transport=tcp>", flow=TCP)
    other = bench.restarted(0.0, WALL)
    assert other.contacts() == []
    assert other.registrar.is_expected_back("101", 0.0)
    assert other.registrar.line_of(TCP) is None
    other.wheel.fire(33.0)
    assert len(other.registrar) == 0
    assert len(other.wheel) == 0


def test_refreshes_are_written_coarsely(bench: Bench) -> None:
    for number in range(20):
        bench.register(CONTACT, expires="60", now=number * 50.0)
    assert 5 <= len(bench.outbox.journal) <= 11
    other = bench.restarted(0.0, WALL + 19 * 50.0 + 59)
    assert len(other.registrar) == 1


def test_each_change_is_written_at_once(bench: Bench) -> None:
    bench.register(CONTACT)
    bench.register(CONTACT, flow=Flow("UDP", US, ("192.0.2.1", 6000)))
    bench.register(f"{CONTACT};q=0.3", flow=Flow("UDP", US, ("192.0.2.1", 6000)))
    assert [orjson.loads(line)["k"] for line in bench.outbox.journal] == ["bind"] * 3
    assert bench.registrar.line_of(UDP) is None


def test_a_new_segment_starts_with_what_there_is(bench: Bench) -> None:
    for number in range(3):
        bench.register(f"<sip:{number}@192.0.2.1>")
    bench.outbox.journal = list(bench.registrar.records())
    assert len(bench.restarted(0.0, WALL).registrar) == 3


def test_foreign_records_are_skipped(bench: Bench) -> None:
    bench.registrar.restore(
        [{"k": "start"}, {"k": "unbind", "aor": "1", "contact": "x"}], 0.0, WALL
    )
    assert len(bench.registrar) == 0


def test_comings_and_goings_are_noted_and_refreshes_are_not(bench: Bench) -> None:
    bench.register(CONTACT)
    bench.register(CONTACT)
    bench.register("*", expires="0")
    assert [name for name, _ in bench.outbox.events] == ["binding.added", "binding.removed"]


def test_nothing_is_left_of_a_thousand_phones(bench: Bench) -> None:
    for number in range(1000):
        flow = Flow("UDP", US, ("192.0.2.1", 1024 + number))
        contact = f"<sip:{number}@192.0.2.1:{1024 + number}>"
        bench.register(contact, flow=flow, aor=str(number), expires="60")
    bench.wheel.fire(100.0)
    flows = bench.registrar._table.flows
    assert (len(bench.registrar), len(bench.wheel)) == (0, 0)
    assert (len(flows._flows), len(flows._contacts)) == (0, 0)


VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40)


@given(
    contact=st.one_of(
        VALUES,
        st.builds("<sip:{}@192.0.2.1;{}>;{}".format, VALUES, VALUES, VALUES),
        st.builds("<sip:101@192.0.2.1>;expires={};q={};reg-id={}".format, VALUES, VALUES, VALUES),
    ),
    expires=st.one_of(st.none(), VALUES, st.integers().map(str), st.just("9" * 5000)),
    path=VALUES,
    supported=st.sampled_from(["outbound", "path", ""]),
)
@settings(max_examples=300, deadline=None)
def test_no_register_breaks_the_registrar(
    contact: str, expires: str | None, path: str, supported: str
) -> None:
    bench = Bench(Limits(trusted_proxies=PrefixTable([("192.0.2.1/32", True)])))
    for _ in range(2):
        response = bench.register(contact, expires=expires, path=path, supported=supported)
        assert response.status in (200, 400, 414, 423, 439)
        response.to_bytes()
    assert len(bench.restarted(0.0, WALL).registrar) == len(bench.registrar)
