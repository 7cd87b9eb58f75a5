"""Devices, connected to the rest: what provisioning is told, and what it has done for it."""

import contextlib
from collections.abc import Callable
from pathlib import Path

from policy.model import LineState
from switch.call.exchange import Exchange
from switch.config import Configuration
from switch.console.commands import Args, CommandRefused, UseCase
from switch.console.devices import DeviceDesk
from switch.console.rollouts import FirmwareDesk
from switch.console.use_cases import UseCases
from switch.provisioning.documents import Registrar
from switch.provisioning.fleet import Ports
from switch.provisioning.service import Plan, Service
from switch.settings import HostPort
from switch.sip.flow import WILDCARDS
from switch.sip.settings import SipSettings
from switch.store.alarm import Alarm
from switch.store.read import Reader
from switch.store.read_devices import DeviceReader
from switch.transport.certificate import client_context


def device_plan(found: Configuration) -> Plan:
    """What provisioning is told of a configuration. OSError when a certificate can't be read."""
    settings, mqtt, node = found.settings, found.settings.mqtt, found.settings.store.node
    elsewhere = mqtt.node if mqtt.node is not None and mqtt.node != node else ""
    base = settings.firmware.base_url
    if not base and settings.http.listen:
        base = f"http://{settings.http.listen[0]}"
    names = (mqtt.ca, mqtt.certificate, mqtt.key)
    files = (found.resolve(name) if name else None for name in names)
    return Plan(
        mqtt=mqtt,
        firmware=settings.firmware,
        devices=() if elsewhere else settings.devices,
        registrar=_registrar(settings.sip),
        realm=settings.realm,
        base_url=base or "http://127.0.0.1",
        tls=client_context(*files) if mqtt.url.startswith("mqtts") else None,
        elsewhere=elsewhere,
        broker_ca=found.resolve(mqtt.ca).read_text("ascii") if mqtt.ca else None,
    )


def device_service(
    found: Configuration,
    exchange: Exchange,
    data: Path,
    use_cases: UseCases,
    perform: Callable[[], None],
    alarm: Alarm,
) -> Service:
    """The devices of a node; nothing is opened."""
    contract, lives = use_cases.contract, use_cases.lives

    def change_line(line: str, state: LineState, by: str) -> None:
        """By the table of contracts, as if the person had said it of the line."""
        act = contract.stolen if state is LineState.STOLEN else contract.resume
        with contextlib.suppress(CommandRefused):  # a line whose contract has ended stays as it is
            act({"line": line, "by": by, "because": "said of its device"})

    def ports(service: Service) -> Ports:
        return Ports(
            publish=lambda topic, payload: service.link.publish(topic, payload),  # noqa: PLW0108 (made later)
            keep_secret=lives.keep_secret,
            acknowledge=lives.acknowledge,
            change_line=change_line,
            users_changed=service.users_changed,
            reconfirm=use_cases.places.ask_again,
        )

    return Service(device_plan(found), exchange, data / "devices", ports, perform, alarm)


def device_commands(
    service: Service, reader: Reader, perform: Callable[[], None]
) -> dict[str, UseCase]:
    """The commands about devices and firmware; refused where another node has them."""
    table = {
        **DeviceDesk(service, DeviceReader(reader), perform).table(),
        **FirmwareDesk(service, perform).table(),
    }
    if not service.plan.elsewhere:
        return table

    def refuse(args: Args) -> object:
        owner = service.plan.elsewhere
        raise CommandRefused("not_here", f"devices are those of node {owner}: ask that switch")

    return dict.fromkeys(table, refuse)


def _registrar(sip: SipSettings) -> Registrar:
    """Where devices register: our listening addresses, or what is shown in place of a wildcard."""
    listening = {"udp": sip.udp, "tcp": sip.tcp, "tls": sip.tls}
    shown = {
        kind: tuple(str(_shown(address, sip)) for address in addresses[:4])
        for kind, addresses in listening.items()
        if addresses
    }
    first = next(iter(shown.values()))[0]
    domain = sip.domains[0] if sip.domains else first.rpartition(":")[0]
    return Registrar(domain, shown)


def _shown(address: HostPort, sip: SipSettings) -> HostPort:
    is_hidden = address.host in WILDCARDS and sip.public_address
    return HostPort(sip.public_address, address.port) if is_hidden else address
