"""The tour: what the product does, in 40 seconds, with pjsua2 phones against the running switch.

Each station is a function that does something with real phones, says what it saw, and returns it for
`--json`. A station that fails is told and the tour goes on; the exit code is then 1.
"""

import importlib.util
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.markup import escape

from switch.demo.carrier_view import CarrierView, describe_location
from switch.demo.control import SWITCH_SOCKET, Control
from switch.demo.handset import Event, Handset, HandsetError
from switch.demo.ladder import Arrow, draw
from switch.demo.options import print_json

REGISTRAR: Final = "127.0.0.1:5060"
PARIS: Final = "127.0.0.1"
GERMANY: Final = "127.0.2.1"
_LISTEN_S: Final = 7.0
"""How long the tour listens to the warning, which repeats for 45 s."""

Seen = dict[str, object]


@dataclass(slots=True)
class Tour:
    """The phones and where things are; stations share it."""

    data: Path
    control: Control
    out: Console
    phones: ExitStack
    handsets: dict[str, Handset] = field(default_factory=dict)

    def phone(self, line: str, address: str = PARIS) -> Handset:
        """The registered phone of a line; started when first asked for."""
        if line not in self.handsets:
            handset = self.phones.enter_context(Handset("--address", address))
            handset.register(line, f"demo-{line}", REGISTRAR)
            self.handsets[line] = handset
        return self.handsets[line]

    def ask(self, command: str, **args: object) -> Mapping[str, object]:
        """Ask the switch."""
        answer = self.control.ask(self.data / SWITCH_SOCKET, command, args)
        return answer if isinstance(answer, dict) else {}

    def say(self, text: str) -> None:
        """Tell the visitor."""
        self.out.print(f"   {escape(text)}")


def run(data: Path, control: Control, *, as_json: bool) -> int:
    """Walk all stations; returns the exit code."""
    out = Console(highlight=False, soft_wrap=True, stderr=as_json)
    results: Seen = {}
    failures: tuple[type[Exception], ...] = (HandsetError, *control.failures)
    failed = 0
    with ExitStack() as phones:
        tour = Tour(data, control, out, phones)
        try:
            tour.ask("status")
        except control.failures as error:
            out.print(f"The tour needs a running switch (make run): {escape(str(error))}")
            return 1
        if importlib.util.find_spec("pjsua2") is None:
            out.print("The tour's phones need pjsua2, which is not installed for this Python.")
            return 1
        for number, (title, station) in enumerate(STATIONS, 1):
            out.print(f"\n[bold]{number}. {escape(title)}[/]")
            try:
                results[station.__name__] = station(tour)
            except failures as error:
                failed += 1
                out.print(f"   [red]{escape(str(error))}[/]")
                results[station.__name__] = {"error": str(error)}
    if as_json:
        print_json(results)
    out.print(f"\n{len(STATIONS) - failed} of {len(STATIONS)} stations went as they should.")
    return 1 if failed else 0


def colleagues(tour: Tour) -> Seen:
    """101 calls 102."""
    caller, callee = tour.phone("101"), tour.phone("102")
    before = len(caller.events), len(callee.events)
    call = caller.call(f"sip:102@{REGISTRAR}")
    there = int(callee.wait("incoming")["call"])
    caller.wait("call", state="early")
    callee.do("answer", call=there)
    caller.wait("call", state="confirmed")
    callee.wait("call", state="confirmed")
    time.sleep(1.0)
    caller.do("hangup", call=call)
    callee.wait("call", state="disconnected")
    caller.wait("call", state="disconnected")
    arrows = [
        *_arrows(caller.events[before[0] :], phone=0),
        *_arrows(callee.events[before[1] :], phone=2),
    ]
    tour.out.print(draw(("101", "switch", "102"), arrows), markup=False)
    return {"arrows": len(arrows)}


def emergency_at_home(tour: Tour) -> Seen:
    """18 from the registered building."""
    view = CarrierView(tour.data)
    caller = tour.phone("101")
    call = caller.call(f"sip:18@{REGISTRAR}")
    caller.wait("call", limit_s=10.0, state="confirmed")
    caller.do("hangup", call=call)
    caller.wait("call", state="disconnected")
    invite = view.newest()
    seen = describe_location(invite) if invite else {}
    for name, value in seen.items():
        tour.say(f"{name}: {value}")
    if not seen:
        raise HandsetError("the carrier got no INVITE")
    return dict(seen)


def suspended_line(tour: Tour) -> Seen:
    """105 can't call, but reaches 18."""
    caller = tour.phone("105")
    call = caller.call(f"sip:0145678901@{REGISTRAR}")
    refused = caller.wait(
        "call", limit_s=10.0, test=lambda event: event["state"] in ("early", "disconnected")
    )
    if refused["state"] == "early":
        time.sleep(3.0)
        caller.do("hangup", call=call)
        refused = caller.wait("call", limit_s=10.0, state="disconnected")
    else:  # the first minute of a data directory
        tour.say("its words are still being generated: this time it is refused at once")
    why = tour.ask("explain.call", line="105", dial="0145678901", source_ip=PARIS)
    tour.say(f"0145678901: {why.get('action')}, {why.get('reason')}, clause {why.get('clause')}")
    call = caller.call(f"sip:18@{REGISTRAR}")
    caller.wait("call", limit_s=10.0, state="confirmed")
    caller.do("hangup", call=call)
    caller.wait("call", state="disconnected")
    tour.say("18: connected")
    return {"refused": refused.get("code"), "reason": why.get("reason"), "emergency": "connected"}


def emergency_abroad(tour: Tour) -> Seen:
    """18 from Germany meets the warning."""
    caller = tour.phone("103", GERMANY)
    recording = (tour.data / "tour-warning.wav").absolute()
    call = caller.call(f"sip:18@{REGISTRAR}", record=str(recording))
    caller.wait("media", limit_s=10.0, active=True)
    time.sleep(_LISTEN_S)
    caller.do("hangup", call=call)
    ended = caller.wait("call", limit_s=5.0, state="disconnected")
    heard = caller.wait("heard", limit_s=5.0)
    why = tour.ask("explain.call", line="103", dial="18", source_ip=GERMANY)
    tour.say(f"{why.get('action')}, {why.get('reason')}: {_evidence(why)}")
    tour.say(f"heard {heard['seconds']} s, loudness {heard['rms']} of 32767, saved as {recording}")
    tour.say("Who stays on the line hears it in French and English for 45 s, then gets 403;")
    tour.say('pressing 1 ("I am in France") connects.')
    if not float(heard["rms"]) > 0:
        raise HandsetError("the warning was silent")
    return {"rms": heard["rms"], "wav": str(recording), "code": ended.get("code")}


def minutes(tour: Tour) -> Seen:
    """Minutes grow while the call is up."""
    caller = tour.phone("101")
    call = caller.call(f"sip:0140000000@{REGISTRAR}")
    caller.wait("call", limit_s=10.0, state="confirmed")
    readings = []
    for _ in range(5):
        time.sleep(0.6)
        usage = tour.ask("usage.show", line="101")
        readings.append(usage.get("used_ms"))
        tour.say(
            f"used {_seconds(usage, 'used_ms'):.3f} s of {_seconds(usage, 'threshold_ms') / 60:.0f} "
            f"min, of it live {_seconds(usage, 'live_ms'):.3f} s"
        )
    caller.do("hangup", call=call)
    caller.wait("call", state="disconnected")
    return {"used_ms": readings}


STATIONS: Final[tuple[tuple[str, Callable[[Tour], Seen]], ...]] = (
    ("101 calls 102", colleagues),
    ("101 dials 18 in Paris: what the carrier gets", emergency_at_home),
    ("105 is suspended, its 18 isn't", suspended_line),
    ("103 dials 18 in Germany", emergency_abroad),
    ("101 talks, its minutes grow", minutes),
)

_LABELS: Final = {"connecting": "200 OK", "confirmed": "ACK", "disconnected": "BYE"}


def _arrows(events: list[Event], phone: int) -> list[Arrow]:
    """The messages between a phone (column 0 or 2) and the switch (column 1), from its events."""
    arrows: list[Arrow] = []
    calls_out = phone == 0
    for event in events:
        at = float(event["t"])
        match event["event"]:
            case "calling":
                arrows.append(Arrow(at, phone, 1, "INVITE"))
            case "incoming":
                arrows.append(Arrow(at, 1, phone, "INVITE"))
            case "call" if event["state"] == "early":
                label = f"{event['code']} {event['reason']}"
                arrows.append(_between(at, phone, label, towards_phone=calls_out))
            case "call" if event["state"] in _LABELS:
                towards = {
                    "connecting": calls_out,
                    "confirmed": not calls_out,
                    "disconnected": not calls_out,
                }[event["state"]]
                arrows.append(_between(at, phone, _LABELS[event["state"]], towards_phone=towards))
    return _without_repeats(arrows)


def _between(at: float, phone: int, label: str, *, towards_phone: bool) -> Arrow:
    return Arrow(at, 1, phone, label) if towards_phone else Arrow(at, phone, 1, label)


def _without_repeats(arrows: list[Arrow]) -> list[Arrow]:
    """A phone tells a state again when a message leaves it unchanged."""
    seen: dict[tuple[int, int, str], Arrow] = {}
    for arrow in arrows:
        seen.setdefault((arrow.source, arrow.target, arrow.label), arrow)
    return list(seen.values())


def _evidence(why: Mapping[str, object]) -> str:
    evidence = why.get("evidence")
    if not isinstance(evidence, dict):
        return "no evidence"
    signals = evidence.get("signals")
    told = [
        f"{signal.get('kind')} {signal.get('value')} says {signal.get('says')}"
        for signal in (signals if isinstance(signals, list) else [])
    ]
    return f"{evidence.get('level')} ({', '.join(told)})"


def _seconds(usage: Mapping[str, object], key: str) -> float:
    value = usage.get(key)
    return value / 1000 if isinstance(value, int | float) else 0.0
