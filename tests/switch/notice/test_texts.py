"""What people read: French first, English second, nothing left to fill in."""

import re

import pytest

from policy.transitions import TABLE
from switch.notice.texts import compose, is_urgent, wordings

AT = 1_700_000_000_000  # 14 Nov 2023 22:13:20 UTC


@pytest.mark.parametrize(("kind", "audience"), sorted(wordings()))
def test_every_text_is_worded_in_both_languages(kind: str, audience: str) -> None:
    wording = wordings()[kind, audience]
    for text in (wording.subject_fr, wording.subject_en, wording.fr, wording.en):
        assert text.strip()
    words = [set(re.findall(r"\{(\w+)\}", text)) for text in (wording.fr, wording.en)]
    assert words[0] == words[1], "both languages say the same"
    assert audience in {"customer", "operator", "site"}


@pytest.mark.parametrize("name", list(TABLE))
def test_every_change_of_a_contract_has_its_words(name: str) -> None:
    notice = TABLE[name].notice
    assert {(notice, "customer"), (notice, "operator")} & set(wordings())


def test_the_french_comes_first_with_the_time_of_the_place() -> None:
    fields = {"line": "101", "number": "+33199000101", "dialled": "18", "place": "2e étage"}
    subject, body = compose("emergency_call", "site", fields, AT, "Europe/Paris")
    assert subject == "Appel d'urgence 18 depuis 2e étage / Emergency call to 18 from 2e étage"
    french, english = body.split("\n\n---\n\n")
    assert "14/11/2023 à 23:13:20" in french
    assert "2023-11-14 at 23:13:20" in english
    _, overseas = compose("emergency_call", "site", fields, AT, "Indian/Reunion")
    assert "15/11/2023 à 02:13:20" in overseas


def test_a_kind_without_words_still_says_what_it_knows() -> None:
    subject, body = compose("trunk_on_fire", "operator", {"trunk": "t1"}, AT, "Europe/Paris")
    assert "trunk_on_fire" in subject
    assert "trunk: t1" in body
    assert not is_urgent("trunk_on_fire", "operator")


def test_a_field_can_not_begin_another_header() -> None:
    fields = {"line": "101", "dialled": "18", "place": "x\r\nBcc: everybody@example.test"}
    subject, _ = compose("emergency_call", "site", fields, AT, "Europe/Paris")
    assert "\n" not in subject
    assert "\r" not in subject
