"""The ledger of notices: what is to be told to whom, by which clause, and how far it got.

Any part of the switch says that somebody must be told something by one event:

    outbox.note("notice.due", id=..., kind=..., audience="customer"|"operator"|"site", line=...,
                clause=..., fields={...})

The ledger words it (texts.toml), picks the ways (mail, webhook, file outbox), writes a record for each
to the journal, and hands it to the courier. An id makes one notice, however often it is said. A line
that crosses a percentage of the fair-use threshold is owed one too (terms 3(a)); a crossing whose
notice didn't reach the journal before the process died gets it at the next start.

After a crash the notices that were queued go out. Only those that were being sent at that moment may
arrive twice, under the same Message-ID, Idempotency-Key or file name. Deliberately absent: sending.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from switch.clock import wall
from switch.facts.snapshot import Snapshot
from switch.notice import mail, outbox, webhook
from switch.notice.delivery import FAILED, QUEUED, Delivery
from switch.notice.settings import NoticeSettings
from switch.notice.texts import compose, is_urgent

DUE: Final = "notice.due"
CROSSED: Final = "usage.threshold"
FAIR_USE: Final = ("fair_use", "3(a)")
# What waits is held in memory; more than this is an attack or a bug, and is refused with a record.
CAPACITY: Final = 20_000
# Ids that are remembered, so that what is said twice makes one notice.
REMEMBERED: Final = 200_000
# Finished notices that a checkpoint restates: those that the database may not have yet.
RESTATED: Final = 1_000
DEFAULT_ZONE: Final = "Europe/Paris"

Event = tuple[str, Mapping[str, object]]


class Ledger:
    """Words notices and keeps their records.

    `journal` takes a record; `facts` and `settings` give what is in force; `note` tells the log;
    `courier`, once there is one, is given each delivery to send.
    """

    def __init__(
        self,
        journal: Callable[[bytes], None],
        facts: Callable[[], Snapshot],
        settings: Callable[[], NoticeSettings],
        note: Callable[[str, Mapping[str, object]], None] = lambda name, fields: None,
    ) -> None:
        self.courier: Callable[[Delivery], None] = lambda delivery: None
        self.open: dict[str, Delivery] = {}
        self._journal = journal
        self._facts = facts
        self.settings = settings
        self._note = note
        self._known: dict[str, None] = {}
        self._closed: deque[bytes] = deque(maxlen=RESTATED)

    def __call__(self, events: Sequence[Event]) -> None:
        """Take what the machines note; some of it somebody must be told."""
        for name, fields in events:
            if name == DUE:
                self.owe(fields)
            elif name == CROSSED:
                self.owe(_crossing(fields))

    def owe(self, due: Mapping[str, Any]) -> None:
        """Somebody is owed a notice: word it, record it, and have it sent."""
        notice = str(due["id"])
        if notice in self._known:
            return
        self._remember(notice)
        for delivery in self._deliveries(notice, due):
            if len(self.open) >= CAPACITY:
                delivery.state, delivery.reason = FAILED, "too many notices wait"
                self._close(delivery)
                continue
            self.open[delivery.id] = delivery
            self._journal(delivery.record())
            self.courier(delivery)

    def settle(self, delivery: Delivery, state: str, reason: str = "") -> None:
        """The courier tells what became of an attempt; QUEUED = it is tried again."""
        delivery.state = state
        delivery.reason = reason or delivery.reason
        delivery.changed_at = max(round(wall() * 1000), delivery.changed_at)
        if state == QUEUED:
            self._journal(delivery.record())
        else:
            self._close(delivery)

    def restore(self, records: Iterable[Mapping[str, Any]], known: Iterable[str] = ()) -> None:
        """Go on from the journal's `records`: send what was queued, write what crossings are still
        owed. `known` are ids of notices that the database has."""
        crossings: dict[str, Mapping[str, Any]] = {}
        latest: dict[str, Mapping[str, Any]] = {}
        for notice in known:
            self._remember(notice)
        for record in records:
            if record.get("k") == "threshold":
                owed = _crossing(record)
                crossings[str(owed["id"])] = owed
            elif record.get("k") == "notice":
                latest[str(record["id"])] = record
        for record in latest.values():
            delivery = Delivery.of(record)
            self._remember(delivery.notice)
            if delivery.state == QUEUED:
                self.open[delivery.id] = delivery
                self.courier(delivery)
        for due in crossings.values():
            self.owe(due)

    def records(self) -> Iterator[bytes]:
        """What a checkpoint restates: all that waits, and what was finished lately."""
        yield from self._closed
        for delivery in self.open.values():
            yield delivery.record()

    # -- inside --------------------------------------------------------------------------------

    def _close(self, delivery: Delivery) -> None:
        """Nothing more happens to it."""
        self.open.pop(delivery.id, None)
        record = delivery.record()
        self._journal(record)
        self._closed.append(record)
        self._note(
            f"notice.{delivery.state}",
            {
                "notice": delivery.id,
                "kind": delivery.kind,
                "line": delivery.line or "",
                "channel": delivery.channel,
                "state": delivery.state,
                "attempts": delivery.attempts,
                "reason": delivery.reason,
            },
        )

    def _remember(self, notice: str) -> None:
        self._known[notice] = None
        if len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]

    def _deliveries(self, notice: str, due: Mapping[str, Any]) -> list[Delivery]:
        """The notice on each of its channels, worded and sealed."""
        worded = self._worded(notice, due)
        worded.seal()
        first, *others = _channels(self.settings(), worded.audience, worded.to)
        worded.channel = first
        return [worded, *(replace(worded, channel=channel) for channel in others)]

    def _worded(self, notice: str, due: Mapping[str, Any]) -> Delivery:
        """The notice, its channel still open: to whom, and in which words."""
        facts, now = self._facts(), round(wall() * 1000)
        audience, kind = str(due.get("audience") or "operator"), str(due["kind"])
        line = facts.lines.get(str(due.get("line") or ""))
        account = str(due.get("account") or (line.account if line else ""))
        site = facts.sites.get(str(due.get("site") or (line.site if line else "")))
        holder = facts.accounts.get(account)
        fields: dict[str, object] = dict(due.get("fields") or {})
        at = int(due.get("at") or now)
        words = {
            **{name: due.get(name) for name in ("line", "clause", "percentage", "call_id")},
            "number": line.number if line else None,
            "account": account,
            "site": (site.name or site.id) if site else None,
            **fields,
        }
        zone = holder.time_zone if holder else DEFAULT_ZONE
        subject, body = compose(kind, audience, words, at, zone)
        addresses: tuple[str, ...] = self.settings().operator
        if audience == "customer":
            addresses = (holder.email,) if holder and holder.email else ()
        elif audience == "site":
            addresses = site.contacts if site else ()
        return Delivery(
            notice=notice,
            channel="",
            at=at,
            kind=kind,
            audience=audience,
            changed_at=max(now, at),
            line=_text(due.get("line")),
            account=account or None,
            percentage=due.get("percentage"),
            clause=_text(due.get("clause")),
            call_id=_text(due.get("call_id")),
            to=addresses,
            subject=subject,
            body=body,
            fields=fields,
            urgent=is_urgent(kind, audience),
        )


def _channels(settings: NoticeSettings, audience: str, to: Sequence[str]) -> list[str]:
    """The ways that a notice takes; the file outbox has whatever no other way takes."""
    channels = []
    if settings.smtp is not None and to:
        channels.append(mail.CHANNEL)
    if settings.webhook is not None and audience in settings.webhook.audiences:
        channels.append(webhook.CHANNEL)
    if not channels or settings.outbox == "always":
        channels.append(outbox.CHANNEL)
    return channels


def _crossing(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What a crossing of the fair-use threshold owes; its id is the crossing's."""
    kind, clause = FAIR_USE
    return {
        "id": f"{kind} {fields['line']} {fields['cycle']} {fields['percentage']}",
        "at": fields["occurred_at"],
        "kind": kind,
        "audience": "customer",
        "line": fields["line"],
        "percentage": fields["percentage"],
        "clause": clause,
    }


def _text(value: object) -> str | None:
    return None if value is None or value == "" else str(value)
