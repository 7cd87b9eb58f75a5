from __future__ import annotations

import array
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from switch.media import sounds as module
from switch.media.catalogue import Announcement, Catalogue, announcements
from switch.media.lifeline import child_environment
from switch.media.sounds import (
    SpeechUnavailableError,
    find_stale,
    generate,
    read_manifest,
    render,
    resample,
    trim,
)

HI = Announcement("hi", (("fr", "Oui."), ("en", "Yes.")), 1, 250)


def sine(hertz: float, rate: int, seconds: float = 0.5) -> array.array[int]:
    step = 2 * math.pi * hertz / rate
    return array.array("h", (round(10000 * math.sin(step * n)) for n in range(int(rate * seconds))))


def rms(samples: array.array[int]) -> float:
    return math.sqrt(sum(value * value for value in samples) / len(samples))


def test_resampling_keeps_a_voice_tone_and_its_length() -> None:
    out = resample(sine(1000, 22050), 22050)
    middle = out[400:-400]
    assert abs(len(out) - 4000) <= 1
    assert rms(middle) == pytest.approx(10000 / math.sqrt(2), rel=0.02)
    crossings = sum(a < 0 <= b for a, b in pairwise(middle))
    assert crossings == pytest.approx(1000 * len(middle) / 8000, abs=2)


def test_resampling_removes_what_would_alias() -> None:
    assert rms(resample(sine(6000, 22050), 22050)[400:-400]) < 200


def test_resampling_clips_and_never_wraps() -> None:
    loud = array.array("h", [32767, -32768] * 3 + [32767] * 200 + [-32768] * 200)
    out = resample(loud, 22050)
    assert min(out) == -32768
    assert max(out) == 32767


def test_trim_takes_silence_off_both_ends_only() -> None:
    silence = array.array("h", [0] * 4000)
    voice = array.array("h", [5000, -5000] * 400)
    out = trim(silence + voice + silence + voice + silence)
    assert len(out) == pytest.approx(2 * len(voice) + len(silence), abs=400)
    assert trim(silence) == silence


def test_the_warning_is_heard_twice_in_both_languages_within_45_s(sounds: Path) -> None:
    found = Catalogue([sounds]).find("abroad")
    assert found is not None
    assert found.repeats == 2
    assert found.total_s < 44.0


def test_generated_sounds_are_8_khz_mono_and_loud(sounds: Path) -> None:
    from switch.demo.wav import measure, read_samples

    rate, samples = read_samples(sounds / "abroad.wav")
    assert rate == 8000
    assert measure(sounds / "abroad.wav")[1] > 1000
    assert max(abs(value) for value in samples[:1600]) > 1000, "nothing said in the first 200 ms"


def test_only_what_changed_is_made_again(tmp_path: Path) -> None:
    assert generate(tmp_path, [HI]) == 1
    assert generate(tmp_path, [HI]) == 0
    changed = Announcement("hi", (("fr", "Non."),), 1, 250)
    assert find_stale(tmp_path, [HI, changed]) == [changed]
    (tmp_path / "hi.wav").unlink()
    assert generate(tmp_path, [HI]) == 1
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_text_that_looks_like_an_option_is_spoken(tmp_path: Path) -> None:
    wav = render(Announcement("x", (("en", "--version -f /etc/passwd"),), 1, 250))
    (tmp_path / "x.wav").write_bytes(wav)
    found = Catalogue([tmp_path]).find("x")
    assert found is not None
    assert found.duration_s > 0.8


def test_without_espeak_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(SpeechUnavailableError, match="espeak-ng is not installed"):
        generate(tmp_path, [HI])
    assert read_manifest(tmp_path) == {}


@pytest.mark.wire
def test_the_command_says_why_it_cannot_speak(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "switch.media.sounds", str(tmp_path)],
        env={**child_environment(), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    assert done.returncode == 1
    assert "espeak-ng is not installed" in done.stderr


def test_every_shipped_text_has_a_voice() -> None:
    languages = {language for each in announcements().values() for language, _ in each.texts}
    assert languages <= set(module._VOICES)
