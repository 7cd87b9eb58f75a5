"""Transactions (RFC 3261 §17, RFC 6026): the four machines as tables, matching, timer values.

Read machines.py first: states, events, tables. client.py and server.py perform them,
transactions.py finds the one a message belongs to.
"""

from switch.transaction.client import ClientOwner, ClientTransaction
from switch.transaction.machines import State
from switch.transaction.server import ServerOwner, ServerTransaction
from switch.transaction.timings import Timings
from switch.transaction.transactions import Transactions

__all__ = [
    "ClientOwner",
    "ClientTransaction",
    "ServerOwner",
    "ServerTransaction",
    "State",
    "Timings",
    "Transactions",
]
