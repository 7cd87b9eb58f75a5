"""What somebody must be told becomes one notice on each of its channels, whatever happens between."""

from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from switch.notice.delivery import FAILED, QUEUED, SENT, Delivery
from switch.notice.ledger import CAPACITY, Ledger
from switch.notice.settings import NoticeSettings

CROSSING = {"line": "101", "cycle": 4, "percentage": 80, "occurred_at": 1_700_000_000_000}
SMTP = {"host": "127.0.0.1", "tls": "none", "sender": "vigie@example.test"}
WEBHOOK = {"url": "http://127.0.0.1:9/", "secret": "not-a-real-secret"}
CALLED = {
    "id": "emergency_call c1",
    "kind": "emergency_call",
    "audience": "site",
    "line": "101",
    "call_id": "c1",
    "clause": "1(d)",
    "fields": {"dialled": "18", "place": "2e étage"},
}


def facts(email: str = "compta@example.test", contacts: tuple[str, ...] = ()) -> Any:
    line = SimpleNamespace(account="demo", number="+33199000101", site="paris")
    site = SimpleNamespace(id="paris", name="Siège", contacts=contacts)
    account = SimpleNamespace(email=email, time_zone="Europe/Paris")
    return SimpleNamespace(lines={"101": line}, sites={"paris": site}, accounts={"demo": account})


class Desk:
    """A ledger, its journal and what it handed to the courier."""

    def __init__(self, known: Any = None, **settings: Any) -> None:
        self.journal: list[bytes] = []
        self.given: list[Delivery] = []
        self.told: list[tuple[str, Any]] = []
        self.ledger = Ledger(
            self.journal.append,
            lambda: known or facts(),
            lambda: NoticeSettings.model_validate(settings),
            lambda name, fields: self.told.append((name, fields)),
        )
        self.ledger.courier = self.given.append

    @property
    def records(self) -> list[dict[str, Any]]:
        return [orjson.loads(record) for record in self.journal]


def test_a_crossing_becomes_a_notice_that_cites_its_clause() -> None:
    desk = Desk()
    desk.ledger([("call.end", {}), ("usage.threshold", CROSSING)])
    (record,) = desk.records
    shown = ("at", "line", "account", "kind", "percentage", "clause", "channel", "state")
    assert {name: record[name] for name in shown} == {
        "at": 1_700_000_000_000,
        "line": "101",
        "account": "demo",
        "kind": "fair_use",
        "percentage": 80,
        "clause": "3(a)",
        "channel": "outbox",
        "state": "queued",
    }
    assert (record["notice"], record["to"]) == ("fair_use 101 4 80", ["compta@example.test"])
    assert desk.journal[0].startswith(b'{"k":'), "the writer sorts records by their first bytes"
    assert [delivery.id for delivery in desk.given] == ["fair_use 101 4 80@outbox"]


def test_a_restart_writes_only_what_is_missing() -> None:
    desk = Desk()
    desk.ledger([("usage.threshold", CROSSING)])
    (written,) = desk.records
    ninety: dict[str, Any] = {"k": "threshold", **CROSSING, "percentage": 90}
    again = Desk()
    again.ledger.restore([{"k": "threshold", **CROSSING}, {"k": "beat"}, ninety, written])
    (missing,) = again.records
    assert missing["percentage"] == 90


def test_an_id_makes_one_notice_also_after_a_restart() -> None:
    desk = Desk()
    desk.ledger([("notice.due", CALLED), ("notice.due", CALLED)])
    assert len(desk.given) == 1
    again = Desk()
    again.ledger.restore(desk.records)
    again.ledger.owe(CALLED)
    assert [delivery.id for delivery in again.given] == [desk.given[0].id]
    told_by_database = Desk()
    told_by_database.ledger.restore([], ["emergency_call c1"])
    told_by_database.ledger.owe(CALLED)
    assert told_by_database.given == []


def test_what_was_sent_is_not_sent_again_and_what_was_queued_is() -> None:
    desk = Desk(smtp=SMTP, webhook=WEBHOOK)
    desk.ledger.owe({**CALLED, "audience": "customer", "kind": "confirm_address"})
    by_mail, by_webhook = desk.given
    by_mail.attempts = 1
    desk.ledger.settle(by_mail, SENT)
    again = Desk(smtp=SMTP, webhook=WEBHOOK)
    again.ledger.restore(desk.records)
    (queued,) = again.given
    assert queued == by_webhook, "text, addresses and hash are those that were recorded"
    assert set(again.ledger.open) == {by_webhook.id}


def test_a_checkpoint_restates_what_waits_and_what_was_finished_lately() -> None:
    desk = Desk(smtp=SMTP, webhook=WEBHOOK)
    desk.ledger.owe({**CALLED, "audience": "customer"})
    desk.ledger.settle(desk.given[0], SENT)
    again = Desk(smtp=SMTP, webhook=WEBHOOK)
    again.ledger.restore(map(orjson.loads, desk.ledger.records()))
    assert [delivery.channel for delivery in again.given] == ["webhook"]
    again.ledger.owe({**CALLED, "audience": "customer"})
    assert len(again.given) == 1


def test_records_of_a_settled_notice_lose_the_text_and_keep_its_hash() -> None:
    desk = Desk()
    desk.ledger.owe(CALLED)
    desk.ledger.settle(desk.given[0], SENT)
    queued, sent = desk.records
    assert "2e étage" in queued["body"]
    assert "body" not in sent
    assert "fields" not in sent
    assert sent["hash"] == queued["hash"] != ""
    assert sent["changed_at"] >= queued["changed_at"]
    assert desk.told[0][0] == "notice.sent"
    assert "2e étage" not in str(desk.told), "the log doesn't say where somebody is"


@pytest.mark.parametrize(
    ("settings", "audience", "channels", "to"),
    [
        ({}, "customer", ["outbox"], ("compta@example.test",)),
        ({"smtp": SMTP}, "customer", ["mail"], ("compta@example.test",)),
        ({"smtp": SMTP}, "operator", ["outbox"], ()),
        ({"smtp": SMTP, "operator": ["noc@example.test"]}, "operator", ["mail"], ("noc@example.test",)),
        ({"smtp": SMTP, "webhook": WEBHOOK}, "site", ["mail", "webhook"], ("accueil@example.test",)),
        ({"webhook": {**WEBHOOK, "audiences": ["operator"]}}, "site", ["outbox"], ("accueil@example.test",)),
        ({"smtp": SMTP, "outbox": "always"}, "site", ["mail", "outbox"], ("accueil@example.test",)),
    ],
)  # fmt: skip
def test_the_ways_of_a_notice(
    settings: dict[str, Any], audience: str, channels: list[str], to: tuple[str, ...]
) -> None:
    desk = Desk(facts(contacts=("accueil@example.test",)), **settings)
    desk.ledger.owe({**CALLED, "audience": audience})
    assert [delivery.channel for delivery in desk.given] == channels
    assert {delivery.to for delivery in desk.given} == {to}


def test_too_many_that_wait_are_refused_with_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switch.notice.ledger.CAPACITY", 2)
    desk = Desk()
    for number in range(3):
        desk.ledger.owe({**CALLED, "id": f"n{number}"})
    assert [record["state"] for record in desk.records] == [QUEUED, QUEUED, FAILED]
    assert len(desk.given) == 2 < CAPACITY


def test_an_urgent_kind_is_marked() -> None:
    desk = Desk()
    desk.ledger([("notice.due", CALLED), ("usage.threshold", CROSSING)])
    assert [delivery.urgent for delivery in desk.given] == [True, False]
