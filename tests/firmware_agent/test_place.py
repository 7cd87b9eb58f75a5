"""Where a device is plugged in, from the files of Linux."""

from pathlib import Path

from firmware_agent.messages.reported import Network
from firmware_agent.place import network

ROUTE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
"""
ARP = """IP address       HW type     Flags       HW address            Mask     Device
192.168.1.7      0x1         0x2         02:00:00:00:00:07     *        eth0
192.168.1.1      0x1         0x2         02:00:00:00:00:AA     *        eth0
"""


def tree(root: Path, route: str = ROUTE, arp: str = ARP, resolv: str = "") -> Path:
    (root / "proc/net").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "proc/net/route").write_text(route)
    (root / "proc/net/arp").write_text(arp)
    (root / "etc/resolv.conf").write_text(resolv)
    return root


def test_gateway_and_domain(tmp_path: Path) -> None:
    root = tree(tmp_path, resolv="# dhcp\nnameserver 192.168.1.1\nsearch office.example lan\n")
    assert network(root) == Network("02:00:00:00:00:aa", "office.example")


def test_gateway_that_was_not_asked_for_yet(tmp_path: Path) -> None:
    root = tree(tmp_path, arp=ARP.replace("02:00:00:00:00:AA", "00:00:00:00:00:00"))
    assert network(root) is None
    assert network(tree(tmp_path / "b", arp="", resolv="domain lan\n")) == Network("", "lan")


def test_no_default_route_and_no_files(tmp_path: Path) -> None:
    assert network(tree(tmp_path / "a", route=ROUTE.splitlines()[0])) is None
    assert network(tmp_path / "nowhere") is None


def test_of_this_machine_it_is_one_or_none() -> None:
    found = network()
    assert found is None or isinstance(found, Network)
