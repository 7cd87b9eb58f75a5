"""Every change of a line's state: from where, by whom, and what must be on file."""

from dataclasses import replace

import pytest

from policy.model import LineState
from policy.transitions import (
    TABLE,
    WAIT_DAYS,
    Actor,
    NotAllowedError,
    OnFile,
    Wait,
    allow,
)

AT = 1_767_225_600_000
DAY_MS = 86_400_000
ACTIVATION = OnFile(accepted_at=AT - DAY_MS, is_located=True, has_email=True, number_free_at=AT)
ALL_ON_FILE = replace(ACTIVATION, warned_at=AT - DAY_MS, noticed_at=AT - DAY_MS, cure_by=AT)


@pytest.mark.parametrize("name", list(TABLE))
@pytest.mark.parametrize("state", list(LineState))
@pytest.mark.parametrize("by", list(Actor))
def test_every_cell(name: str, state: LineState, by: Actor) -> None:
    row = TABLE[name]
    if state in row.sources and by in row.actors:
        assert allow(name, state, by, AT, ALL_ON_FILE) is row
    else:
        with pytest.raises(NotAllowedError, match=r"doesn't apply|not for"):
            allow(name, state, by, AT, ALL_ON_FILE)


# Written out from the terms, not from the table. Lines: a active, p pending, s suspended, u unpaid,
# f fraud hold, x stolen. Who: p a person, s the switch, b billing, c the customer.
SPOKEN = """
activated        1(d)          p       p    active      none
held             2(o)          a       s    pending     none
2(k)(a)          2(k)(a)       auf     p    suspended   none
2(k)(b)          2(k)(b)       auf     p    suspended   none
2(k)(c)          2(k)(c)       auf     p    suspended   none
2(k)(d)          2(k)(d)       auf     p    suspended   none
2(k)(e)          2(k)(e)       auf     p    suspended   none
2(k)(f)          2(k)(f)       auf     p    suspended   none
fraud_hold       2(k)(e)       a       ps   fraud_hold  none
unpaid           4(e)          af      pb   unpaid      none
2(i)             2(i)          auf     p    suspended   none
reinstated       2(n)          suf     p    active      none
stolen           2(b)          asuf    pc   stolen      none
replaced         2(c)          x       p    active      none
convenience      2(l)(i)       asufxp  p    terminated  written
upstream_ended   2(l)(ii)      asufxp  p    terminated  none
for_arrears      2(l)(iii)     asufxp  p    terminated  none
uncured_breach   2(l)(iv)(2)   asufxp  p    terminated  none
insolvency       2(l)(iv)(3)   asufxp  p    terminated  none
licence_lost     2(l)(iv)(4)   asufxp  p    terminated  none
by_customer      2(m)          asufxp  pc   terminated  working
tampering        2(i)          asufxp  p    terminated  none
payment_stopped  4(d)          asufxp  pb   terminated  none
"""
STATES = {
    "a": LineState.ACTIVE,
    "p": LineState.PENDING,
    "s": LineState.SUSPENDED,
    "u": LineState.UNPAID,
    "f": LineState.FRAUD_HOLD,
    "x": LineState.STOLEN,
}
ACTORS = {"p": Actor.PERSON, "s": Actor.SWITCH, "b": Actor.BILLING, "c": Actor.CUSTOMER}


@pytest.mark.parametrize("spoken", SPOKEN.split("\n")[1:-1], ids=lambda row: row.split()[0])
def test_a_row_is_what_the_terms_say(spoken: str) -> None:
    name, clause, sources, actors, to, wait = spoken.split()
    row = TABLE[name]
    assert (row.clause, row.to, row.wait) == (clause, to, wait)
    assert row.sources == {STATES[letter] for letter in sources}
    assert row.actors == {ACTORS[letter] for letter in actors}


def test_all_rows_are_spoken_of() -> None:
    assert [row.split()[0] for row in SPOKEN.split("\n")[1:-1]] == list(TABLE)


def test_nothing_leads_out_of_a_terminated_contract() -> None:
    assert not [name for name, row in TABLE.items() if LineState.TERMINATED in row.sources]


def test_no_change_leads_to_where_the_line_is() -> None:
    assert not [name for name, row in TABLE.items() if row.to in row.sources]


def test_the_switch_alone_may_only_bar_what_costs_money_and_reversibly() -> None:
    alone = {name for name, row in TABLE.items() if Actor.SWITCH in row.actors}
    assert alone == {"fraud_hold", "held"}
    assert LineState.PENDING in TABLE["activated"].sources, "a held line is a person's to activate"
    assert TABLE["fraud_hold"].clause == "2(k)(e)"
    assert LineState.FRAUD_HOLD in TABLE["reinstated"].sources


def test_every_termination_and_suspension_cites_its_clause_and_tells_the_customer() -> None:
    for name, row in TABLE.items():
        assert row.clause[:2] in {"1(", "2(", "4("}, name
        assert row.notice, name


@pytest.mark.parametrize("name", ["unpaid", "for_arrears"])
def test_arrears_need_a_warning_on_file(name: str) -> None:
    with pytest.raises(NotAllowedError, match="needs a warning on file"):
        allow(name, LineState.ACTIVE, Actor.PERSON, AT, OnFile())
    assert allow(name, LineState.ACTIVE, Actor.PERSON, AT, OnFile(warned_at=AT - 1)).needs


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ({"accepted_at": None}, "the acceptance of the terms"),
        ({"is_located": False}, "a validated location"),
        ({"has_email": False}, "an e-mail address of the account"),
        ({"number_free_at": AT + 1}, "a number that is out of quarantine"),
    ],
)
def test_an_activation_needs_all_of_it(missing: dict[str, object], words: str) -> None:
    assert allow("activated", LineState.PENDING, Actor.PERSON, AT, ACTIVATION)
    with pytest.raises(NotAllowedError, match=words):
        allow("activated", LineState.PENDING, Actor.PERSON, AT, replace(ACTIVATION, **missing))  # type: ignore[arg-type]
    with pytest.raises(NotAllowedError, match="terms, a validated location, an e-mail"):
        allow("activated", LineState.PENDING, Actor.PERSON, AT, OnFile())


def test_a_breach_ends_the_contract_only_after_its_cure_date() -> None:
    waiting = OnFile(noticed_at=AT - DAY_MS, cure_by=AT + 1)
    for on_file in (OnFile(), OnFile(cure_by=AT), waiting):
        with pytest.raises(NotAllowedError, match="cure date"):
            allow("uncured_breach", LineState.ACTIVE, Actor.PERSON, AT, on_file)
    passed = OnFile(noticed_at=AT - DAY_MS, cure_by=AT)
    assert allow("uncured_breach", LineState.ACTIVE, Actor.PERSON, AT, passed)


def test_terminations_with_notice_take_effect_later() -> None:
    waits = {name: row.wait for name, row in TABLE.items() if row.wait is not Wait.NONE}
    assert waits == {"convenience": Wait.WRITTEN, "by_customer": Wait.WORKING}
    assert (WAIT_DAYS[Wait.WRITTEN], WAIT_DAYS[Wait.WORKING]) == (15, 5)
    assert {row.to for row in map(TABLE.__getitem__, waits)} == {LineState.TERMINATED}


def test_an_unknown_change_names_those_there_are() -> None:
    with pytest.raises(NotAllowedError, match=r"no change 'forgiven': .*by_customer"):
        allow("forgiven", LineState.ACTIVE, Actor.PERSON, AT, OnFile())
