"""`vigie emergency test`: what an emergency call of a line would do, without placing one; as text."""

from collections.abc import Iterator, Mapping
from typing import Annotated

import typer
from rich.markup import escape

from switch.console import show
from switch.console.desk import DEFAULT_DATA, DEMO_CONFIG, Config, Data, Desk, Json


def rehearse(
    context: typer.Context,
    line: Annotated[str, typer.Option("--line", help="The calling line.")],
    dial: Annotated[str, typer.Option("--dial", help="An emergency number.")] = "18",
    source_ip: Annotated[
        str | None, typer.Option("--source-ip", help="Address of the phone.")
    ] = None,
    config: Config = DEMO_CONFIG,
    data: Data = DEFAULT_DATA,
    as_json: Json = False,
) -> None:
    """Walk an emergency call up to the carriers' OPTIONS; no call is placed.

    Exit code 0 if it would be connected and a carrier answers, else 1.
    """
    desk = Desk.of(context, config, data, as_json)
    found = desk.ask_object("emergency.test", line=line, dial=dial, source_ip=source_ip)
    if as_json:
        show.json(found)
    else:
        for text in render(found):
            show.out().print(escape(text))
    if not found["ready"]:
        raise typer.Exit(1)


def render(found: Mapping[str, object]) -> Iterator[str]:
    """The result in lines: the verdict, each step, each way out, and what is weak."""
    ready = "would be connected" if found["ready"] else "WOULD NOT BE CONNECTED"
    yield f"{found['dialled']} from line {found['line']}: {ready}  ({found['class']})"
    evidence = show.mapping(found["evidence"])
    yield f"evidence  {evidence['level']}, phone at {found['source_ip']}"
    for step in show.rows(found["steps"]):
        yield f"  {step['rule']}: {step['verdict']}, {step['because']}"
    place = found["location"]
    if isinstance(place, dict):
        civic = show.mapping(place["civic"])
        address = " ".join(
            str(civic[key]) for key in ("HNO", "HNS", "RD", "PC", "A3") if key in civic
        )
        yield f"location  {address or '-'}, INSEE {place['insee']}, version {place['version']}"
    yield ""
    yield "would be sent, one after the other while the one before fails or is silent:"
    for number, target in enumerate(show.rows(found["targets"]), 1):
        yield from _target(number, target)
    yield ""
    yield "carriers (OPTIONS sent now):"
    for path in show.rows(found["trunks"]):
        answer = f"{path['status']} in {path['answer_ms']} ms" if path["status"] else path["reason"]
        yield f"  {path['trunk']}  {path['transport']} {path['remote']}  {answer}"
    yield ""
    weak = show.rows(found["weak"])
    yield "weak:" if weak else "nothing is weak"
    for each in weak:
        yield f"  {each['text']}"


def _target(number: int, target: Mapping[str, object]) -> Iterator[str]:
    kinds = (
        ", ".join(map(str, target["body_types"])) if isinstance(target["body_types"], list) else ""
    )
    yield (
        f"  {number}. {target['trunk']}  profile {target['profile']}  INVITE {target['request_uri']}"
        f"  {target['octets']} octets by {target['transport']} to {target['remote']}  ({kinds})"
    )
    headers = target["headers"]
    if isinstance(headers, list):
        for name, value in headers:
            if name in _TELLING:
                yield f"       {name}: {value}"


_TELLING = frozenset(
    {
        "Route",
        "From",
        "P-Asserted-Identity",
        "P-Access-Network-Info",
        "Resource-Priority",
        "Priority",
        "Geolocation",
        "Geolocation-Routing",
    }
)
