"""What an unpaid sum has grown by (terms 2(n), 4(e)): for the warning to its customer, for the final sums.

Sums come from billing: a person, or its program, says how much was due and since when. The ECB's rates are
dated data of the configuration ([contract] refinancing). Deliberately absent: bills and payments.
"""

from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final

from policy.late_interest import claim
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.contract_acts import Acts
from switch.facts.settings import AccountSettings
from switch.terms.days import day_of

CLAUSE: Final = "4(e)"
_CENT: Final = Decimal("0.01")


class Arrears:
    """Over the acts of an exchange; `accounts` are the customers in force."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts

    def table(self) -> dict[str, UseCase]:
        """The command by name."""
        return {"account.claim": self.claim}

    def claim(self, args: Args) -> object:
        """A sum with its late interest and costs, up to the day of payment or to today."""
        account = self._acts.account(str(args["account"]))
        return {"account": account.id, **self.grown(account, args), "clause": CLAUSE}

    def grown(self, account: AccountSettings, args: Args) -> dict[str, str]:
        """What `amount`, due on `due`, comes to on the day `paid`, or today."""
        amount, due = _euros(args), _day(args, "due")
        today = day_of(self._acts.now_ms(), account.time_zone)
        paid = _day(args, "paid") if args.get("paid") is not None else today
        rates = self._acts.settings().rates
        try:
            interest, costs = claim(amount, due, paid, rates)
        except KeyError as error:
            half = error.args[0]
            what = f"the ECB's rate of {half} isn't there: put it into [contract] refinancing"
            raise CommandRefused("no_rate", what) from None
        return {
            "amount": f"{amount:.2f}",
            "due": due.isoformat(),
            "until": paid.isoformat(),
            "interest": f"{interest:.2f}",
            "costs": f"{costs:.2f}",
            "total": f"{amount + interest + costs:.2f}",
        }


def _euros(args: Args) -> Decimal:
    try:
        amount = Decimal(str(args["amount"]))
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0 or amount != amount.quantize(_CENT):
        raise CommandRefused("bad_args", f"--amount {args['amount']}: euros and cents, as 120.50")
    return amount


def _day(args: Args, key: str) -> date:
    try:
        return date.fromisoformat(str(args.get(key)))
    except ValueError:
        raise CommandRefused("bad_args", f"--{key} {args.get(key)}: a date is YYYY-MM-DD") from None
