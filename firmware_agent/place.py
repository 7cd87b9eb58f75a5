"""Where a device is plugged in, from what Linux knows: the gateway's MAC address and the DHCP domain."""

import socket
import struct
from pathlib import Path

from firmware_agent.messages.reported import Network

_RTF_GATEWAY = 0x2


def network(root: Path = Path("/")) -> Network | None:
    """The fingerprint of the network; None without a default route."""
    try:
        gateway = _gateway((root / "proc/net/route").read_text())
        mac = _mac((root / "proc/net/arp").read_text(), gateway) if gateway else ""
        domain = _domain((root / "etc/resolv.conf").read_text())
    except OSError:
        return None
    return Network(mac, domain) if mac or domain else None


def _gateway(routes: str) -> str | None:
    for line in routes.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[1] == "00000000" and int(fields[3], 16) & _RTF_GATEWAY:
            return socket.inet_ntoa(struct.pack("<L", int(fields[2], 16)))
    return None


def _mac(neighbours: str, gateway: str) -> str:
    for line in neighbours.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[0] == gateway and fields[3] != "00:00:00:00:00:00":
            return fields[3].lower()
    return ""


def _domain(resolver: str) -> str:
    for line in resolver.splitlines():
        fields = line.split()
        if len(fields) > 1 and fields[0] in ("domain", "search"):
            return fields[1][:256]
    return ""
