"""The tables: every row followed by a real transaction, and an illegal event in every state."""

import pytest

from switch.sip.errors import LocalProtocolError
from switch.transaction import client, server
from switch.transaction.machines import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Event,
    State,
    response_event,
    timer_event,
)

STATUS = {Event.RESPONSE_1XX: 180, Event.RESPONSE_2XX: 200, Event.RESPONSE_FAILURE: 486}
TIMER_NAME = {timer_event(name): name for name in [*"ABDEFGHIJKLM", "trying", "cancel"]}

# (state, event): (what is sent, what the user is told, state after), written from the figures of the
# RFCs and not from the tables. Over UDP.
C, P, D, A, T = State.Calling, State.Proceeding, State.Completed, State.Accepted, State.Terminated
INVITE_CLIENT_ROWS = {
    (C, Event.TIMER_A): (["INVITE"], [], C),
    (C, Event.TIMER_B): ([], ["timeout"], T),
    (C, Event.TRANSPORT_ERROR): ([], ["transport error"], T),
    (C, Event.RESPONSE_1XX): ([], [180], P),
    (C, Event.RESPONSE_2XX): ([], [200], A),
    (C, Event.RESPONSE_FAILURE): (["ACK"], [486], D),
    (C, Event.CANCEL): ([], [], C),
    (P, Event.RESPONSE_1XX): ([], [180], P),
    (P, Event.RESPONSE_2XX): ([], [200], A),
    (P, Event.RESPONSE_FAILURE): (["ACK"], [486], D),
    (P, Event.CANCEL): (["CANCEL"], [], P),
    (P, Event.TIMER_CANCEL): ([], ["timeout"], T),
    (P, Event.TRANSPORT_ERROR): ([], ["transport error"], T),
    (D, Event.RESPONSE_FAILURE): (["ACK"], [], D),
    (D, Event.TIMER_D): ([], [], T),
    (D, Event.TRANSPORT_ERROR): ([], [], T),
    (D, Event.CANCEL): ([], [], D),
    (A, Event.RESPONSE_2XX): ([], [200], A),
    (A, Event.TIMER_M): ([], [], T),
    (A, Event.TRANSPORT_ERROR): ([], [], A),
    (A, Event.CANCEL): ([], [], A),
    (T, Event.CANCEL): ([], [], T),
}
Y = State.Trying
NON_INVITE_CLIENT_ROWS = {
    (Y, Event.TIMER_E): (["OPTIONS"], [], Y),
    (Y, Event.TIMER_F): ([], ["timeout"], T),
    (Y, Event.TRANSPORT_ERROR): ([], ["transport error"], T),
    (Y, Event.RESPONSE_1XX): ([], [180], P),
    (Y, Event.RESPONSE_2XX): ([], [200], D),
    (Y, Event.RESPONSE_FAILURE): ([], [486], D),
    (P, Event.TIMER_E): (["OPTIONS"], [], P),
    (P, Event.TIMER_F): ([], ["timeout"], T),
    (P, Event.TRANSPORT_ERROR): ([], ["transport error"], T),
    (P, Event.RESPONSE_1XX): ([], [180], P),
    (P, Event.RESPONSE_2XX): ([], [200], D),
    (P, Event.RESPONSE_FAILURE): ([], [486], D),
    (D, Event.RESPONSE_1XX): ([], [], D),
    (D, Event.RESPONSE_2XX): ([], [], D),
    (D, Event.RESPONSE_FAILURE): ([], [], D),
    (D, Event.TIMER_K): ([], [], T),
    (D, Event.TRANSPORT_ERROR): ([], [], D),
}
F = State.Confirmed
INVITE_SERVER_ROWS = {
    (P, Event.REQUEST): (["180"], [], P),
    (P, Event.TIMER_TRYING): (["100"], [], P),
    (P, Event.RESPONSE_1XX): (["180"], [], P),
    (P, Event.RESPONSE_2XX): (["200"], [], A),
    (P, Event.RESPONSE_FAILURE): (["486"], [], D),
    (D, Event.REQUEST): (["486"], [], D),
    (D, Event.TIMER_G): (["486"], [], D),
    (D, Event.TIMER_H): ([], ["no ACK"], T),
    (D, Event.ACK): ([], [], F),
    (F, Event.ACK): ([], [], F),
    (F, Event.REQUEST): ([], [], F),
    (F, Event.TIMER_I): ([], [], T),
    (A, Event.REQUEST): ([], [], A),
    (A, Event.RESPONSE_2XX): (["200"], [], A),
    (A, Event.TIMER_L): ([], [], T),
}
NON_INVITE_SERVER_ROWS = {
    (Y, Event.REQUEST): ([], [], Y),
    (Y, Event.RESPONSE_1XX): (["180"], [], P),
    (Y, Event.RESPONSE_2XX): (["200"], [], D),
    (Y, Event.RESPONSE_FAILURE): (["486"], [], D),
    (P, Event.REQUEST): (["180"], [], P),
    (P, Event.RESPONSE_1XX): (["180"], [], P),
    (P, Event.RESPONSE_2XX): (["200"], [], D),
    (P, Event.RESPONSE_FAILURE): (["486"], [], D),
    (D, Event.REQUEST): (["200"], [], D),
    (D, Event.RESPONSE_2XX): ([], [], D),
    (D, Event.RESPONSE_FAILURE): ([], [], D),
    (D, Event.TIMER_J): ([], [], T),
}
TABLES = [
    (INVITE_CLIENT, INVITE_CLIENT_ROWS),
    (NON_INVITE_CLIENT, NON_INVITE_CLIENT_ROWS),
    (INVITE_SERVER, INVITE_SERVER_ROWS),
    (NON_INVITE_SERVER, NON_INVITE_SERVER_ROWS),
]


def each(rows):
    return [
        pytest.param(*key, *value, id=f"{key[0].value}-{key[1].value}")
        for key, value in rows.items()
    ]


@pytest.mark.parametrize(("table", "rows"), TABLES)
def test_every_row_has_its_test_and_every_test_its_row(table, rows) -> None:
    assert {(state, event) for state, events in table.items() for event in events} == set(rows)
    for (state, event), (_, _, after) in rows.items():
        assert table[state][event].next_state is after


def test_every_action_is_performed_by_someone() -> None:
    assert set(client._ACTIONS) | set(server._ACTIONS) == set(Action)


@pytest.mark.parametrize(
    ("status", "event"),
    [
        (100, Event.RESPONSE_1XX),
        (199, Event.RESPONSE_1XX),
        (200, Event.RESPONSE_2XX),
        (299, Event.RESPONSE_2XX),
        (300, Event.RESPONSE_FAILURE),
        (699, Event.RESPONSE_FAILURE),
    ],
)
def test_events_of_responses(status: int, event: Event) -> None:
    assert response_event(status) is event


# Clients

TO_CLIENT_STATE = {C: [], Y: [], P: [183], D: [486], A: [200], T: [486]}


def client_in(wire, method: str, state: State, flow):
    tx = wire.layer.request(wire.request(method), flow, wire.user, wire.now)
    path = [200] if method != "INVITE" and state in (D, T) else TO_CLIENT_STATE[state]
    request = tx.request
    for status in path:
        tx.receive(wire.response(request, status), wire.now)
    if state is T:
        tx.step(Event.TIMER_D if method == "INVITE" else Event.TIMER_K, wire.now, None)
    assert tx.state is state
    wire.sent()
    wire.told()
    return tx, request


def do_to_client(wire, tx, request, event: Event) -> None:
    if event is Event.CANCEL:
        tx.cancel(wire.now)
    elif event is Event.TRANSPORT_ERROR:
        tx.fail(wire.now)
    elif event in STATUS:
        tx.receive(wire.response(request, STATUS[event]), wire.now)
    else:
        tx.on_timer(TIMER_NAME[event], wire.now)


def follow_client(wire, method, state, event, sent, told, after) -> None:
    tx, request = client_in(wire, method, state, wire.udp)
    do_to_client(wire, tx, request, event)
    assert wire.sent() == sent
    assert wire.told() == told
    assert tx.state is after
    assert (tx.key in wire.layer._clients) is (after is not T)
    if after is T:
        assert tx.owner is None


@pytest.mark.parametrize(("state", "event", "sent", "told", "after"), each(INVITE_CLIENT_ROWS))
def test_invite_client_row(wire, state, event, sent, told, after) -> None:
    follow_client(wire, "INVITE", state, event, sent, told, after)


@pytest.mark.parametrize(("state", "event", "sent", "told", "after"), each(NON_INVITE_CLIENT_ROWS))
def test_non_invite_client_row(wire, state, event, sent, told, after) -> None:
    follow_client(wire, "OPTIONS", state, event, sent, told, after)


@pytest.mark.parametrize("table", [INVITE_CLIENT, NON_INVITE_CLIENT], ids=["INVITE", "other"])
@pytest.mark.parametrize("event", [*STATUS, Event.TRANSPORT_ERROR])
def test_what_the_peer_does_without_a_row_is_ignored_and_counted(wire, table, event) -> None:
    method = "INVITE" if table is INVITE_CLIENT else "OPTIONS"
    for number, state in enumerate(state for state in table if event not in table[state]):
        tx, request = client_in(wire, method, state, wire.udp)
        before = wire.layer.ignored
        do_to_client(wire, tx, request, event)
        assert wire.layer.ignored == before + 1, number
        assert (wire.sent(), wire.told(), tx.state) == ([], [], state)
        wire.layer._clients.clear()


@pytest.mark.parametrize("state", [Y, P, D, T])
def test_only_an_invite_can_be_cancelled(wire, state) -> None:
    tx, _ = client_in(wire, "OPTIONS", state, wire.udp)
    with pytest.raises(LocalProtocolError, match="OPTIONS"):
        tx.cancel(wire.now)


@pytest.mark.parametrize(
    ("method", "state", "timer"),
    [
        ("INVITE", C, "M"),
        ("INVITE", P, "B"),
        ("INVITE", D, "B"),
        ("INVITE", A, "D"),
        ("INVITE", T, "A"),
        ("OPTIONS", Y, "K"),
        ("OPTIONS", P, "K"),
        ("OPTIONS", D, "F"),
        ("OPTIONS", T, "E"),
    ],
)
def test_a_timer_of_another_state_does_nothing_to_a_client(wire, method, state, timer) -> None:
    tx, _ = client_in(wire, method, state, wire.udp)
    tx.on_timer(timer, wire.now)
    assert (wire.sent(), wire.told(), tx.state) == ([], [], state)


# Servers

TO_SERVER_STATE = {P: [180], Y: [], D: [486], A: [200], F: [486], T: [486]}


def server_in(wire, method: str, state: State):
    request = wire.request(method)
    tx = wire.layer.receive_request(request, wire.udp, wire.now)
    assert tx is not None
    tx.owner = wire.user
    path = [200] if method != "INVITE" and state in (D, T) else TO_SERVER_STATE[state]
    for status in path:
        tx.respond(wire.response(request, status), wire.now)
    if method == "INVITE" and state in (F, T):
        wire.layer.receive_ack(wire.request("ACK"), wire.udp, wire.now)
    if state is T:
        tx.on_timer("I" if method == "INVITE" else "J", wire.now)
    assert tx.state is state
    wire.sent()
    return tx, request


def do_to_server(wire, tx, request, event: Event) -> None:
    if event is Event.REQUEST:
        assert wire.layer.receive_request(request, wire.udp, wire.now) is None
    elif event is Event.ACK:
        assert wire.layer.receive_ack(wire.request("ACK"), wire.udp, wire.now)
    elif event in STATUS:
        tx.respond(wire.response(request, STATUS[event]), wire.now)
    else:
        tx.on_timer(TIMER_NAME[event], wire.now)


def follow_server(wire, method, state, event, sent, told, after) -> None:
    tx, request = server_in(wire, method, state)
    do_to_server(wire, tx, request, event)
    assert wire.sent() == sent
    assert wire.told() == told
    assert tx.state is after
    assert (tx.key in wire.layer._servers) is (after is not T)
    if after is T:
        assert tx.owner is None


@pytest.mark.parametrize(("state", "event", "sent", "told", "after"), each(INVITE_SERVER_ROWS))
def test_invite_server_row(wire, state, event, sent, told, after) -> None:
    follow_server(wire, "INVITE", state, event, sent, told, after)


@pytest.mark.parametrize(("state", "event", "sent", "told", "after"), each(NON_INVITE_SERVER_ROWS))
def test_non_invite_server_row(wire, state, event, sent, told, after) -> None:
    follow_server(wire, "OPTIONS", state, event, sent, told, after)


ILLEGAL_ANSWERS = [
    (method, state, event)
    for method, table in (("INVITE", INVITE_SERVER), ("OPTIONS", NON_INVITE_SERVER))
    for state in table
    for event in STATUS
    if event not in table[state]
]


@pytest.mark.parametrize(("method", "state", "event"), ILLEGAL_ANSWERS)
def test_an_answer_without_a_row_is_our_own_error(wire, method, state, event) -> None:
    tx, request = server_in(wire, method, state)
    with pytest.raises(LocalProtocolError, match=f"{STATUS[event]} to {method} in {state.value}"):
        tx.respond(wire.response(request, STATUS[event]), wire.now)
    assert wire.sent() == []
    assert tx.state is state


@pytest.mark.parametrize(
    ("method", "state", "timer"),
    [
        ("INVITE", P, "G"),
        ("INVITE", D, "I"),
        ("INVITE", F, "H"),
        ("INVITE", A, "H"),
        ("INVITE", T, "G"),
        ("OPTIONS", Y, "J"),
        ("OPTIONS", P, "J"),
        ("OPTIONS", D, "H"),
        ("OPTIONS", T, "J"),
    ],
)
def test_a_timer_of_another_state_does_nothing_to_a_server(wire, method, state, timer) -> None:
    tx, _ = server_in(wire, method, state)
    tx.on_timer(timer, wire.now)
    assert (wire.sent(), wire.told(), tx.state) == ([], [], state)
    assert wire.layer.ignored == 1
