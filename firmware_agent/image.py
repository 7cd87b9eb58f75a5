"""The image of a simulated adapter: any bytes. A first line of JSON may say what the bytes can't do:

    {"vigie_image": 1, "build": 1790000000, "fault": "never_registers", "share": 3, "trial_s": 20}

`build`: build time, UTC seconds. `fault`: never_registers, or crashes (at start, before anything);
`share`: in so many per cent of the devices, by their id; `trial_s`: how long its trial may take. This is for
tests of what such an image does to a fleet.
"""

import zlib
from dataclasses import dataclass
from typing import Annotated

from firmware_agent.messages.codec import MessageError, Within, parse
from firmware_agent.messages.desired import UtcSeconds

DEFAULT_BUILD = 1_735_689_600
"""2025-01-01T00:00:00Z, where the image doesn't say."""
_LONGEST_LINE = 512


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line says."""

    vigie_image: Annotated[int, Within(1, 1)] = 1
    build: UtcSeconds = DEFAULT_BUILD
    fault: str = ""
    share: Annotated[int, Within(0, 100)] = 100
    trial_s: Annotated[int, Within(1, 3600)] = 300

    @classmethod
    def of(cls, content: bytes) -> "Header":
        """The header of an image; the default one for an image without."""
        line = content[:_LONGEST_LINE].split(b"\n", 1)[0]
        try:
            return parse(cls, line, ignore_unknown=True)
        except MessageError:
            return cls()

    def strikes(self, fault: str, device: str) -> bool:
        """Whether this device has that fault."""
        return self.fault == fault and zlib.crc32(device.encode()) % 100 < self.share
