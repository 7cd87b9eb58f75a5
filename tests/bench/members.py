"""A fleet of members for `make bench-fleet`: the switch's configuration, and what the players are told.

The claims are made beforehand: each device has its password, its sealed secret and its first document in
the journal that the switch starts from.
"""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.fleet.fleet import FleetDevice, FleetFile
from firmware_agent.messages.codec import encode
from firmware_agent.slots import Image
from switch import config
from switch.app.compose import build_exchange
from switch.app.devices import device_plan
from switch.call.exchange import NoAnnouncer
from switch.config import Configuration
from switch.console.line_life import LineLives
from switch.provisioning.broker_files import hashed
from switch.provisioning.device import Life
from switch.provisioning.fleet import Ports
from switch.provisioning.service import Service
from switch.store.journal import Journal
from tests.wire.rig import free_port

ROOT = Path(__file__).resolve().parents[2]
MODEL, OLD, NEW = "ooma-office", "1.0.0", "1.1.0"
IMAGE_BYTES = 256 * 1024
CALLER = "101"  # a line without a device, for a phone that dials 18 meanwhile
LISTENING = {name: free_port("127.0.0.1") for name in ("5060", "5061", "8080", "1883")}
CARRIER = ("127.0.1.1", free_port("127.0.1.1"))


def name_of(number: int) -> str:
    return f"dev-{number:08d}"


def write_config(home: Path, devices: int, codecs: str = '["PCMA", "PCMU"]') -> Path:
    """The demo's configuration with other lines, without its carrier and its phones."""
    text = (ROOT / "configs" / "demo" / "vigie.toml").read_text("utf-8")
    text = text[: text.index("# Lines. A phone logs in")]
    text = text.replace('dialplan = "../..', f'dialplan = "{ROOT}')
    text = re.sub(r"(?ms)^\[demo\].*?(?=^# The carrier, twice)", "", text)
    text = re.sub(r"(?m)^workers = .*$", "workers = 0", text)
    text = re.sub(r"(?m)^reserved_workers = .*$", "reserved_workers = 0", text)
    text = re.sub(r"(?m)^port = 5070$", f"port = {CARRIER[1]}", text)
    for port in ("5060", "5061", "8080"):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{LISTENING[port]}")
    mqtt = f'[mqtt]\nlisten = "127.0.0.1:{LISTENING["1883"]}"\n\n'
    lines = _line(CALLER, "+33199000101") + "".join(
        _line(f"L{number:06d}", f"+331{number:08d}")
        + f'[[device]]\nid = "{name_of(number)}"\nserial = "S{number}"\nmodel = "{MODEL}"\n'
        f'line = "L{number:06d}"\ncodecs = {codecs}\n'
        for number in range(devices)
    )
    home.mkdir(exist_ok=True)
    (home / "networks.csv").write_bytes((ROOT / "configs" / "demo" / "networks.csv").read_bytes())
    (home / "vigie.toml").write_text(text + mqtt + lines, "utf-8")
    return home


def _line(name: str, number: str) -> str:
    return (
        f'[[line]]\nid = "{name}"\naccount = "demo"\nsite = "paris-8"\n'
        f'number = "{number}"\npassword = "demo-{name}"\nlocation_confirmed = 2026-01-02\n'
    )


def prepare(home: Path, data: Path, devices: int, newest: bytes = b"") -> Path:
    """Make all of them members; the file for the players. `newest` is the content of the newer image,
    b"" = any."""
    data.mkdir()
    found = config.load(home)
    service = _service(found, data)
    images = make_images(service, data, newest)
    seal = X25519PrivateKey.generate()
    members = [_join(service, number, seal) for number in range(devices)]
    journal = Journal(data / "journal")
    journal.write(service.fleet.exchange.outbox.journal)
    journal.close()
    path = home / "fleet.json"
    path.write_bytes(encode(_file(service, images[OLD], members)))
    return path


def _service(found: Configuration, data: Path) -> Service:
    """The devices of a switch that doesn't run."""
    exchange = build_exchange(found, {}, NoAnnouncer(), {}, b"k" * 32)
    lives = LineLives(exchange, found.snapshot)
    lives.renew = lambda *lines: None  # type: ignore[method-assign]  # nobody reads the facts here
    ports = Ports(
        publish=lambda topic, payload: None,
        keep_secret=lives.keep_secret,
        acknowledge=lambda told: None,
        change_line=lambda *args: None,
        users_changed=lambda: None,
    )
    plan = device_plan(found)
    return Service(
        plan, exchange, data / "devices", lambda each: ports, lambda: None, lambda n, f: None
    )


def _join(service: Service, number: int, seal: X25519PrivateKey) -> FleetDevice:
    """One device, as its claim would have left it."""
    fleet = service.fleet
    twin, password = fleet.devices.by_id[name_of(number)], f"password {number}"
    line, at = fleet.exchange.facts.lines[twin.definition.line], fleet.now_ms()
    device = twin.device.changed(
        at,
        life=Life.CLAIMED,
        line=line.id,
        seal_key=seal.public_key().public_bytes_raw(),
        mqtt_hash=hashed(password),
        password_gen=1,
        spoke=True,
        claimed_at=at,
    )
    fleet.devices.keep(fleet.with_new_secret(device, line, at))
    fleet.refresh(twin)
    return FleetDevice(twin.device.id, password, seal.private_bytes_raw())


def make_images(service: Service, data: Path, newest: bytes) -> dict[str, Path]:
    """Two signed images, without anything in common: the whole of the newer one is downloaded."""
    made = {}
    for version, content in ((OLD, b""), (NEW, newest)):
        made[version] = path = data / f"{version}.img"
        path.write_bytes(content or os.urandom(IMAGE_BYTES))
        service.repository.add(path, MODEL, version, 1)
        service.repository.sign(data / "keys", datetime.now(UTC), 24)
    return made


def _file(service: Service, firmware: Path, members: list[FleetDevice]) -> FleetFile:
    image, place = service.repository.known[MODEL, OLD], service.admission.place
    return FleetFile(
        model=MODEL,
        broker=f"mqtt://127.0.0.1:{LISTENING['1883']}",
        service_keys=(service.fleet.authority.service_key,),
        tuf_root=service.repository.root,
        metadata_url=place.metadata_url,
        images_url=place.images_url,
        image=Image(image.target, OLD, MODEL, image.sha256, image.length, 1),
        firmware=str(firmware),
        devices=tuple(members),
    )
