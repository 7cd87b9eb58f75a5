"""Bindings come back from the journal, which hears of changes and not of every refresh."""

import orjson

from switch.sip.flow import Flow
from tests.switch.registrar.bench import CONTACT, TCP, UDP, US, WALL, Bench


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
