"""No route takes an emergency call: the caller hears what still helps, and operators learn at once."""

import math
import struct
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest

from switch.demo.handset import Handset
from switch.demo.wav import read_samples
from tests.wire.far_end import Conduct
from tests.wire.rig import until
from tests.wire.scene import Scene

RATE = 8000
LOUD = 1000


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A switch whose last words are an operator's own, and short."""
    home = tmp_path_factory.mktemp("failed")
    scene = Scene(home)
    sounds = scene.rig.config / "sounds"
    sounds.mkdir()
    tone = (round(9000 * math.sin(2 * math.pi * 440 * n / RATE)) for n in range(RATE))
    with wave.open(str(sounds / "emergency_failed.wav"), "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(b"".join(struct.pack("<h", sample) for sample in tone))
    scene.rewrite(lambda text: text.replace("[media]\n", '[media]\nsounds = "sounds"\n', 1))
    with scene as running:
        yield running


def alarms(scene: Scene) -> list[str]:
    return [alarm for alarm in scene.rig.ask("status")["alarms"] if alarm.startswith("P1")]


def test_with_both_trunks_dead_the_caller_hears_to_dial_112_on_a_mobile(
    scene: Scene, tmp_path: Path
) -> None:
    for far_end in scene.far_ends:
        far_end.conduct = Conduct.CLOSED
    until(lambda: scene.rig.gauge("media_slots_free") >= 4, 10, "a worker", every_s=0.1)
    with Handset("--address", "127.0.0.1") as phone:
        phone.register("101", "demo-101", scene.rig.address)
        call = phone.call(scene.rig.uri("18"), record=str(tmp_path / "last_words.wav"))
        phone.wait("media", call=call, active=True)
        ended = phone.wait("call", call=call, state="disconnected", limit_s=15)
        phone.wait("heard", call=call)
        phone.do("unregister")
    assert ended["code"] == 480
    _, samples = read_samples(tmp_path / "last_words.wav")
    assert sum(abs(sample) > LOUD for sample in samples) > RATE, "twice a second of tone"

    (alarm,) = until(lambda: alarms(scene), 2, "P1")
    assert "carrier-1" in alarm and "carrier-2" in alarm
    with urllib.request.urlopen(f"http://127.0.0.1:{scene.rig.http_port}/") as page:
        assert "P1: emergency calls fail" in page.read().decode()
    assert "P1: emergency calls fail" in scene.rig.run("status").stdout
    (entry,) = until(lambda: scene.rig.ask("emergency.log", line="101"), 2, "the audit")
    assert entry["verdict"] == "failed"
    assert {attempt["trunk"] for attempt in entry["attempts"]} == {"carrier-1", "carrier-2"}
    kinds = [notice["kind"] for notice in scene.rig.ask("notice.list")]
    assert kinds.count("emergency_failed") == 1
    assert scene.rig.gauge('emergency_calls_total{outcome="failed"}') == 1


def test_the_next_success_clears_the_alarm(scene: Scene) -> None:
    assert alarms(scene)
    for far_end in scene.far_ends:
        far_end.conduct = Conduct.ANSWERS
    course = scene.dial("102")
    assert course.is_complete, course
    until(lambda: not alarms(scene), 2, "no P1")
