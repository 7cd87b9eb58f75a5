import os
import wave
from pathlib import Path

import pytest

from switch.media.catalogue import (
    BadSoundError,
    Catalogue,
    announcements,
    is_name,
    read_duration,
)


def write(path: Path, seconds: float = 1.0, channels: int = 1, width: int = 2) -> None:
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(8000)
        wav.writeframes(bytes(round(seconds * 8000) * channels * width))


def test_every_announcement_speaks_french_then_english() -> None:
    for announcement in announcements().values():
        assert [language for language, _ in announcement.texts] == ["fr", "en"]


def test_what_the_endings_and_the_dial_plan_name_is_there() -> None:
    needed = "abroad suspended unpaid fraud_hold not_permitted unavailable_number no_answer"
    assert {*needed.split(), "unreachable", "114-voice", "overload", "echo"} <= set(announcements())


def test_the_warning_is_generated_first_and_played_twice() -> None:
    first = next(iter(announcements().values()))
    assert (first.name, first.repeats) == ("abroad", 2)


def test_the_warning_says_what_the_caller_must_know() -> None:
    french, english = (text for _, text in announcements()["abroad"].texts)
    assert french == (
        "Appel d'urgence non transmis. Ce téléphone semble se trouver hors de France. "
        "Raccrochez et composez le 112 depuis un mobile, ou le numéro d'urgence local. "
        "Si vous êtes en France, tapez 1."
    )
    assert english.replace("1 1 2", "112") == (
        "Emergency call not connected. This phone appears to be outside France. "
        "Hang up and dial 112 from a mobile, or the local emergency number. "
        "If you are in France, press 1."
    )


@pytest.mark.parametrize("name", ["../abroad", "a/b", "", ".", "..", ".hidden", "a\n", "x" * 81])
def test_a_name_holds_no_path(name: str, tmp_path: Path) -> None:
    assert not is_name(name)
    assert Catalogue([tmp_path]).find(name) is None


def test_the_operators_voice_comes_first(tmp_path: Path) -> None:
    own, cache = tmp_path / "own", tmp_path / "cache"
    own.mkdir()
    cache.mkdir()
    write(cache / "abroad.wav", 2.0)
    catalogue = Catalogue([own, cache])
    found = catalogue.find("abroad")
    assert found is not None
    assert (found.path, found.total_s) == (cache / "abroad.wav", 4.0)
    write(own / "abroad.wav", 3.0)
    found = catalogue.find("abroad")
    assert found is not None
    assert (found.path, found.duration_s) == (own / "abroad.wav", 3.0)


def test_a_replaced_file_is_read_again(tmp_path: Path) -> None:
    write(tmp_path / "echo.wav", 1.0)
    catalogue = Catalogue([tmp_path])
    assert (sound := catalogue.find("echo")) is not None
    assert sound.duration_s == 1.0
    write(tmp_path / "echo.wav", 2.0)
    assert (sound := catalogue.find("echo")) is not None
    assert sound.duration_s == 2.0


@pytest.mark.parametrize(("channels", "width", "seconds"), [(2, 2, 1.0), (1, 1, 1.0), (1, 2, 0.0)])
def test_a_file_that_would_be_silent_or_wrong_is_passed_over_and_named(
    tmp_path: Path, channels: int, width: int, seconds: float
) -> None:
    own, cache = tmp_path / "own", tmp_path / "cache"
    own.mkdir()
    cache.mkdir()
    write(own / "abroad.wav", seconds, channels, width)
    write(cache / "abroad.wav")
    catalogue = Catalogue([own, cache])
    found = catalogue.find("abroad")
    assert found is not None
    assert found.path == cache / "abroad.wav"
    assert [str(own / "abroad.wav") in fault for fault in catalogue.faults()] == [True]


def test_no_wav_at_all(tmp_path: Path) -> None:
    (tmp_path / "abroad.wav").write_bytes(b"ID3 not a wav")
    with pytest.raises(BadSoundError, match=r"abroad\.wav"):
        read_duration(tmp_path / "abroad.wav")
    with pytest.raises(BadSoundError):
        read_duration(tmp_path / f"missing-{os.getpid()}.wav")
    assert Catalogue([tmp_path]).find("abroad") is None
