"""The use case behind `vigie usage rate`: what the per-minute plan makes of a line's calls (terms 3(a)).

Calls that the line made, that were answered under that plan and aren't exempt; of a contract that has ended,
those of a span of abnormal use, whatever their plan was (back-rating; only then). Before VAT. Deliberately
absent: bills, and what is still unlimited.
"""

from collections.abc import Callable, Collection
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Protocol

from policy.model import LineState, NumberClass
from switch.call.exchange import Exchange
from switch.console.commands import Args, CommandRefused, UseCase
from switch.facts.line import Line
from switch.store.read import StoreUnavailableError
from switch.terms.days import day_of
from switch.usage.cdr import Cdr
from switch.usage.rating import Bill, Tariff, Tariffs, add_to, tariff_on

_CENT: Final = Decimal("0.01")


class CallRows(Protocol):
    """What is asked of the database."""

    async def cdrs(
        self, *, line: str, since: int | None, until: int | None, limit: int
    ) -> list[Cdr]:
        """A line's calls that ended in [since, until); `limit` 0 = all."""


class Bills:
    """Over one exchange; `tariffs` gives those in force."""

    def __init__(
        self,
        exchange: Exchange,
        rows: CallRows,
        tariffs: Callable[[], Tariffs],
        told_prices: Callable[[str], Collection[date]] = lambda account: (),
    ) -> None:
        """`told_prices` gives the days of new prices that an account was told of in time."""
        self._told_prices = told_prices
        self._exchange = exchange
        self._rows = rows
        self._tariffs = tariffs

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {"usage.rate": self.rate}

    async def rate(self, args: Args) -> object:
        """Rate a line's calls by class of number."""
        line, back = str(args["line"]), args.get("back") is True
        known = self._exchange.facts.lines.get(line)
        if known is None:
            raise CommandRefused("unknown_line", f"there is no line {line}")
        if back and known.state is not LineState.TERMINATED:
            raise CommandRefused(
                "not_allowed", f"line {line} is {known.state}: 3(a) rates back only at the end"
            )
        since, until = _whole(args, "since"), _whole(args, "until")
        try:
            calls = await self._rows.cdrs(line=line, since=since, until=until, limit=0)
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None
        bills: dict[NumberClass, Bill] = {}
        plan = self._exchange.rules.plan
        for cdr in calls:
            billed = cdr.direction == "outbound" and cdr.exempt_reason is None and cdr.counted_ms
            if billed and (back or cdr.plan == "per_minute"):
                number_class = plan.classify_canonical(plan.canonical(cdr.dst)).number_class
                tariff = self._tariff(known, number_class, cdr)
                add_to(bills, number_class, cdr.counted_ms, tariff)
        return {"line": line, "back": back, **_summed(bills)}

    def _tariff(self, line: Line, number_class: NumberClass, cdr: Cdr) -> Tariff | None:
        """The price that held for the customer on the day of the answer (5, 13(j))."""
        account = self._exchange.facts.accounts[line.account]
        told = self._told_prices(account.id)
        day = day_of(cdr.answer or cdr.start, account.time_zone)
        return tariff_on(
            self._tariffs(),
            number_class,
            day,
            lambda since: since in told or since <= account.activation_requested,
        )


def _summed(bills: dict[NumberClass, Bill]) -> dict[str, object]:
    """The classes, the sum in euros and cents, and the classes that no tariff knows."""
    known = [bill.euros for bill in bills.values() if bill.euros is not None]
    return {
        "classes": [
            {
                "class": number_class.value,
                "calls": bill.calls,
                "counted_ms": bill.ms,
                "rated_s": bill.rated_s,
                "euros": None if bill.euros is None else str(_cents(bill.euros)),
            }
            for number_class, bill in sorted(bills.items())
        ],
        "euros": str(_cents(sum(known, Decimal(0)))),
        "without_tariff": [each.value for each, bill in bills.items() if bill.euros is None],
    }


def _cents(euros: Decimal) -> Decimal:
    return euros.quantize(_CENT, ROUND_HALF_UP)


def _whole(args: Args, key: str) -> int | None:
    value = args.get(key)
    return value if isinstance(value, int) else None
