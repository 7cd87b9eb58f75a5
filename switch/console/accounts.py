"""The use cases behind `vigie account`: what is on file of a customer, and their acceptance of the terms.

Without an acceptance on file no line of the account can be activated (terms, introduction and 5). It keeps
who accepted which text (its version and hash), when, and from where. Deliberately absent: the page on
which a customer clicks.
"""

import re
from collections.abc import Sequence
from typing import Any, Final, Protocol

from policy.model import LineState
from policy.on_file import CLAUSES, Note
from switch.call.exchange import Exchange
from switch.console.announcing import changes_of
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.contract import Contract
from switch.console.contract_acts import Acts, open_points
from switch.facts.settings import AccountSettings
from switch.store.read import StoreUnavailableError
from switch.terms.contracts import Step

_HASH: Final = re.compile(r"[0-9a-f]{64}")


class AccountRows(Protocol):
    """What is asked of the database."""

    async def last_mail(self, account: str) -> dict[str, Any] | None:
        """How the last mail to a customer fared: at, state (sent or failed), kind, reason."""


class Accounts:
    """Over one exchange."""

    def __init__(
        self, exchange: Exchange, acts: Acts, contract: Contract, rows: AccountRows
    ) -> None:
        self._rows = rows
        self._exchange = exchange
        self._acts = acts
        self._contract = contract

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "account.list": self.list,
            "account.show": self.show,
            "account.accept": self.accept,
            "account.terminate": self.terminate,
        }

    def list(self, args: Args) -> object:
        """All accounts, each with its number of lines and its acceptance."""
        lines = self._exchange.facts.lines.values()
        return [
            {
                "account": account.id,
                "name": account.name,
                "email": account.email,
                "lines": sum(line.account == account.id for line in lines),
                "billing_starts": self._billing_start(account),
                "terms": self._terms(account.id).get("version"),
            }
            for account in self._exchange.facts.accounts.values()
        ]

    async def show(self, args: Args) -> object:
        """One account: its clocks, its acceptance, its lines and what is on file of each; and whether the
        last mail to it came through (2(j), 13(j))."""
        account = self._acts.account(str(args["account"]))
        now = self._acts.now_ms()
        cycle = self._exchange.calendar(account).cycle_at(now)
        return {
            "account": account.id,
            "name": account.name,
            "email": account.email,
            "mail": await self._last_mail(account.id),
            "siret": account.siret,
            "vat": account.vat,
            "time_zone": account.time_zone,
            "activation_requested": account.activation_requested.isoformat(),
            "billing_starts": self._billing_start(account),
            "cycle": {"n": cycle.n, "start": cycle.start, "end": cycle.end},
            "terms": self._terms(account.id),
            "changes": changes_of(self._acts, account),
            "lines": self._lines(account.id),
        }

    def accept(self, args: Args) -> object:
        """Put on file that the account accepted a version of the terms."""
        account, digest = self._acts.account(str(args["account"])), str(args["hash"]).lower()
        if not _HASH.fullmatch(digest):
            raise CommandRefused(
                "bad_args", "--hash: the SHA-256 of the text, 64 hexadecimal digits"
            )
        step = Step(
            "",
            account.id,
            self._acts.now_ms(),
            Note.ACCEPTED.value,
            "customer",
            str(args["by"]),
            CLAUSES[Note.ACCEPTED],
            f"version {args['version']}, sha256 {digest}, from {args.get('source') or 'paper'}",
            way=str(args["version"]),
        )
        self._acts.contracts.take(step)
        self._acts.perform()
        return {"account": account.id, "terms": self._terms(account.id)}

    def terminate(self, args: Args) -> object:
        """End the contract of every line of the account by one way: the customer stopped the payment
        (4(d)), the upstream contract ends (2(l)(ii)). Lines that the terms don't let end are listed."""
        account = self._acts.account(str(args["account"]))
        told = {key: value for key, value in args.items() if key != "account"}
        ended = []
        for line in [*self._exchange.facts.lines.values()]:
            if line.account != account.id or line.state is LineState.TERMINATED:
                continue
            try:
                ended.append(self._contract.terminate({**told, "line": line.id}))
            except CommandRefused as refusal:
                if refusal.slug == "bad_args":
                    raise
                ended.append(
                    {"line": line.id, "state": line.state.value, "refused": refusal.message}
                )
        reasons = [
            item["refused"] for item in ended if isinstance(item, dict) and "refused" in item
        ]
        if reasons and len(reasons) == len(ended):
            raise CommandRefused("not_allowed", f"no line may be ended: {reasons[0]}")
        return ended

    # -- inside --------------------------------------------------------------------------------

    async def _last_mail(self, account: str) -> dict[str, Any]:
        try:
            return await self._rows.last_mail(account) or {}
        except StoreUnavailableError:
            return {}

    def _billing_start(self, account: AccountSettings) -> str:
        """The day from which the account is billed (4(a))."""
        return self._exchange.calendar(account).billing_start.isoformat()

    def _terms(self, account: str) -> dict[str, object]:
        accepted = self._acts.contracts.acceptance(account)
        if accepted is None:
            return {}
        return {
            "version": accepted.way,
            "accepted_at": accepted.at,
            "by": accepted.by,
            "how": accepted.because,
        }

    def _lines(self, account: str) -> Sequence[dict[str, object]]:
        return [
            {
                "line": line.id,
                "number": line.number,
                "state": line.state.value,
                "ground": line.policy.ground,
                **open_points(self._acts.contracts.file(line.id)),
            }
            for line in self._exchange.facts.lines.values()
            if line.account == account
        ]
