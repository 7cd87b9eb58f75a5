"""Which transaction a message belongs to (RFC 3261 §17.1.3, §17.2.3, §9.2), and their gauges.

A server transaction is found by branch, sent-by and method; without the magic cookie (an RFC 2543
peer) also by Request-URI, From tag, Call-ID and CSeq number. A client transaction by branch and
CSeq method.

Deliberately absent: merged requests (§8.2.2.2), a matter of the transaction user's; sending, which
is the driver's: what goes out is appended to the Outbox.
"""

from collections import Counter
from typing import Final

from switch.clock import Wheel
from switch.sip.errors import LocalProtocolError
from switch.sip.flow import Flow
from switch.sip.message import Request, Response
from switch.sip.outbox import Outbox
from switch.transaction.client import ClientOwner, ClientTransaction
from switch.transaction.machines import State
from switch.transaction.server import ServerTransaction
from switch.transaction.timings import Timings

_COOKIE: Final = "z9hG4bK"
_DEFAULT_TIMINGS: Final = Timings()

ServerKey = tuple[str | int | None, ...]
"""(branch, sent-by host, sent-by port, method), longer without the magic cookie."""


class Transactions:
    """The transaction layer of one node. Counters only grow; they are for the metrics."""

    __slots__ = (
        "_clients",
        "_servers",
        "_streams",
        "absorbed",
        "ignored",
        "outbox",
        "requests_sent",
        "responses_sent",
        "retransmitted",
        "strays",
        "timings",
        "transaction_timeout",
        "wheel",
    )

    def __init__(self, wheel: Wheel, outbox: Outbox, timings: Timings = _DEFAULT_TIMINGS) -> None:
        """Timers go to `wheel`, datagrams to `outbox`."""
        self.wheel = wheel
        self.outbox = outbox
        self.timings = timings
        self.transaction_timeout = timings.transaction_timeout
        self._servers: dict[ServerKey, ServerTransaction] = {}
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        # Client transactions over TCP and TLS by (transport, remote address), so that one closed
        # connection among thousands doesn't cost a walk over all transactions.
        self._streams: dict[tuple[str, tuple[str, int]], dict[ClientTransaction, None]] = {}
        self.strays = 0
        self.absorbed = 0
        self.retransmitted = 0
        self.ignored = 0
        self.requests_sent: Counter[str] = Counter()
        self.responses_sent: Counter[int] = Counter()

    def __len__(self) -> int:
        """Count the transactions alive."""
        return len(self._servers) + len(self._clients)

    @property
    def server_count(self) -> int:
        """Count the server transactions alive."""
        return len(self._servers)

    @property
    def client_count(self) -> int:
        """Count the client transactions alive."""
        return len(self._clients)

    def receive_request(self, request: Request, flow: Flow, now: float) -> ServerTransaction | None:
        """Open a server transaction, or None when `request` is a retransmission and is dealt with.

        Not for ACK, which opens none (receive_ack). CANCEL gets a transaction of its own (§9.2).
        """
        method = request.method
        if method == "ACK":
            raise LocalProtocolError("ACK opens no transaction (RFC 3261 §17.2)")
        key = _server_key(request, method)
        known = self._servers.get(key)
        if known is not None:
            known.receive(now)
            return None
        opened = self._servers[key] = ServerTransaction(self, key, request, flow, now)
        return opened

    def receive_ack(self, request: Request, flow: Flow, now: float) -> bool:
        """Take an ACK: True when it was for a 300-699 and is absorbed, else it is a dialog's."""
        known = self._servers.get(_server_key(request, "INVITE"))
        return known is not None and known.receive_ack(request, now)

    def receive_response(self, response: Response, flow: Flow, now: float) -> bool:
        """Hand a response to its client transaction (§17.1.3).

        False when none takes it (counted in `strays`): it is to be dropped, unless it is a 2xx to
        an INVITE, which its dialog acknowledges (RFC 3261 §13.2.2.4).
        """
        branch = response.via.branch
        if branch is not None:
            known = self._clients.get((branch, response.cseq.method))
            if known is not None and known.receive(response, now):
                return True
        self.strays += 1
        return False

    def find_invite(self, cancel: Request) -> ServerTransaction | None:
        """Return the INVITE server transaction that a CANCEL is for (§9.2), whatever its state."""
        return self._servers.get(_server_key(cancel, "INVITE"))

    def request(
        self, request: Request, flow: Flow, owner: ClientOwner | None, now: float
    ) -> ClientTransaction:
        """Send a request whose top Via has a fresh branch (CANCEL: the INVITE's) and follow it.

        LocalProtocolError for ACK, for a missing branch and for one in use.
        """
        method = request.method
        branch = request.via.branch
        if method == "ACK" or branch is None:
            raise LocalProtocolError(f"{method} with branch {branch} opens no transaction")
        key = (branch, method)
        if key in self._clients:
            raise LocalProtocolError(f"branch {branch} is in use for {method}")
        tx = self._opened(key, request, flow, owner)
        self.requests_sent[method] += 1
        tx.start(now)
        return tx

    def resume(self, invite: Request, flow: Flow, owner: ClientOwner) -> ClientTransaction:
        """Follow an INVITE that was sent before a restart, as one that was answered provisionally;
        nothing is sent."""
        tx = self._opened((invite.via.branch or "", "INVITE"), invite, flow, owner)
        tx.state = State.Proceeding
        return tx

    def _opened(
        self, key: tuple[str, str], request: Request, flow: Flow, owner: ClientOwner | None
    ) -> ClientTransaction:
        tx = self._clients[key] = ClientTransaction(self, key, request, flow, owner)
        if flow.is_reliable:
            self._streams.setdefault((flow.transport, flow.remote), {})[tx] = None
        return tx

    def transport_failed(self, flow: Flow, now: float) -> None:
        """Fail the client transactions that `flow` can't serve (§17.1.4, §18.4).

        Over UDP, `flow` names a destination that ICMP called unreachable: an INVITE that was
        already answered provisionally isn't concerned, since a forged or a late ICMP message
        proves nothing. Over TCP and TLS, `flow` is a connection that closed or, with `connection`
        0, could not be opened.
        """
        if flow.is_reliable:
            sent = self._streams.get((flow.transport, flow.remote), ())
            hit = [tx for tx in sent if tx.flow.connection in (0, flow.connection)]
        else:
            hit = [
                tx
                for tx in self._clients.values()
                if tx.flow.remote == flow.remote
                and tx.flow.transport == flow.transport
                and (tx.state is State.Calling or tx.state is State.Trying)
            ]
        for tx in hit:
            tx.fail(now)

    def forget_server(self, tx: ServerTransaction) -> None:
        """Belongs to ServerTransaction: it has terminated."""
        self._servers.pop(tx.key, None)

    def forget_client(self, tx: ClientTransaction) -> None:
        """Belongs to ClientTransaction: it has terminated."""
        if self._clients.pop(tx.key, None) is not None and tx.flow.is_reliable:
            address = (tx.flow.transport, tx.flow.remote)
            beside = self._streams[address]
            beside.pop(tx, None)
            if not beside:
                del self._streams[address]


def _server_key(request: Request, method: str) -> ServerKey:
    """Return the key of the server transaction (of `method`) that a request belongs to (§17.2.3).

    The sent-by is part of it, since "there could be accidental or malicious duplication of branch
    parameters from different clients".
    """
    via = request.via
    branch = via.branch
    if branch is not None and branch.startswith(_COOKIE):
        return (branch, via.host, via.port, method)
    # As written: a request whose CSeq can't be read is answered 400 by a transaction too.
    cseq = (request.get("CSeq") or "").partition(" ")[0]
    return (
        branch,
        via.host,
        via.port,
        method,
        request.uri,
        request.from_tag,
        request.call_id,
        cseq,
    )
