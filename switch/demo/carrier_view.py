"""What the simulated carrier got, read from its record. For the tour; tests may use it too."""

import base64
from pathlib import Path
from typing import Final

import orjson

from switch.sip.message import Request
from switch.sip.parser import parse

RECORD: Final = "carrier.ndjson"
_SHOWN: Final = ("P-Access-Network-Info", "P-Asserted-Identity", "Geolocation", "Priority")


class CarrierView:
    """The INVITEs that come after this was made."""

    def __init__(self, data: Path) -> None:
        self._path = data / RECORD
        self._seen = self._path.stat().st_size if self._path.exists() else 0

    def invites(self) -> list[Request]:
        """All of them, oldest first."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as record:
            record.seek(self._seen)
            lines = [orjson.loads(line) for line in record if line.endswith(b"\n")]
        messages = [parse(base64.b64decode(line["raw_b64"])) for line in lines]
        return [message for message in messages if isinstance(message, Request)]

    def newest(self) -> Request | None:
        """The last one, None if there is none."""
        invites = self.invites()
        return invites[-1] if invites else None


def describe_location(invite: Request) -> dict[str, str]:
    """The parts of an emergency INVITE by which a PSAP is found and told where the caller is."""
    shown = {"Request-URI": invite.uri}
    shown.update((name, value) for name in _SHOWN if (value := invite.get(name)) is not None)
    if invite.content_type is not None:
        shown["Content-Type"] = invite.get("Content-Type") or ""
    return shown
