"""Call-backs of a PSAP: after an emergency call the phone that made it is rung first.

For `callback_s` after a line's emergency call a call-back that the policy recognises (from a trusted
trunk, RFC 7090 or a PSAP's number) rings the phone that called, then the line's other phones as well.
A window is of the line and names the phone by its binding, so it outlives the phone's connection and,
by the journal, a kill -9. Outside a window a call-back still passes what bars other calls, and rings
all phones at once.

Deliberately absent: who may call back (policy.engine), and what a call-back passes by: the channel
and load limits ask for its exempt reason (incoming.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from switch.registrar.binding import Binding
from switch.routing.select import binding_targets
from switch.routing.target import Target
from switch.sip.errors import ParseError
from switch.sip.outbox import Outbox
from switch.sip.uri import Uri

if TYPE_CHECKING:
    from switch.call.call import Call
    from switch.call.exchange import Exchange

EXEMPT: Final = "psap_callback"
PRIORITY: Final = ("Priority", "psap-callback")  # RFC 7090 §3
# How long the phone that called rings alone, if the line has others.
ALONE_S: Final = 15.0
KIND: Final = "callback_window"


@dataclass(frozen=True, slots=True)
class Window:
    """Until when (UTC seconds) a line may be called back, after which call, and on which phone:
    its instance (RFC 5626) and contact as registered, "" when unknown."""

    line: str
    until: float
    call_id: str
    contact: str = ""
    instance: str = ""

    def is_phone(self, binding: Binding) -> bool:
        """Whether this binding is of the phone that called."""
        if self.instance and binding.instance:
            return self.instance == binding.instance
        return bool(self.contact) and self.contact == str(binding.contact)

    def record(self) -> bytes:
        """Its journal record."""
        return orjson.dumps(
            {
                "k": KIND,
                "line": self.line,
                "until": self.until,
                "call_id": self.call_id,
                "contact": self.contact,
                "instance": self.instance,
            }
        )


class CallbackWindows:
    """The windows that are open, one a line, those that end first in front; a later call of the line
    replaces its window."""

    __slots__ = ("_outbox", "_windows")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._windows: dict[str, Window] = {}

    def open(self, window: Window, utc: float) -> None:
        """Open a window at UTC seconds `utc`, or prolong it."""
        windows = self._windows
        windows.pop(window.line, None)  # its new place is the last
        while windows and (first := next(iter(windows.values()))).until < utc:
            del windows[first.line]
        windows[window.line] = window
        self._outbox.journal.append(window.record())

    def prolong(self, line: str, until: float, utc: float) -> None:
        """The emergency call has ended: the time counts from now."""
        window = self._windows.get(line)
        if window is not None and window.until < until:
            self.open(Window(line, until, window.call_id, window.contact, window.instance), utc)

    def of(self, line: str, utc: float) -> Window | None:
        """The window that is open for a line, None when there is none."""
        window = self._windows.get(line)
        return window if window is not None and window.until >= utc else None

    def restore(self, records: Iterable[Mapping[str, Any]], utc: float) -> None:
        """Take windows that are still open from journal records; other kinds are skipped."""
        for record in records:
            if record.get("k") == KIND and record["until"] >= utc:
                fields = {name: record[name] for name in Window.__slots__}
                self._windows.pop(record["line"], None)
                self._windows[record["line"]] = Window(**fields)

    def records(self) -> Iterator[bytes]:
        """The records that restore the present windows."""
        return (window.record() for window in list(self._windows.values()))


def open_window(call: "Call", now: float) -> None:
    """An emergency call has left for a PSAP: it may call back."""
    exchange, line = call.exchange, call.request.line
    if line is None:
        return
    utc = exchange.wall(now)
    phone = calling_phone(call)
    window = Window(
        line,
        utc + exchange.settings.callback_s,
        call.id,
        "" if phone is None else str(phone.contact),
        "" if phone is None else phone.instance or "",
    )
    exchange.callbacks.open(window, utc)


def calling_phone(call: "Call") -> Binding | None:
    """The binding of the phone that made a call, None when it isn't registered."""
    exchange, caller, line = call.exchange, call.caller, call.request.line
    if caller is None or caller.dialog is None or line is None:
        return None
    target = caller.dialog.remote_target
    for binding in exchange.registrar.bindings(line, exchange.received_at):
        if str(binding.contact) == target:
            return binding
    try:
        user = Uri.parse(target).user or line
    except ParseError:  # nothing about a call-back may hinder the call
        user = line
    found = exchange.registrar.find(caller.flow, user)
    return found if found is not None and found.aor == line else None


def free_phones(exchange: "Exchange", line: str, now: float) -> list[Binding]:
    """The line's phones that may ring for an ordinary call: none in an emergency call (RFC 6881
    SP-38). Where it isn't known which phone that is, none at all."""
    bindings = exchange.registrar.bindings(line, now)
    if line not in exchange.in_emergency:
        return bindings
    calling = [
        calling_phone(call)
        for call in exchange.calls.values()
        if call.is_emergency and call.request.line == line
    ]
    keys = {phone.key for phone in calling if phone is not None}
    return [] if None in calling else [b for b in bindings if b.key not in keys]


def phone_groups(exchange: "Exchange", line: str, now: float) -> list[tuple[Target, ...]]:
    """The line's phones for a call-back: the one that called alone, then the others."""
    bindings = exchange.registrar.bindings(line, now)
    window = exchange.callbacks.of(line, exchange.wall(now))
    if window is None:
        groups = [bindings]
    else:
        first = [binding for binding in bindings if window.is_phone(binding)]
        groups = [first, [binding for binding in bindings if binding not in first]]
    return [binding_targets(group, line) for group in groups if group]


def marked(fields: list[tuple[str, str]], is_callback: bool) -> list[tuple[str, str]]:
    """The fields for the phone: a call-back says that it is one, so that the phone lets it through
    (RFC 7090 §5), and nothing else may say so."""
    kept = [
        field
        for field in fields
        if field[0] != PRIORITY[0] or (not is_callback and field[1].strip().lower() != PRIORITY[1])
    ]
    return [*kept, PRIORITY] if is_callback else kept
