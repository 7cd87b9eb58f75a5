"""The end of the warning that began with the first test which asked for it: it takes 41 s."""

import math
from pathlib import Path

from switch.demo.handset import Handset
from switch.demo.wav import read_samples
from tests.wire.rig import Rig

LOUD = 300


def test_the_whole_warning_then_403(rig: Rig, whole_warning: tuple[Handset, int]) -> None:
    guest, call = whole_warning
    ended = guest.wait("call", call=call, state="disconnected", limit_s=60)
    assert ended["code"] == 403
    assert ended["headers"]["Reason"] == 'Q.850;cause=21;text="abroad"'
    assert "abroad: " in ended["headers"]["Warning"]
    heard = guest.wait("heard", call=call)
    rate, samples = read_samples(Path(heard["path"]))
    last = max(at for at, sample in enumerate(samples) if abs(sample) > LOUD)
    # A busy machine stretches the recording; the sound itself is measured in tests/switch/media.
    assert 30 * rate < last < 60 * rate, "all of it, then silence, for a late key"
    assert len(samples) - last > 4 * rate
    # French, English, French, English: each of the four quarters speaks.
    quarter = last // 4
    for start in range(0, 4 * quarter, quarter):
        part = samples[start : start + quarter]
        assert math.sqrt(sum(sample * sample for sample in part) / quarter) > LOUD
    entries = rig.ask("emergency.log", line="103")
    assert (entries[-1]["verdict"], entries[-1]["attempts"]) == ("blocked_abroad", [])
