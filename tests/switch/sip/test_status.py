import pytest

from switch.sip.status import REASONS, reason_phrase


@pytest.mark.parametrize(
    ("status", "phrase"),
    [(100, "Trying"), (486, "Busy Here"), (499, "Bad Request"), (699, "Busy Everywhere"),
     (199, "Early Dialog Terminated"), (299, "OK"), (150, "Trying")],
)  # fmt: skip
def test_phrases(status: int, phrase: str) -> None:
    assert reason_phrase(status) == phrase


def test_no_phrase_breaks_a_status_line() -> None:
    assert all(100 <= status < 700 and phrase.isprintable() for status, phrase in REASONS.items())
