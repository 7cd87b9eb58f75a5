"""`vigie demo`: the simulated carrier, calls from it, and the tour."""

import contextlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from switch.demo.control import CARRIER_SOCKET, SWITCH_SOCKET, Control
from switch.demo.options import DEFAULT_CONFIG, DEFAULT_DATA, Config, Data, Json, fail, print_json

_POLL_S = 0.1


def build(control: Control) -> typer.Typer:
    """The commands under `demo`."""
    app = typer.Typer(help="The demo: a simulated carrier and a tour.", no_args_is_help=True)
    desk = _Desk(control)
    app.command("carrier")(desk.carrier)
    app.command("carrier-run", hidden=True)(desk.carrier_run)
    app.command("call")(desk.call)
    app.command("tour")(desk.tour)
    return app


class _Desk:
    """The commands, with the way to reach the processes they are about."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def carrier(
        self,
        refuse: Annotated[
            list[int] | None, typer.Option("--refuse", help="Make this port answer 503.")
        ] = None,
        accept: Annotated[
            list[int] | None, typer.Option("--accept", help="Make this port take calls again.")
        ] = None,
        config: Config = DEFAULT_CONFIG,
        data: Data = DEFAULT_DATA,
        as_json: Json = False,
    ) -> None:
        """Show the simulated carrier; make a port of it fail, or work again."""
        listening = self._ask(data, "status", {}, as_json=as_json)["listening"]
        ports = {int(str(address).rpartition(":")[2]) for address in _list(listening)}
        for port in (*(refuse or ()), *(accept or ())):
            if port not in ports:
                told = f"the carrier has no port {port}, but {', '.join(map(str, sorted(ports)))}"
                fail("bad_args", told, as_json=as_json, code=2)
        for port in refuse or ():
            self._ask(data, "refuse", {"port": port}, as_json=as_json)
        for port in accept or ():
            self._ask(data, "accept", {"port": port}, as_json=as_json)
        status = self._ask(data, "status", {}, as_json=as_json)
        if as_json:
            print_json(status)
            return
        refused = status["refused"]
        typer.echo(f"listening on {', '.join(map(str, _list(status['listening'])))}")
        typer.echo(f"refusing: {', '.join(map(str, _list(refused))) or 'no port'}")
        for call in _list(status["calls"]):
            if isinstance(call, dict):
                typer.echo("  {direction} {number} {state} {call_id}".format_map(call))

    def carrier_run(
        self,
        listen: Annotated[list[str], typer.Option("--listen", help="address:port")],
        data: Data = DEFAULT_DATA,
    ) -> None:
        """Be the simulated carrier (started by the switch)."""
        from switch.demo.carrier import run  # noqa: PLC0415 (the SIP stack, only when it is needed)

        addresses = [(host, int(port)) for host, _, port in (a.rpartition(":") for a in listen)]
        raise typer.Exit(run(addresses, data, self._control))

    def call(
        self,
        caller: Annotated[str, typer.Option("--from", help="The calling number.")],
        to: Annotated[str, typer.Option("--to", help="The called number, +33199000101.")],
        header: Annotated[
            list[str] | None, typer.Option("--header", help='Added to the INVITE: "Name: value".')
        ] = None,
        seconds: Annotated[
            float | None,
            typer.Option("--seconds", help="Hang up after this time; stays until then."),
        ] = None,
        via: Annotated[
            str | None,
            typer.Option("--via", help="UDP address to call (default: the running switch's)."),
        ] = None,
        config: Config = DEFAULT_CONFIG,
        data: Data = DEFAULT_DATA,
        as_json: Json = False,
    ) -> None:
        """Place a call from the carrier. Returns once it is answered; it stays up until a BYE.

        With --seconds it returns when the call has ended. Exit code 1 if nobody answered.
        """
        headers = dict(_header(text, as_json=as_json) for text in header or ())
        via = via or self._switch(data)
        if not via.rpartition(":")[2].isdigit():
            fail("bad_args", f"--via {via}: expected address:port", as_json=as_json, code=2)
        args = {"from": caller, "to": to, "headers": headers, "seconds": seconds, "via": via}
        call = self._ask(data, "call.place", args, as_json=as_json)
        try:
            call = self._follow(data, call, to_the_end=seconds is not None, as_json=as_json)
        except KeyboardInterrupt:
            call = self._ask(data, "call.hangup", {"call_id": call["call_id"]}, as_json=as_json)
        if as_json:
            print_json(call)
        else:
            typer.echo(f"{call['status']} {call['state']}  {call['call_id']}")
        if call["status"] != 200:
            raise typer.Exit(1)

    def tour(
        self,
        config: Config = DEFAULT_CONFIG,
        data: Data = DEFAULT_DATA,
        as_json: Json = False,
    ) -> None:
        """See the product in 40 seconds, with real phones against the running switch."""
        from switch.demo.tour import run  # noqa: PLC0415 (see above)

        raise typer.Exit(run(data, self._control, as_json=as_json))

    def _follow(
        self, data: Path, call: Mapping[str, object], *, to_the_end: bool, as_json: bool
    ) -> Mapping[str, object]:
        """Until the call is answered or over; `to_the_end`: until it is over."""
        while not (call["ended"] or (call["status"] == 200 and not to_the_end)):
            time.sleep(_POLL_S)
            call = self._ask(data, "call.show", {"call_id": call["call_id"]}, as_json=as_json)
        return call

    def _switch(self, data: Path) -> str:
        """Where the switch of this data directory listens on UDP; the usual place if it can't say."""
        with contextlib.suppress(*self._control.failures):
            status = self._control.ask(data / SWITCH_SOCKET, "status", {})
            listening = status["listening"] if isinstance(status, dict) else []
            for address in _list(listening):
                transport, _, where = str(address).partition(" ")
                if transport == "UDP":
                    return where
        return "127.0.0.1:5060"

    def _ask(
        self, data: Path, command: str, args: Mapping[str, object], *, as_json: bool
    ) -> Mapping[str, object]:
        try:
            result = self._control.ask(data / CARRIER_SOCKET, command, args)
        except Exception as error:
            fail("not_running", f"the simulated carrier: {error}", as_json=as_json)
        if not isinstance(result, dict):
            fail("unknown_call", "the simulated carrier knows no such call", as_json=as_json)
        return result


def _header(text: str, *, as_json: bool) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        fail("bad_args", f'--header {text!r}: expected "Name: value"', as_json=as_json, code=2)
    return name.strip(), value.strip()


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
