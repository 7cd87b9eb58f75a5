"""Calls to the simulated carrier, which treats numbers by their last three digits, and calls from it."""

import pytest

from tests.wire.conftest import Phones
from tests.wire.rig import Rig, until


def test_a_call_to_the_carrier(rig: Rig, phone: Phones) -> None:
    view = rig.carrier_view()
    alice = phone("101")
    call = alice.call(rig.uri("0145678901"), headers={"X-Secret": "mine"})
    alice.wait("call", call=call, state="confirmed")
    invite = view.newest()
    assert invite is not None
    assert "+33199000101" in (invite.get("P-Asserted-Identity") or "")
    assert not invite.has("X-Secret"), "unknown headers don't cross"
    alice.do("hangup", call=call)
    alice.wait("call", call=call, state="disconnected")
    until(lambda: not rig.ask_carrier("status")["calls"], what="the carrier's call ended")


@pytest.mark.parametrize(
    ("number", "status", "ending", "disposition"),
    [
        ("0145678486", 486, "busy", "busy"),
        ("0145678404", 404, "unknown_number", "refused"),
        ("0145678503", 480, "unreachable", "failed"),
    ],
)
def test_a_refusal_of_the_carrier_reaches_the_phone(
    rig: Rig, phone: Phones, number: str, status: int, ending: str, disposition: str
) -> None:
    cdrs = len(rig.cdrs())
    alice = phone("101")
    call = alice.call(rig.uri(number))
    ended = alice.wait("call", call=call, state="disconnected")
    assert ended["code"] == status
    assert f'text="{ending}"' in ended["headers"]["Reason"]
    cdr = rig.cdr_after(cdrs, line="101", dst_raw=number)
    assert (cdr["ending"], cdr["disposition"]) == (ending, disposition)
    # Only a carrier that fails is followed by the next; a busy number is busy everywhere.
    assert len(cdr["attempts"]) == (2 if number.endswith("503") else 1)


def test_a_number_that_rings_is_cancelled(rig: Rig, phone: Phones) -> None:
    alice = phone("101")
    call = alice.call(rig.uri("0145678408"))
    alice.wait("call", call=call, state="early")
    alice.do("hangup", call=call)
    assert alice.wait("call", call=call, state="disconnected")["code"] == 487
    until(lambda: not rig.ask_carrier("status")["calls"], what="the carrier was cancelled")


def test_a_number_that_nobody_answers(rig: Rig, phone: Phones) -> None:
    alice = phone("101")
    call = alice.call(rig.uri("0145678408"))
    ended = alice.wait("call", call=call, state="disconnected", limit_s=15)
    assert (ended["code"], ended["headers"]["Reason"]) == (480, 'Q.850;cause=19;text="no_answer"')
    until(lambda: not rig.ask_carrier("status")["calls"], what="the carrier was cancelled")


def test_a_call_from_the_carrier_as_a_person_places_it(rig: Rig, phone: Phones) -> None:
    alice = phone("101")
    placed = rig.begin(
        "demo", "call", "--from", "+33612345678", "--to", "+33199000101",
        "--seconds", "0.3", "--via", rig.address,
    )  # fmt: skip
    incoming = alice.wait("incoming", limit_s=10)
    assert "612345678" in incoming["remote"], "the caller's number is shown"
    alice.do("answer", call=incoming["call"])
    alice.wait("call", call=incoming["call"], state="confirmed")
    alice.wait("call", call=incoming["call"], state="disconnected")
    output, _ = placed.communicate(timeout=10)
    assert placed.returncode == 0, output
    assert output.startswith("200")


def test_a_call_from_the_carrier_to_no_line(rig: Rig) -> None:
    placed = rig.run(
        "demo", "call", "--from", "+33612345678", "--to", "+33199000199", "--via", rig.address
    )
    assert placed.returncode == 1
    assert placed.stdout.startswith("404")


def test_the_demos_commands_find_the_switch_and_refuse_nonsense(rig: Rig) -> None:
    """Nobody is registered as 104, which the carrier hears from this switch and no other."""
    call = rig.run("demo", "call", "--from", "0612345678", "--to", "+33199000104")
    assert (call.returncode, call.stdout[:3]) == (1, "480")
    refused = rig.run("demo", "carrier", "--refuse", "9")
    assert (refused.returncode, str(rig.carrier_ports[0]) in refused.stderr) == (2, True)
