"""What a recording holds: its length and loudness, to tell speech from silence."""

from __future__ import annotations

import array
import math
import wave
from operator import mul
from pathlib import Path


def read_samples(path: Path) -> tuple[int, array.array[int]]:
    """Rate in Hz and samples of a 16-bit mono WAV; no samples when it cannot be read."""
    try:
        with wave.open(str(path), "rb") as wav:
            return wav.getframerate(), array.array("h", wav.readframes(wav.getnframes()))
    except (OSError, EOFError, wave.Error):
        return 8000, array.array("h")


def measure(path: Path) -> tuple[float, float]:
    """Length in seconds and root mean square (0..32767) of a 16-bit mono WAV."""
    rate, samples = read_samples(path)
    if not samples:
        return 0.0, 0.0
    return len(samples) / rate, math.sqrt(sum(map(mul, samples, samples)) / len(samples))
