"""The table keeps, ends and counts; misuse does no harm."""

from switch.clock import Wheel
from switch.registrar.binding import Binding
from switch.registrar.table import BindingTable
from switch.sip.flow import Flow
from switch.sip.outbox import Outbox
from switch.sip.uri import Uri

FLOW = Flow("TCP", ("192.0.2.10", 5060), ("192.0.2.1", 40000), 7)


def binding(user: str = "a", expires_at: float = 60.0, aor: str = "101") -> Binding:
    uri = Uri.parse(f"sip:{user}@192.0.2.1")
    text = f"<{uri}>"
    return Binding(
        aor, uri, FLOW, (), None, None, 1.0, expires_at, 0.0, 0.0, "c", 1, "", FLOW, text
    )


def test_a_binding_dropped_twice_ends_once() -> None:
    wheel, outbox = Wheel(), Outbox()
    table = BindingTable(wheel, outbox)
    kept = binding()
    table.keep(kept, None)
    table.drop(kept, "removed")
    table.drop(kept, "removed")
    assert (len(table), len(wheel), len(outbox.journal)) == (0, 0, 1)


def test_a_replacement_whose_predecessor_is_gone_is_a_new_one() -> None:
    table = BindingTable(Wheel(), Outbox())
    gone = binding()
    table.keep(binding("b"), gone)
    assert len(table) == 1
    assert table.flows.only(FLOW) == "101"


def test_the_timer_follows_the_first_to_end() -> None:
    wheel = Wheel()
    table = BindingTable(wheel, Outbox())
    table.keep(binding("a", 100.0), None)
    table.keep(binding("b", 50.5), None)
    assert len(wheel) == 1
    wheel.fire(51.0)
    assert [b.contact.user for b in table.all_of("101")] == ["a"]
    wheel.fire(100.0)
    assert (len(table), len(wheel)) == (0, 0)


def test_a_closed_flow_that_nobody_used_changes_nothing() -> None:
    table = BindingTable(Wheel(), Outbox())
    table.keep(binding(), None)
    table.on_flow_closed(FLOW._replace(connection=8), 0.0)
    assert table.all_of("101")[0].is_live


def test_a_timer_of_an_aor_that_is_gone_is_harmless() -> None:
    table = BindingTable(Wheel(), Outbox())
    table.on_timer("101", 0.0)
    assert len(table) == 0


def test_aors_may_go_while_they_are_listed() -> None:
    table = BindingTable(Wheel(), Outbox())
    for aor in ("101", "102"):
        table.keep(binding(aor=aor), None)
    for aor in table.aors():
        table.drop(table.all_of(aor)[0], "removed")
    assert len(table) == 0
