"""Whether mails reach a customer is told by the last one that was decided."""

import asyncio
from collections.abc import Callable
from typing import Any

from switch.store.read_contracts import ContractReader


def mail(name: str, changed_at: int, state: str, **more: Any) -> dict[str, Any]:
    fields = {
        "kind": "warning_unpaid",
        "channel": "mail",
        "audience": "customer",
        "account": "demo",
    }
    return {"k": "notice", "id": name, "notice": name, "at": 1, "changed_at": changed_at,
            "state": state, **fields, **more}  # fmt: skip


def test_the_last_mail_tells_and_not_one_that_waits(open_store: Callable[..., Any]) -> None:
    async def run() -> None:
        async with open_store() as store:
            reader = ContractReader(store.reader)

            async def last(*records: dict[str, Any]) -> dict[str, Any] | None:
                store.put(*records)
                await store.writer.settle()
                return await reader.last_mail("demo")

            assert await last(mail("m0", 9, "queued")) is None
            assert await last(
                mail("m1", 5, "sent"),
                mail("m2", 8, "sent", channel="outbox"),
                mail("m3", 8, "failed", audience="operator"),
                mail("m4", 8, "failed", account="other"),
            ) == {"at": 5, "state": "sent", "kind": "warning_unpaid", "reason": None}
            bounced = await last(mail("m5", 7, "failed", reason="550 no such mailbox"))
            assert bounced is not None
            assert (bounced["state"], bounced["reason"]) == ("failed", "550 no such mailbox")

    asyncio.run(run())
