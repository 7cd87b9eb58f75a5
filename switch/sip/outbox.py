"""What the machines want done: the driver writes `journal` first, then sends `datagrams`.

One Outbox is shared by all machines of a node and emptied by the driver at each loop wake-up.
"""

from switch.sip.flow import Flow

Event = tuple[str, dict[str, object]]


class Outbox:
    """Lists to append to; nothing is performed here.

    `journal` holds whole records without line ends; `events` holds (name, fields) for log, metrics
    and CDRs, with no secrets in them.
    """

    __slots__ = ("datagrams", "events", "journal")

    def __init__(self) -> None:
        self.datagrams: list[tuple[Flow, bytes]] = []
        self.journal: list[bytes] = []
        self.events: list[Event] = []

    def send(self, flow: Flow, data: bytes) -> None:
        """Queue `data` for `flow`, after everything queued before."""
        self.datagrams.append((flow, data))

    def note(self, name: str, **fields: object) -> None:
        """Record a fact for whoever counts, logs or bills."""
        self.events.append((name, fields))

    def clear(self) -> None:
        """Forget everything: the driver has performed it."""
        self.datagrams.clear()
        self.journal.clear()
        self.events.clear()
