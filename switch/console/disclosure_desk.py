"""The use cases behind `vigie disclosure`: a request, two approvals, a sealed export (terms 2(g), 10).

What leaves is one line's data of the classes and the span that were asked for, as one canonical JSON text
with its SHA-256; the same text is exported only once, and the step keeps the seal. Deliberately absent:
content of calls, which isn't recorded.
"""

import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import orjson

from policy.disclosure import (
    CLAUSE,
    Class,
    Disclosure,
    Ground,
    NotAllowedError,
    approve,
    export,
    refuse,
)
from switch.call.exchange import Exchange
from switch.clock import boottime
from switch.console.commands import Args, CommandRefused, UseCase
from switch.store.read import StoreUnavailableError
from switch.terms.disclosures import Disclosures, Step
from switch.usage.cdr import Cdr

# Of a call, what says who spoke to whom and when: neither rules nor prices.
_TRAFFIC: Final = (
    "call_id", "line", "direction", "src", "dst", "start", "answer", "end", "disposition",
)  # fmt: skip
_LOCATION: Final = ("line", "version", "at", "address", "validated", "source")


class DisclosureRows(Protocol):
    """What is asked of the database."""

    async def cdrs(self, *, line: str, since: int, limit: int) -> list[Cdr]:
        """A line's calls that ended since then; `limit` 0 = all."""

    async def locations(self) -> Sequence[Any]:
        """All versions of all locations."""


class DisclosureDesk:
    """Over one exchange."""

    def __init__(
        self,
        exchange: Exchange,
        disclosures: Disclosures,
        rows: DisclosureRows,
        perform: Callable[[], None],
    ) -> None:
        self._exchange = exchange
        self._disclosures = disclosures
        self._rows = rows
        self._perform = perform

    def table(self) -> dict[str, UseCase]:
        """The commands by name."""
        return {
            "disclosure.list": self.list,
            "disclosure.request": self.request,
            "disclosure.approve": self.approve,
            "disclosure.refuse": self.refuse,
            "disclosure.export": self.export,
        }

    def list(self, args: Args) -> object:
        """All requests and how far each is."""
        return [_shown(step) for step in self._disclosures.all()]

    def request(self, args: Args) -> object:
        """Ask for the data of a line; nothing leaves yet."""
        line, now = str(args["line"]), self._now_ms()
        if line not in self._exchange.facts.lines:
            raise CommandRefused("unknown_line", f"there is no line {line}")
        since, until = _whole(args, "since"), _whole(args, "until")
        if not since < until:
            raise CommandRefused("bad_args", "the span ends before it begins")
        try:
            ground = Ground(str(args["ground"]))
            classes = tuple(dict.fromkeys(Class(each) for each in str(args["classes"]).split(",")))
        except ValueError as error:
            raise CommandRefused("bad_args", str(error)) from None
        asked = Disclosure(
            f"disclosure-{secrets.token_hex(4)}",  # two nodes may be asked at once
            line,
            since,
            until,
            classes,
            ground,
            str(args["reference"]),
            str(args["by"]),
        )
        return self._done(self._disclosures.take(asked, "request", asked.by, now))

    def approve(self, args: Args) -> object:
        """One more person agrees."""
        return self._step(args, "approve")

    def refuse(self, args: Args) -> object:
        """Somebody refuses it for good."""
        return self._step(args, "refuse")

    async def export(self, args: Args) -> object:
        """The data, sealed; the last step of a request that two people approved."""
        step, by = self._find(args), str(args["by"])
        try:
            exported = export(step.request)
            content = await self._content(step.request)
        except NotAllowedError as error:
            raise CommandRefused("not_allowed", str(error)) from None
        except StoreUnavailableError as error:
            raise CommandRefused("store_unavailable", str(error)) from None
        if self._find(args) is not step:  # somebody was quicker
            raise CommandRefused("not_allowed", f"{step.request.id} has moved on meanwhile")
        text = orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()
        seal = hashlib.sha256(text.encode()).hexdigest()
        self._disclosures.take(exported, "export", by, self._now_ms(), seal=seal)
        self._perform()
        return {"id": exported.id, "seal": seal, "text": text}

    # -- inside --------------------------------------------------------------------------------

    def _step(self, args: Args, did: str) -> object:
        step, by = self._find(args), str(args["by"])
        try:
            moved = approve(step.request, by) if did == "approve" else refuse(step.request)
        except NotAllowedError as error:
            raise CommandRefused("not_allowed", str(error)) from None
        because = str(args.get("because") or "")
        return self._done(self._disclosures.take(moved, did, by, self._now_ms(), because))

    def _done(self, step: Step) -> dict[str, object]:
        """What was kept leaves now."""
        self._perform()
        return _shown(step)

    def _find(self, args: Args) -> Step:
        step = self._disclosures.find(str(args["id"]))
        if step is None:
            raise CommandRefused("unknown_disclosure", f"there is no request {args['id']}")
        return step

    async def _content(self, request: Disclosure) -> dict[str, object]:
        """The least that answers the request."""
        content: dict[str, object] = {
            "id": request.id,
            "clause": CLAUSE,
            "ground": request.ground.value,
            "reference": request.reference,
            "approved_by": list(request.approved_by),
            "line": request.line,
            "since": request.since,
            "until": request.until,
        }
        if Class.IDENTITY in request.classes:
            content["identity"] = self._identity(request.line)
        if Class.TRAFFIC in request.classes:
            calls = await self._rows.cdrs(line=request.line, since=request.since, limit=0)
            content["traffic"] = [
                {name: getattr(cdr, name) for name in _TRAFFIC}
                for cdr in calls
                if cdr.start < request.until
            ]
        if Class.LOCATION in request.classes:
            content["location"] = [
                {name: getattr(place, name) for name in _LOCATION}
                for place in await self._rows.locations()
                if place.line == request.line and place.at < request.until
            ]
        return content

    def _identity(self, line_id: str) -> dict[str, object]:
        line = self._exchange.facts.lines[line_id]
        account = self._exchange.facts.accounts[line.account]
        return {"number": line.number, "account": account.id, "name": account.name,
                "email": account.email}  # fmt: skip

    def _now_ms(self) -> int:
        return round(self._exchange.wall(boottime()) * 1000)


def _shown(step: Step) -> dict[str, object]:
    shown = step.record()
    return {name: shown[name] for name in shown if name not in ("k", "n")}


def _whole(args: Args, key: str) -> int:
    value = args[key]
    if not isinstance(value, int):
        raise CommandRefused("bad_args", f"{key}: UTC milliseconds")
    return value
