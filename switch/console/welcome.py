"""What a person reads when the switch has started, and the line that programs wait for."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import orjson

from switch.settings import HostPort

_DEMO = """
Vigie, the demonstration. Register a softphone at {sip} (UDP or TCP):
    user 101, password demo-101   (102 to 104 likewise; 105 is suspended)
Dial 102 for a colleague, 0145678901 for the carrier, 18 for the fire brigade (simulated),
933 to hear what a PSAP would be told, *43 for an echo.
An adapter claims line 109, registers and is updated by itself: vigie device show dev-ooma-109
Watch: http://{page}/   Tour: vigie demo tour   Minutes: vigie usage show 101 --watch
"""


def welcome(is_demo: bool, lines: int, sip: Iterable[HostPort], http: Iterable[HostPort]) -> str:
    """A few lines for a newcomer; one for an operator."""
    if not is_demo:
        return f"Vigie serves {lines} lines."
    page = next((str(address) for address in http), "off")
    return _DEMO.format(sip=next((str(address) for address in sip), "-"), page=page)


def ready_line(listening: Mapping[str, Iterable[HostPort]], control: Path) -> str:
    """`ready {json}` with every listening address, by kind."""
    shown: dict[str, object] = {
        kind: [str(address) for address in addresses] for kind, addresses in listening.items()
    }
    shown |= {"control": str(control), "pid": os.getpid()}
    return "ready " + orjson.dumps(shown).decode()
