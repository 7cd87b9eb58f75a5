"""The status page's HTML."""

from dataclasses import replace
from html.parser import HTMLParser

import pytest

from switch.observe.page import content, page
from switch.observe.status import CallStatus, LineStatus, Status, TrunkStatus

LINE = LineStatus("101", "+33199000101", "active", ("UDP 127.0.0.1:5062",), 60_000, 0, 300_000_000)
CALL = CallStatus("c1", "101", "18", "connected", 65.0, emergency=True)
TRUNK = TrunkStatus("carrier-1", "UDP 127.0.1.1:5070", True, 1)
STATUS = Status("1.0", "n1", 93_784.0, ("UDP 127.0.0.1:5060",), (LINE,), (CALL,), (TRUNK,))

VOID = {"meta", "br", "link"}


class _Balance(HTMLParser):
    """Fails when an element is closed that isn't open, or left open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def text_of(html: str) -> str:
    parser = _Balance()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser.text


def test_it_tells_lines_calls_trunks_and_time() -> None:
    text = text_of(page(STATUS))
    for word in ("1 / 1", "1:05", "1 d 2:03:04", "carrier-1", "emergency", "5\u202f000"):
        assert word in text


def test_what_comes_from_outside_is_escaped() -> None:
    evil = "<script>alert(1)</script>"
    status = replace(
        STATUS,
        node=evil,
        alarms=(evil,),
        lines=(replace(LINE, line=evil, contacts=(evil,)),),
        calls=(replace(CALL, source=evil, destination=evil),),
        trunks=(replace(TRUNK, name=evil),),
    )
    assert evil not in content(status)
    assert text_of(content(status)).count(evil) == 7


@pytest.mark.parametrize(
    ("used", "tone"), [(239_999_999, "bar"), (240_000_000, "bar near"), (300_000_000, "bar over")]
)
def test_lines_change_colour_at_80_and_100_percent(used: int, tone: str) -> None:
    html = content(replace(STATUS, lines=(replace(LINE, used_ms=used),)))
    assert f'class="{tone}"' in html


def test_a_bar_never_leaves_its_frame() -> None:
    html = content(replace(STATUS, lines=(replace(LINE, used_ms=900_000_000),)))
    assert "width:100.0%" in html


@pytest.mark.parametrize(("up", "word"), [(True, "up"), (False, "down"), (None, "not yet asked")])
def test_trunks(up: bool | None, word: str) -> None:
    assert word in text_of(content(replace(STATUS, trunks=(replace(TRUNK, up=up),))))


def test_an_empty_switch() -> None:
    text = text_of(page(Status("1.0", "n1", 0.0, (), (), (), ())))
    for sentence in ("No call right now.", "No lines configured.", "No trunks configured."):
        assert sentence in text


def test_the_nearest_line_comes_first() -> None:
    lines = (LINE, replace(LINE, line="102", used_ms=290_000_000))
    text = text_of(content(replace(STATUS, lines=lines)))
    assert text.index("102") < text.index("101+33")
