"""What the emergency test code (933) reads back: line, address, INSEE code.

Rendered when the configuration is loaded or an address changes, never during a call;
the verdict of the moment follows as one of the shipped `verdict-...` announcements.
Deliberately absent: any knowledge of how the verdict came about.
"""

from __future__ import annotations

from collections.abc import Mapping

from switch.media.catalogue import Announcement, announcements, is_name

_STREET = ("HNO", "HNS", "RD")
_INSIDE = (
    ("NAM", "", ""),
    ("BLD", "bâtiment", "building"),
    ("FLR", "étage", "floor"),
    ("ROOM", "bureau", "room"),
    ("LOC", "", ""),
)
_TOWN = ("PC", "A3")
_SPEED_WPM = 150


def readback_name(line: str) -> str:
    """The announcement that reads back `line`; joined as "readback-101+verdict-connect".

    Raises ValueError when the line's id cannot name a file.
    """
    name = f"readback-{line}"
    if not is_name(name):
        raise ValueError(f"line {line!r}: not usable in a file name")
    return name


def spell(text: str) -> str:
    """`text` one character at a time, as codes and numbers are read out."""
    return " ".join(text.replace(" ", "").upper())


def speak_address(civic: Mapping[str, str], language: str) -> str:
    """A civic address (RFC 5139 element names) as one spoken sentence part."""
    parts = [" ".join(civic[key] for key in _STREET if civic.get(key))]
    for key, french, english in _INSIDE:
        if value := civic.get(key):
            parts.append(f"{french if language == 'fr' else english} {value}".strip())
    parts.append(" ".join(civic[key] for key in _TOWN if civic.get(key)))
    return ", ".join(part for part in parts if part)


def compose_readback(
    line: str, civic: Mapping[str, str], insee: str, verdict: str = ""
) -> Announcement:
    """The announcement for `line`. `verdict` names a shipped announcement to end with;
    empty leaves the verdict to the call. Raises ValueError for an unknown verdict."""
    texts = []
    shipped = announcements().get(verdict)
    if verdict and shipped is None:
        raise ValueError(f"no announcement {verdict!r}")
    for language in ("fr", "en"):
        address = speak_address(civic, language)
        if language == "fr":
            said = f"Ligne {spell(line)}. " + (
                f"Adresse : {address}. Code INSEE {spell(insee)}."
                if address
                else "Aucune adresse validée."
            )
        else:
            said = f"Line {spell(line)}. " + (
                f"Address: {address}. INSEE code {spell(insee)}."
                if address
                else "No validated address."
            )
        end = dict(shipped.texts).get(language, "") if shipped else ""
        texts.append((language, f"{said} {end}".strip()))
    return Announcement(readback_name(line), tuple(texts), 1, _SPEED_WPM)
