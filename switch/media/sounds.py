"""Text to speech at start and at config load: `python -m switch.media.sounds OUTDIR`.

espeak-ng speaks, this module resamples to 8 kHz mono 16-bit and joins the languages. It
runs in a process of its own, away from every call. Sounds are a cache, never committed:
a manifest beside them records which text each was made from.
Deliberately absent: any other speech engine; an operator with better voices puts his own
WAVs in `media.sounds_dir`.
"""

from __future__ import annotations

import argparse
import array
import hashlib
import io
import json
import math
import os
import shutil
import subprocess
import sys
import wave
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from operator import mul
from pathlib import Path

from switch.media.catalogue import SAMPLE_RATE_HZ, Announcement, announcements
from switch.media.lifeline import die_with

MANIFEST = "manifest.json"
_LEAD_S = 0.08
_GAP_S = 0.5
"""Between the languages, and before a repetition."""
_RECIPE = 1
"""Raise it when the same text would sound different: caches are then made anew."""
_HALF_TAPS = 20
_VOICES = {"fr": "fr", "en": "en-gb"}
_SPEAK_LIMIT_S = 30.0


class SpeechUnavailableError(Exception):
    """espeak-ng is missing or failed; nothing can be spoken that is not cached."""


def find_speech() -> str | None:
    """Path of espeak-ng, or None."""
    return shutil.which("espeak-ng")


def speak(text: str, language: str, speed_wpm: int) -> array.array[int]:
    """`text` as 16-bit samples at 8 kHz; raises SpeechUnavailableError.

    The text goes by standard input: an address can neither be an option nor show in `ps`.
    """
    program = find_speech()
    if program is None:
        raise SpeechUnavailableError(
            "espeak-ng is not installed: announcements cannot be generated"
        )
    command = [program, "-v", _VOICES[language], "-s", str(speed_wpm), "--stdin", "-b", "1"]
    try:
        spoken = subprocess.run(  # noqa: S603 -- no shell, the text by stdin
            [*command, "--stdout"],
            input=text.encode(),
            capture_output=True,
            check=True,
            timeout=_SPEAK_LIMIT_S,
        ).stdout
        # Its header was written before the length was known: what is there is read.
        with wave.open(io.BytesIO(spoken), "rb") as wav:
            samples = array.array("h", wav.readframes(wav.getnframes()))
            return trim(resample(samples, wav.getframerate()))
    except (OSError, subprocess.SubprocessError, wave.Error, EOFError) as error:
        raise SpeechUnavailableError(f"espeak-ng failed: {error}") from error


@cache
def _phases(up: int, down: int) -> list[list[float]]:
    """Windowed-sinc taps, one row per output phase (polyphase interpolation)."""
    cutoff = min(1.0, up / down) * 0.95
    rows = []
    for phase in range(up):
        offset = phase / up
        row = []
        for tap in range(-_HALF_TAPS + 1, _HALF_TAPS + 1):
            x = tap - offset
            window = 0.5 + 0.5 * math.cos(math.pi * x / (_HALF_TAPS + 1))
            row.append(
                cutoff
                * window
                * (math.sin(math.pi * cutoff * x) / (math.pi * cutoff * x) if x else 1.0)
            )
        total = sum(row)
        rows.append([value / total for value in row])
    return rows


def resample(
    samples: array.array[int], rate_hz: int, to_hz: int = SAMPLE_RATE_HZ
) -> array.array[int]:
    """`samples` at `rate_hz` brought to `to_hz`; clipped, never wrapped."""
    if rate_hz == to_hz:
        return samples
    divisor = math.gcd(rate_hz, to_hz)
    up, down = to_hz // divisor, rate_hz // divisor
    rows = _phases(up, down)
    padded = [0] * (_HALF_TAPS - 1) + samples.tolist() + [0] * (_HALF_TAPS + 1)
    out = array.array("h")
    for number in range(len(samples) * up // down):
        start, phase = divmod(number * down, up)
        value = round(sum(map(mul, rows[phase], padded[start : start + 2 * _HALF_TAPS])))
        out.append(max(-32768, min(32767, value)))
    return out


def trim(samples: array.array[int], floor: int = 200) -> array.array[int]:
    """`samples` without the silence at both ends, which espeak-ng adds generously."""
    loud = [n for n, value in enumerate(samples) if abs(value) > floor]
    if not loud:
        return samples
    margin = SAMPLE_RATE_HZ // 50
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


def _silence(seconds: float) -> array.array[int]:
    return array.array("h", bytes(2 * round(seconds * SAMPLE_RATE_HZ)))


def render(announcement: Announcement) -> bytes:
    """The WAV of one pass of `announcement`; raises SpeechUnavailableError."""
    samples = _silence(_LEAD_S)
    for language, text in announcement.texts:
        samples += speak(text, language, announcement.speed_wpm) + _silence(_GAP_S)
    return to_wav(samples)


def to_wav(samples: array.array[int], rate_hz: int = SAMPLE_RATE_HZ) -> bytes:
    """16-bit mono `samples` as a WAV file's bytes."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        wav.writeframes(samples.tobytes())
    return buffer.getvalue()


def fingerprint(announcement: Announcement) -> str:
    """What the cached WAV depends on; another value means it is stale."""
    parts = (_RECIPE, announcement.texts, announcement.speed_wpm)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def read_manifest(directory: Path) -> dict[str, str]:
    """Name -> fingerprint of the cached sounds; empty when there are none."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in manifest.items()} if isinstance(manifest, dict) else {}


def find_stale(directory: Path, wanted: Iterable[Announcement]) -> list[Announcement]:
    """Which of `wanted` are not in `directory` as they should sound now."""
    manifest = read_manifest(directory)
    return [
        each
        for each in wanted
        if manifest.get(each.name) != fingerprint(each)
        or not (directory / f"{each.name}.wav").is_file()
    ]


def generate(
    directory: Path,
    wanted: Iterable[Announcement],
    report: Callable[[str], None] = lambda line: None,
) -> int:
    """Bring `directory` up to date; the number of WAVs made. Each appears whole or not
    at all, and the manifest is written after each, so that a kill loses one at most.
    Raises SpeechUnavailableError, OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    stale = find_stale(directory, wanted)
    manifest = read_manifest(directory)
    for announcement in stale:
        _write_whole(directory / f"{announcement.name}.wav", render(announcement))
        manifest[announcement.name] = fingerprint(announcement)
        _write_whole(directory / MANIFEST, json.dumps(manifest, indent=1).encode())
        report(f"{announcement.name}.wav")
    return len(stale)


def _write_whole(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_bytes(content)
    scratch.replace(path)


def _read_wanted(path: Path) -> list[Announcement]:
    return [
        Announcement(name, tuple((lang, text) for lang, text in texts), repeats, speed)
        for name, texts, repeats, speed in json.loads(path.read_text("utf-8"))
    ]


def _say(line: str) -> None:
    sys.stderr.write(line + "\n")


def main(arguments: Sequence[str]) -> int:
    """The command: exit 0 done, 1 cannot speak, 2 usage."""
    parser = argparse.ArgumentParser(prog="switch.media.sounds", description="Generate the sounds.")
    parser.add_argument("outdir", type=Path)
    parser.add_argument(
        "--wanted", type=Path, help="JSON list to generate instead of the shipped texts"
    )
    parser.add_argument("--parent", type=int, default=0, help="pid to die with")
    options = parser.parse_args(arguments)
    if options.parent:
        die_with(options.parent)
    os.nice(10)
    wanted = _read_wanted(options.wanted) if options.wanted else announcements().values()
    try:
        made = generate(options.outdir, wanted, _say)
    except (SpeechUnavailableError, OSError) as error:
        _say(str(error))
        return 1
    _say(f"{made} sounds generated")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
