"""OPTIONS to a carrier's next hop (RFC 3261 §11), and one whose answer a person waits for.

Deliberately absent: what regular probes conclude of their answers (next_hop.py).
"""

from collections.abc import Callable
from typing import Final

from switch.dialog.dialog import host_port, via_value
from switch.sip.build import MAX_FORWARDS, make_request
from switch.sip.flow import Flow
from switch.sip.ids import new_call_id, new_tag
from switch.sip.message import Request, Response
from switch.transaction.client import ClientTransaction
from switch.transaction.transactions import Transactions

NO_ANSWER: Final = "no answer to OPTIONS"
UNREACHABLE: Final = "unreachable"


def options_request(host: str, flow: Flow) -> Request:
    """OPTIONS to `host`, by `flow`."""
    fields = [
        ("Via", via_value(flow)),
        ("Max-Forwards", MAX_FORWARDS),
        ("From", f"<sip:vigie@{host_port(flow.local)}>;tag={new_tag()}"),
        ("To", f"<sip:{host}>"),
        ("Call-ID", new_call_id()),
        ("CSeq", "1 OPTIONS"),
        ("Accept", "application/sdp"),
    ]
    return make_request("OPTIONS", f"sip:{host}", fields)


class Enquiry:
    """One OPTIONS. `status` is that of the final answer, 0 without; `answer_s` how long it took;
    `reason` says why there is none. `done` is called once, not before `__init__` returns."""

    __slots__ = ("_done", "_sent_at", "_transaction", "answer_s", "flow", "reason", "status")

    def __init__(
        self,
        host: str,
        flow: Flow,
        transactions: Transactions,
        done: Callable[["Enquiry"], None],
        now: float,
    ) -> None:
        self.flow = flow
        self.status = 0
        self.answer_s = 0.0
        self.reason = NO_ANSWER
        self._done = done
        self._sent_at = now
        self._transaction: ClientTransaction | None = transactions.request(
            options_request(host, flow), flow, self, now
        )

    def give_up(self) -> None:
        """Nobody waits any longer; what still comes is ignored."""
        if self._transaction is not None:
            self._transaction.owner = None
            self._transaction = None

    def on_response(self, tx: ClientTransaction, response: Response, now: float) -> None:
        """Any final answer shows that somebody is there."""
        if response.status >= 200:
            self.status, self.answer_s, self.reason = response.status, now - self._sent_at, ""
            self._finish()

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """No answer."""
        self._finish()

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """No path."""
        self.reason = UNREACHABLE
        self._finish()

    def _finish(self) -> None:
        self._transaction = None
        self._done(self)
