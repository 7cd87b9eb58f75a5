from switch.sip.flow import Flow
from switch.sip.outbox import Outbox


def test_order_is_kept_and_clear_forgets() -> None:
    flow = Flow("UDP", ("127.0.0.1", 5060), ("127.0.0.2", 5062))
    outbox = Outbox()
    outbox.send(flow, b"1")
    outbox.send(flow, b"2")
    outbox.journal.append(b"{}")
    outbox.note("call.end", ending="ok")
    assert outbox.datagrams == [(flow, b"1"), (flow, b"2")]
    assert outbox.events == [("call.end", {"ending": "ok"})]
    outbox.clear()
    assert (outbox.datagrams, outbox.journal, outbox.events) == ([], [], [])
