"""Steps of contracts in any order and from several nodes, and what is let go of when it is over."""

from collections.abc import Mapping
from itertools import permutations
from typing import Any

import orjson

from policy.disclosure import Class, Disclosure, Ground
from switch.sip.outbox import Outbox
from switch.terms.contracts import Contracts, Step
from switch.terms.disclosures import Disclosures
from switch.terms.ladders import Ladders


def step(name: str, at: int, to: str = "", line: str = "101", **more: Any) -> Step:
    return Step(line, "demo", at, name, "person", "claire", "2(k)", to=to, **more)


def records(outbox: Outbox) -> list[Mapping[str, Any]]:
    found = [orjson.loads(record) for record in outbox.journal]
    outbox.clear()
    return found


WARNED, ENDED = step("warned", 5), step("for_arrears", 9, "terminated", number="+33199000101")
ACCEPTED = step("accepted", 7, line="", way="2017-04-01")


def test_what_other_nodes_did_is_on_file_whatever_its_order() -> None:
    told = [WARNED.record(), ENDED.record(), ACCEPTED.record()]
    for order in permutations(told):
        outbox = Outbox()
        contracts = Contracts(outbox)
        for record in order:
            assert len(contracts.hear([record])) == 1
        assert contracts.hear(told) == []
        assert (contracts.file("101").warned_at, contracts.file("101").ended_at) == (5, 9)
        assert contracts.acceptance("demo") == ACCEPTED
        assert sorted(records(outbox), key=str) == sorted(told, key=str)


def test_an_earlier_step_that_comes_late_does_not_undo_a_later_one() -> None:
    contracts = Contracts(Outbox())
    contracts.hear([step("reinstated", 8, "active", before="unpaid").record()])
    contracts.hear([WARNED.record()])
    assert contracts.file("101").warned_at is None, "the warning served before the reinstatement"


def test_contracts_that_are_over_are_let_go_of_but_for_a_hold() -> None:
    contracts = Contracts(Outbox())
    for line, end in (("101", 9), ("102", 9), ("103", 20)):
        contracts.take(step("warned", 5, line=line))
        contracts.take(step("for_arrears", end, "terminated", line))
    contracts.take(step("warned", 5, line="104"))
    contracts.forget(10, {"102"})
    assert sorted(contracts.files()) == ["102", "103", "104"]
    assert b'"101"' not in b"".join(contracts.records())


def asked(line: str) -> Disclosure:
    return Disclosure(f"of {line}", line, 0, 1, (Class.TRAFFIC,), Ground.AUTHORITY, "PV", "claire")


def test_disclosures_are_heard_once_and_let_go_of_but_for_a_hold() -> None:
    ours, theirs = Outbox(), Outbox()
    here, there = Disclosures(ours), Disclosures(theirs)
    for line in ("101", "102"):
        there.take(asked(line), "request", "claire", 5)
    told = records(theirs)
    here.hear(told)
    here.hear(told)
    assert records(ours) == told
    here.forget(6, {"102"})
    assert [known.request.line for known in here.all()] == ["102"]
    assert b'"101"' not in b"".join(here.records())
    here.forget(6, set())
    assert here.all() == []


def test_cases_are_heard_once() -> None:
    ours, theirs = Outbox(), Outbox()
    here, there = (Ladders(outbox, lambda line: "demo") for outbox in (ours, theirs))
    there.detect("101", 3, 5, "two detectors")
    told = records(theirs)
    here.hear(told)
    here.hear(told)
    assert records(ours) == told
    assert [case.ladder.line for case in here.open_cases()] == ["101"]
    assert not ours.events, "who took the step told the customer"
