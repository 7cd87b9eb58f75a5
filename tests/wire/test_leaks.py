"""Many calls at once, and then none: whatever they took is given back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wire.rig import until
from tests.wire.sipp import Sipp
from tests.wire.test_robustness import FastRig

GAUGES = ("calls_active", "dialogs_active", "transactions_active", "flows_open")
GIVEN_BACK_WITHIN_S = 40.0
# Probes of carriers and phones come and go; their timers are no leak.
TIMERS_OF_THE_HOUSE = 6


class WideRig(FastRig):
    """Two lines may have as many calls as the test wants."""

    def _write_config(self) -> None:
        super()._write_config()
        path = self.config / "vigie.toml"
        text = path.read_text("utf-8")
        for line in ("102", "104"):
            password = f'password = "demo-{line}"'
            assert password in text
            text = text.replace(password, f"{password}\nchannels = 5000", 1)
        path.write_text(text, "utf-8")


@pytest.fixture
def wide_rig(tmp_path: Path) -> Iterator[WideRig]:
    with WideRig(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    "count", [200, pytest.param(1000, marks=pytest.mark.full)], ids=["short", "full"]
)
def test_calls_at_once_leave_nothing(wide_rig: WideRig, tmp_path: Path, count: int) -> None:
    rig = wide_rig
    with Sipp("register", rig.address, "104", tmp_path) as phone:
        phone.verdict()
    before = {name: rig.gauge(name) for name in GAUGES}
    stay_s = count / 50 + 3
    with (
        Sipp(
            "callee-stays",
            rig.address,
            "104",
            tmp_path,
            port=phone.port,
            calls=count,
            at_once=count,
            limit_s=120,
        ) as callee,
        Sipp(
            "caller-stays",
            rig.address,
            "102",
            tmp_path,
            dial="104",
            calls=count,
            rate=50,
            at_once=count,
            stay_s=stay_s,
            limit_s=120,
        ) as caller,
    ):
        until(lambda: rig.gauge("calls_active") == count, stay_s, f"{count} calls", every_s=0.1)
        caller.verdict()
        callee.verdict()
    for name in GAUGES:
        until(
            lambda name=name: rig.gauge(name) <= before[name],  # type: ignore[misc]
            GIVEN_BACK_WITHIN_S,
            f"{name} back at {before[name]}",
            every_s=0.5,
        )
    assert rig.gauge("timers_active") <= TIMERS_OF_THE_HOUSE
    assert rig.errors() == []
