"""[mqtt], [firmware] and [[device]]: what is wrong is told with its place."""

from pathlib import Path

import pytest

from firmware_agent.messages.desired import Transport
from switch import config
from switch.provisioning.consistency import complaints
from switch.provisioning.settings import DeviceSettings, MqttSettings
from switch.toml import ConfigError
from tests.switch.provisioning.house import FakeDevice, House

ROOT = Path(__file__).parents[3]
DEMO = ROOT / "configs" / "demo"


def load(
    tmp_path: Path, *, added: str = "", changed: tuple[str, str] = ("", "")
) -> config.Configuration:
    text = (DEMO / "vigie.toml").read_text().replace("../../dialplans", str(ROOT / "dialplans"))
    assert changed[0] in text
    (tmp_path / "networks.csv").write_text((DEMO / "networks.csv").read_text())
    (tmp_path / "vigie.toml").write_text(text.replace(*changed, 1) + added)
    return config.load(tmp_path)


def complaint(tmp_path: Path, **how: object) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, **how)  # type: ignore[arg-type]
    return "; ".join(f"{problem.key}: {problem.message}" for problem in caught.value.problems)


def test_the_demo_has_its_device() -> None:
    found = config.load(DEMO)
    (device,) = found.settings.devices
    assert (device.id, device.line, device.model) == ("dev-ooma-109", "109", "ooma-office")
    assert found.settings.demo.device == device.id


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (('id = "dev-ooma-109"', 'id = "Short"'), "8 to 32 lower-case letters"),
        (('id = "dev-ooma-109"\nserial', 'id = "claim-ooma-109"\nserial'), "doesn't begin with"),
        (('model = "ooma-office"\nline = "109"', 'model = "m"\nline = "999"'), "there is no [[line]] 999"),
        (('line = "109"', 'line = "109"\nwindow = "2-5"'), "02:00-05:00"),
        (('line = "109"', 'line = "109"\npublic_key = "AAAA"'), "32 bytes in base64"),
        (('line = "109"', 'line = "109"\ncodecs = []'), "codecs"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_device(tmp_path: Path, changed: tuple[str, str], told: str) -> None:
    assert told in complaint(tmp_path, changed=changed)


def test_nothing_stands_twice(tmp_path: Path) -> None:
    again = '\n[[device]]\nid = "dev-ooma-109"\nserial = "OO-0000109"\nmodel = "m"\nline = "109"\n'
    told = complaint(tmp_path, added=again)
    assert told.count("stands twice") == 3


def test_a_device_needs_a_place_to_register(tmp_path: Path) -> None:
    told = complaint(tmp_path, changed=('udp = ["127.0.0.1:5060"]\n', ""))
    assert "listens on no udp" in told


@pytest.mark.parametrize("url", ["http://broker:1883", "broker:1883", "mqtt://"])
def test_a_brokers_url(url: str) -> None:
    with pytest.raises(ValueError, match="mqtt://host:port"):
        MqttSettings(url=url)


def test_what_is_for_a_broker_of_ones_own() -> None:
    with pytest.raises(ValueError, match="broker of url"):
        MqttSettings(ca="ca.pem")
    with pytest.raises(ValueError, match="go together"):
        MqttSettings(url="mqtts://broker", certificate="a.pem")


def test_a_missing_file_of_the_broker_is_named(tmp_path: Path) -> None:
    added = '\n[mqtt]\nurl = "mqtts://broker:8883"\nca = "none.pem"\n'
    assert "there is no none.pem" in complaint(tmp_path, added=added)


def test_a_device_without_a_line_is_allowed() -> None:
    assert DeviceSettings(id="dev-00000001", serial="S1", model="m").line == ""


TLS = (
    'model = "ooma-office"\nline = "109"',
    'model = "ooma-office"\nline = "109"\ntransport = "tls"',
)


def test_a_device_may_be_told_to_use_tls_where_the_switch_listens(tmp_path: Path) -> None:
    """The document says so; the demo's own phone refuses it (its pjsua2 has no TLS that one may use)."""
    house = House(tmp_path, ("dev-00000001", "101"))
    device = FakeDevice(house, "dev-00000001").join()
    twin = house.twin("dev-00000001")
    twin.definition = (
        load(tmp_path, changed=TLS)
        .settings.devices[0]
        .model_copy(update={"id": "dev-00000001", "line": "101"})
    )
    house.fleet.settings_changed()
    sip = device.desired().lines[0].sip
    assert (sip.transport, sip.registrars) == (Transport.TLS, ("127.0.0.1:5061",))


def test_a_device_can_not_be_told_a_transport_without_an_address(tmp_path: Path) -> None:
    found = load(tmp_path, changed=TLS).settings
    sip = found.sip.model_copy(update={"tls": ()})
    told = complaints(found.devices, {line.id for line in found.lines}, sip)
    assert list(told) == [(("device", 0, "transport"), "[sip] listens on no tls")]
