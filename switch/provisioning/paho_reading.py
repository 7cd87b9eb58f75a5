"""What paho does for each packet that it reads, done once. Together a third of what a device's message cost
the switch (decision 0031).

`share_tables`: `paho.mqtt.properties.Properties` builds some eighty containers at each PUBLISH and looks
through all names to forget values that a new object can't have. paho's reader gets a subclass with the
tables in the class; what we write goes through paho's own.

`read_ahead`: paho takes a packet from the socket by four calls, and aiomqtt one packet a turn of the loop.
Both already know sockets that hold more than the kernel says, those of TLS: a plain one becomes such.

Where the libraries are no longer as we know them, nothing is changed.
"""

import socket
from typing import Any, Final

import aiomqtt
from paho.mqtt import properties
from paho.mqtt.packettypes import PacketTypes

# Some twenty messages of devices: what is held is read in one turn of the loop.
AHEAD_BYTES: Final = 16_384
_TABLES = properties.Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]


class ReadProperties(properties.Properties):
    """Properties of a packet that came in."""

    types = _TABLES.types
    names = _TABLES.names
    properties = _TABLES.properties

    def __init__(self, packetType: int) -> None:  # noqa: N803 -- paho's own name
        """See paho; no table is made."""
        self.__dict__["packetType"] = packetType

    def clear(self) -> None:
        """Forget all values."""
        kind = self.packetType
        self.__dict__.clear()
        self.__dict__["packetType"] = kind


def share_tables() -> bool:
    """Have paho read by it, from now on; whether that could be done."""
    try:
        from paho.mqtt import _packet  # noqa: PLC0415 -- internal to paho 2.2: may go
    except ImportError:
        return False
    if getattr(_packet, "Properties", None) is properties.Properties:
        _packet.Properties = ReadProperties  # type: ignore[attr-defined]
    return getattr(_packet, "Properties", None) is ReadProperties


class AheadSocket:
    """A connected socket that is read by the kilobyte, once a turn of the loop; all else is its own.

    aiomqtt reads on for as long as something is pending. With what comes in meanwhile that might be for
    ever, and calls would wait: so the kernel is asked again only after `pending` has said 0.
    """

    def __init__(self, plain: socket.socket) -> None:
        self._plain = plain
        self._held = b""
        self._at = 0
        self._was_read = False

    def recv(self, size: int) -> bytes:
        """See socket.socket. BlockingIOError also when the rest of a packet is for the next turn."""
        if self._at == len(self._held):
            if self._was_read:
                raise BlockingIOError
            self._held, self._at, self._was_read = self._plain.recv(AHEAD_BYTES), 0, True
        begin, self._at = self._at, min(self._at + size, len(self._held))
        return self._held[begin : self._at]

    def pending(self) -> int:
        """Bytes that no `select` tells of, as ssl.SSLSocket has them; 0 ends the turn."""
        left = len(self._held) - self._at
        self._was_read = left > 0
        return left

    def __getattr__(self, name: str) -> Any:
        return getattr(self._plain, name)


def read_ahead(client: aiomqtt.Client) -> bool:
    """Have a connected client read ahead; whether that could be done (not with TLS, which does)."""
    inner: Any = getattr(client, "_client", None)
    plain = getattr(inner, "_sock", None)
    if not isinstance(plain, socket.socket) or hasattr(plain, "pending"):
        return False
    inner._sock = AheadSocket(plain)
    return True
