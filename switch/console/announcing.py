"""The use case behind `vigie account announce`: customers are told of a change of the terms or the prices.

One that harms them is refused before a month has passed from its notice (terms 5, 13(j)); the step on file
and the ledger's notice carry that clock. Prices hold for who was told of their day (console/bills.py).
Deliberately absent: the new text, which goes with the notice by the operator's own ways.
"""

from collections.abc import Collection
from datetime import date
from typing import Final

from policy.notice_of_change import CLAUSE, Subject, TooSoonError, hold
from policy.on_file import Note
from switch.call.exchange import Exchange
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.contract_acts import Acts
from switch.facts.settings import AccountSettings
from switch.terms.contracts import Step
from switch.terms.days import day_of, midnight_ms

HARMLESS: Final = "_harmless"  # ends the kind of a notice that opens no door


class Announcing:
    """Over one exchange."""

    def __init__(self, exchange: Exchange, acts: Acts) -> None:
        self._exchange = exchange
        self._acts = acts

    def table(self) -> dict[str, UseCase]:
        """The command by name."""
        return {"account.announce": self.announce}

    def announce(self, args: Args) -> object:
        """Tell one customer, or all, of a change and the day from which it holds."""
        about, is_harmful = str(args["about"]), args.get("harmless") is not True
        if about not in list(Subject):
            raise CommandRefused("bad_args", f"--about {about}: {' or '.join(Subject)}")
        effective, told = _day(args, "effective"), _day(args, "noticed")
        if effective is None:
            raise CommandRefused("bad_args", "--effective: the day from which the change holds")
        accounts = self._accounts(args)
        for account in accounts:  # nobody is told of what somebody couldn't be told in time
            today = day_of(self._acts.now_ms(), account.time_zone)
            noticed = told or today
            if noticed > today:
                raise CommandRefused("bad_args", f"--noticed {noticed}: that day has yet to come")
            try:
                hold(noticed, effective, is_harmful=is_harmful)
            except TooSoonError as error:
                raise CommandRefused("not_allowed", f"account {account.id}: {error}") from None
        for account in accounts:
            self._tell(account, args, effective, told, is_harmful=is_harmful)
        self._acts.perform()
        return [
            {"account": account.id, "changes": changes_of(self._acts, account)}
            for account in accounts
        ]

    def told_prices(self, account: str) -> Collection[date]:
        """The days from which new prices hold for a customer: those that they came to, or were told of."""
        zone = self._acts.account(account).time_zone
        return {
            day_of(step.until, zone)
            for step in self._acts.contracts.announcements(account)
            if step.until is not None and step.way.partition(" ")[0] == Subject.PRICES
        }

    def _accounts(self, args: Args) -> list[AccountSettings]:
        wanted = args.get("account")
        if wanted is None:
            return list(self._exchange.facts.accounts.values())
        return [self._acts.account(str(wanted))]

    def _tell(
        self,
        account: AccountSettings,
        args: Args,
        effective: date,
        told: date | None,
        *,
        is_harmful: bool,
    ) -> None:
        zone, about, version = account.time_zone, str(args["about"]), str(args["version"])
        at = self._acts.now_ms() if told is None else midnight_ms(told, zone)
        step = Step(
            "",
            account.id,
            at,
            Note.ANNOUNCED.value,
            "person",
            str(args.get("by") or "operator"),
            CLAUSE,
            str(args.get("because") or ""),
            until=midnight_ms(effective, zone),
            way=f"{about} {version}",
            notice=f"{about}_change" if is_harmful else f"{about}_change{HARMLESS}",
        )
        self._acts.contracts.take(step)
        self._exchange.outbox.note(
            "notice.due",
            kind=step.notice,
            id=f"{step.notice} {account.id} {version} {effective}",
            account=account.id,
            audience="customer",
            clause=CLAUSE,
            fields={"effective": effective.isoformat(), "version": version},
        )


def changes_of(acts: Acts, account: AccountSettings) -> list[dict[str, object]]:
    """What a customer was told of, oldest first; until `may_leave_until` they leave without a penalty."""
    found = []
    for step in acts.contracts.announcements(account.id):
        about, _, version = step.way.partition(" ")
        day = None if step.until is None else day_of(step.until, account.time_zone).isoformat()
        shown: dict[str, object] = {
            "about": about,
            "version": version,
            "told_at": step.at,
            "effective": day,
        }
        is_open = step.until is not None and step.until > acts.now_ms()
        if is_open and not step.notice.endswith(HARMLESS):
            shown["may_leave_until"] = day
        found.append(shown)
    return found


def _day(args: Args, key: str) -> date | None:
    if args.get(key) is None:
        return None
    try:
        return date.fromisoformat(str(args[key]))
    except ValueError:
        raise CommandRefused("bad_args", f"--{key} {args[key]}: a date is YYYY-MM-DD") from None
