"""Whether devices fit each other, the lines and the addresses of SIP.

Each check yields the key of the offending value, in vigie.toml, and what is wrong with it.
"""

from collections.abc import Collection, Iterator, Sequence

from switch.provisioning.settings import DeviceSettings
from switch.sip.settings import SipSettings

Key = tuple[str | int, ...]
Complaint = tuple[Key, str]


def complaints(
    devices: Sequence[DeviceSettings],
    lines: Collection[str],
    sip: SipSettings,
    *,
    is_owned: bool = True,
) -> Iterator[Complaint]:
    """Everything that doesn't fit: `lines` are ids, `sip` tells where phones can register, `is_owned` is
    whether it is said which node has the devices."""
    if devices and not is_owned:
        said = "several nodes share the database: name the one that has the devices"
        yield ("mqtt", "node"), said
    seen: set[tuple[str, str]] = set()
    for position, device in enumerate(devices):
        for field in ("id", "serial", "line"):
            value = getattr(device, field)
            if value and (field, value) in seen:
                yield ("device", position, field), f"{value} stands twice"
            seen.add((field, value))
        if device.line and device.line not in lines:
            yield ("device", position, "line"), f"there is no [[line]] {device.line}"
        if not getattr(sip, device.transport):
            yield ("device", position, "transport"), f"[sip] listens on no {device.transport}"
