import wave
from io import BytesIO

import pytest

from switch.media.catalogue import announcements
from switch.media.readback import compose_readback, readback_name, spell
from switch.media.sounds import render

PARIS = {
    "country": "FR",
    "HNO": "12",
    "HNS": "bis",
    "RD": "rue de la Boétie",
    "FLR": "3",
    "PC": "75008",
    "A3": "Paris",
}


def test_it_says_line_address_insee_and_verdict_in_both_languages() -> None:
    announcement = compose_readback("101", PARIS, "75108", "verdict-connect")
    french, english = dict(announcement.texts)["fr"], dict(announcement.texts)["en"]
    assert french.startswith(
        "Ligne 1 0 1. Adresse : 12 bis rue de la Boétie, étage 3, 75008 Paris. "
        "Code INSEE 7 5 1 0 8. "
    )
    assert "floor 3" in english
    verdict = dict(announcements()["verdict-connect"].texts)
    assert french.endswith(verdict["fr"])
    assert english.endswith(verdict["en"])


def test_a_line_without_address_is_told_so() -> None:
    announcement = compose_readback("107", {}, "")
    assert dict(announcement.texts) == {
        "fr": "Ligne 1 0 7. Aucune adresse validée.",
        "en": "Line 1 0 7. No validated address.",
    }


def test_corsica_is_spelt_with_its_letter() -> None:
    assert spell("2a004") == "2 A 0 0 4"


def test_the_name_can_be_called_and_holds_no_path() -> None:
    assert readback_name("101") == "readback-101"
    assert readback_name("Paris.8e") == "readback-Paris.8e"
    with pytest.raises(ValueError, match="not usable"):
        readback_name("../101")


def test_an_unknown_verdict_is_an_error() -> None:
    with pytest.raises(ValueError, match="no announcement"):
        compose_readback("101", PARIS, "75108", "verdict-perhaps")


def test_it_becomes_sound() -> None:
    with wave.open(BytesIO(render(compose_readback("101", PARIS, "75108", ""))), "rb") as wav:
        assert wav.getframerate() == 8000
        assert wav.getnframes() > 8000 * 10
