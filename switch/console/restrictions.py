"""The use cases that let a line do less without suspending it: fewer calls at once, one number less.

Harm to the network (2(k)(f)) and to one callee (2(d)) is stopped so first. Emergency numbers and what no line
is ever kept from can't be blocked. Deliberately absent: caps of minutes and euros, which are the files'.
"""

from policy.account_state import NEVER_FORBIDDEN
from policy.on_file import CLAUSES, Note
from switch.call.exchange import Exchange
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.contract_acts import Acts, word_of


class Restrictions:
    """Over one exchange."""

    def __init__(self, exchange: Exchange, acts: Acts) -> None:
        self._exchange = exchange
        self._acts = acts

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {"line.limit": self.limit, "line.block": self.block}

    def limit(self, args: Args) -> object:
        """Let fewer calls at once, before anything harder (2(k)(f)); None gives the file's limit back."""
        line, channels = self._acts.line(args), args.get("channels")
        if channels is None:
            self._acts.file(line, Note.LIFTED, self._acts.now_ms(), word_of(args))
            return self._acts.done(line.id)
        if not isinstance(channels, int) or not 1 <= channels <= line.filed_channels:
            raise CommandRefused("bad_args", f"--channels: from 1 to {line.filed_channels}")
        at, kind = self._acts.now_ms(), "limited"
        self._acts.file(line, Note.LIMITED, at, word_of(args), way=str(channels), notice=kind)
        self._acts.owe(kind, line, at, CLAUSES[Note.LIMITED], channels=channels)
        return self._acts.done(line.id)

    def block(self, args: Args) -> object:
        """Keep a line from calling one number (2(d)), or let it again."""
        line, plan = self._acts.line(args), self._exchange.rules.plan
        dialled = str(args["number"])
        if self._exchange.rules.emergency.classify(dialled) is not None:
            raise CommandRefused("not_allowed", "an emergency number can't be blocked")
        found = plan.classify_canonical(plan.canonical(dialled))
        if found.number_class in NEVER_FORBIDDEN:
            raise CommandRefused(
                "not_allowed", f"{dialled} is {found.number_class}: it can't be blocked"
            )
        number = found.number
        at = self._acts.now_ms()
        if args.get("lift") is True:
            self._acts.file(line, Note.UNBLOCKED, at, word_of(args), way=number)
            return self._acts.done(line.id)
        self._acts.file(line, Note.BLOCKED, at, word_of(args), way=number, notice="number_blocked")
        self._acts.owe("number_blocked", line, at, CLAUSES[Note.BLOCKED], blocked=number)
        return self._acts.done(line.id)
