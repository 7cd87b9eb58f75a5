"""REGISTER as RFC 3261 §10.3 has it: lifetimes, removal, order, several contacts; time is jumped."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from switch.facts.networks import PrefixTable
from switch.registrar.wanted import Limits
from switch.sip.flow import Flow
from tests.switch.registrar.bench import CONTACT, UDP, US, WALL, Bench

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
@settings(max_examples=300)
def test_no_register_breaks_the_registrar(
    contact: str, expires: str | None, path: str, supported: str
) -> None:
    bench = Bench(Limits(trusted_proxies=PrefixTable([("192.0.2.1/32", True)])))
    for _ in range(2):
        response = bench.register(contact, expires=expires, path=path, supported=supported)
        assert response.status in (200, 400, 414, 423, 439)
        response.to_bytes()
    assert len(bench.restarted(0.0, WALL).registrar) == len(bench.registrar)
