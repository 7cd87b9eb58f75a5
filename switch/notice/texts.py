"""What people read: from a kind of notice and its fields to a subject and a text, French then English.

The texts stand in texts.toml. A kind without one gets a plain list of its fields: a notice that nobody
wrote words for must still reach somebody. Deliberately absent: HTML, and any channel.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final
from zoneinfo import ZoneInfo

_FALLBACK: Final = ("unknown", "operator")


@dataclass(frozen=True, slots=True)
class Wording:
    """One kind's text for one audience, in both languages, with words in braces."""

    subject_fr: str
    subject_en: str
    fr: str
    en: str
    urgent: bool = False


@cache
def wordings() -> Mapping[tuple[str, str], Wording]:
    """All texts by (kind, audience)."""
    content = tomllib.loads(files("switch.notice").joinpath("texts.toml").read_text("utf-8"))
    return {
        (kind, audience): Wording(**fields)
        for kind, audiences in content.items()
        for audience, fields in audiences.items()
    }


def is_urgent(kind: str, audience: str) -> bool:
    """Whether notices of this kind are sent ahead of all others."""
    wording = wordings().get((kind, audience))
    return wording is not None and wording.urgent


def compose(
    kind: str, audience: str, fields: Mapping[str, object], at_ms: int, zone: str
) -> tuple[str, str]:
    """Return subject and text. `at_ms` is UTC milliseconds, shown in the time zone `zone`."""
    words = _Words({name: _spelt(value) for name, value in fields.items()}, kind=kind)
    wording = wordings().get((kind, audience))
    if wording is None:
        wording = wordings()[_FALLBACK]
        words["all"] = "\n".join(f"{name}: {value}" for name, value in fields.items())
    date, _, time = datetime.fromtimestamp(at_ms // 1000, ZoneInfo(zone)).isoformat().partition("T")
    year, month, day = date.split("-")
    words["at"] = f"{day}/{month}/{year} à {time[:8]}"
    french = wording.subject_fr.format_map(words), wording.fr.strip().format_map(words)
    words["at"] = f"{date} at {time[:8]}"
    english = wording.subject_en.format_map(words), wording.en.strip().format_map(words)
    # A field could carry a line end, which would begin another header of a mail.
    subject = " ".join(f"{french[0]} / {english[0]}".split())
    return subject, f"{french[1]}\n\n---\n\n{english[1]}\n"


def _spelt(value: object) -> object:
    if isinstance(value, list | tuple):
        return ", ".join(str(each) for each in value)
    return "-" if value is None or value == "" else value


class _Words(dict[str, Any]):
    """The words of a text; one that the event didn't carry is a dash."""

    def __missing__(self, key: str) -> str:
        return "-"
