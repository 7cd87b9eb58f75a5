"""paho's tables of MQTT 5 properties, made once instead of for each packet that is read.

`paho.mqtt.properties.Properties` builds some eighty containers at each PUBLISH and looks through all names
to forget values that a new object can't have: a fifth of what a device's message costs the switch (decision
0031). `share` gives paho's reader a subclass with the tables in the class; what it reads is the same, and
what we write goes through paho's own. Where paho's reader is no longer where we know it, nothing is changed.
"""

from paho.mqtt import properties
from paho.mqtt.packettypes import PacketTypes

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


def share() -> bool:
    """Have paho read by it, from now on; whether that could be done."""
    try:
        from paho.mqtt import _packet  # noqa: PLC0415 -- internal to paho 2.2: may go
    except ImportError:
        return False
    if getattr(_packet, "Properties", None) is properties.Properties:
        _packet.Properties = ReadProperties  # type: ignore[misc]
    return getattr(_packet, "Properties", None) is ReadProperties
