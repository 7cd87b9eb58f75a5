import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip import grammar
from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.message import tag_of
from switch.sip.nameaddr import NameAddr
from switch.sip.uri import Uri

TEXTS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)
TOKENS = st.text("abcZ09-.", min_size=1, max_size=8)
PARAMS = st.lists(
    st.tuples(TOKENS, st.one_of(st.none(), TOKENS, TEXTS.map(grammar.quote))), max_size=4
).map(tuple)
ADDRESSES = st.builds(NameAddr, TEXTS, st.just(Uri.parse("sip:101@example.net;x=y?h=v")), PARAMS)


@given(ADDRESSES)
def test_round_trip(address: NameAddr) -> None:
    assert NameAddr.parse(str(address)) == address


@given(ADDRESSES)
def test_the_quick_tag_is_the_parsed_one(address: NameAddr) -> None:
    assert tag_of(str(address)) == (address.tag or None)


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ("sip:a@b", "", "sip:a@b", ()),
        ("sip:a@b;tag=1", "", "sip:a@b", (("tag", "1"),)),
        ("<sip:a@b;x>;tag=1", "", "sip:a@b;x", (("tag", "1"),)),
        ("Ann<sip:a@b>", "Ann", "sip:a@b", ()),
        ("Ann  Bee <sip:a@b> ; q=1", "Ann  Bee", "sip:a@b", (("q", "1"),)),
        ('"Ann" <sip:a@b>', "Ann", "sip:a@b", ()),
        (r'"A\"<n\\" <sip:a@b>', 'A"<n\\', "sip:a@b", ()),
        ('"" <sip:a@b>', "", "sip:a@b", ()),
        ('<sip:a@b>;i="<urn:x;y>"', "", "sip:a@b", (("i", '"<urn:x;y>"'),)),
        ('sip:a@b;i="<x>"', "", "sip:a@b", (("i", '"<x>"'),)),
        ("<tel:+331;phone-context=x>", "", "tel:+331;phone-context=x", ()),
    ],
)
def test_forms(text: str, display: str, uri: str, params: grammar.Params) -> None:
    address = NameAddr.parse(text)
    assert (address.display, str(address.uri), address.params) == (display, uri, params)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<sip:a@b",
        "sip:a@b>",
        "<sip:a@b> x",
        '"Ann <sip:a@b>',
        '"Ann" "Bee" <sip:a@b>',
        '"Ann" x <sip:a@b>',
        "< sip:a@b >",
        "sip:a@b?Route=x",
        "<sip:a@b>,<sip:c@d>",
        "<>",
        "*",
    ],
)
def test_texts_that_are_no_address(text: str) -> None:
    with pytest.raises(ParseError):
        NameAddr.parse(text)


def test_injection_by_display_name_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        str(NameAddr('x"\r\nVia: y', Uri.sip("a", "b")))


def test_parameters() -> None:
    address = NameAddr.parse('<sip:a@b>;tag=1;+sip.instance="<urn:uuid:x>";ob')
    assert address.tag == "1"
    assert address.param("+sip.instance") == "<urn:uuid:x>"
    assert address.param("ob") == ""
    assert address.param("q") is None
    assert address.with_params(expires="60").params[-1] == ("expires", "60")


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("<sip:a@b>", None),
        ("<sip:a@b;tag=no>", None),
        ("<sip:a@b>;tag=x", "x"),
        ("<sip:a@b>;tag=x;y=z", "x"),
        ("<sip:a@b> ; Tag = x", "x"),
        ("sip:a@b;tag=x", "x"),
        ("<sip:a@b>;tag=", None),
        ('"; tag=no" <sip:a@b>', None),
        ('<sip:a@b>;x=";tag=no";tag=yes', "yes"),
        ('<sip:a@b>;x="<>;tag=no";tag=yes', "yes"),
        ('"unbalanced <sip:a@b>;x', None),
        ("", None),
    ],
)
def test_quick_tags(text: str, tag: str | None) -> None:
    assert tag_of(text) == tag
