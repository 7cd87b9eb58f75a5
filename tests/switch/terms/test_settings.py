"""[acceptable_use]: shadow by default, limits by name, and errors that name the detector."""

import pytest
from pydantic import ValidationError

from policy.acceptable_use.detectors import DETECTORS
from switch.terms.settings import AcceptableUseSettings


def test_everything_watches_in_the_shadow_by_default() -> None:
    settings = AcceptableUseSettings().watch()
    assert settings.shadow
    assert settings.detectors == DETECTORS


def test_limits_are_replaced_and_detectors_left_out() -> None:
    settings = AcceptableUseSettings(
        shadow=False, off=("D11",), limits={"D1": {"attempts_an_hour": (80, 160)}}
    ).watch()
    ids = [each.id for each in settings.detectors]
    assert "D11" not in ids
    assert len(ids) == len(DETECTORS) - 1
    features = {each.name: each for each in settings.detectors[0].features}
    assert (features["attempts_an_hour"].soft, features["attempts_an_hour"].hard) == (80, 160)
    assert features["gap_share"] == DETECTORS[0].features[0]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"off": ("D13",)}, "no detector D13"),
        ({"limits": {"D99": {}}}, "no detector D99"),
        ({"limits": {"D1": {"speed": (1, 2)}}}, "D1 has no feature speed: attempts_an_hour"),
    ],
)
def test_what_is_unknown_is_named(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AcceptableUseSettings(**fields)
