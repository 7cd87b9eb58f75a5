import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip import grammar
from switch.sip.errors import LocalProtocolError, ParseError

TOKENS = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8)
TEXTS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=30)
PARAMS = st.lists(
    st.tuples(TOKENS, st.one_of(st.none(), TOKENS, TEXTS.map(grammar.quote))), max_size=6
).map(tuple)


@given(TEXTS)
def test_quoting_round_trips(text: str) -> None:
    quoted = grammar.quote(text)
    assert grammar.unquote(quoted) == text
    assert '"' not in grammar.mask_quoted(quoted)


@given(st.text(max_size=20))
def test_a_quoted_string_is_one_or_refused(text: str) -> None:
    try:
        quoted = grammar.quote(text)
    except LocalProtocolError:
        assert "\r" in text or "\n" in text
        return
    assert grammar.mask_quoted(quoted) == "_" * len(quoted)
    assert not set("\r\n\0") & set(quoted)


@given(PARAMS)
def test_parameters_round_trip(params: grammar.Params) -> None:
    written = grammar.write_params(params)
    assert grammar.parse_params(written[1:]) == params


@given(st.lists(TOKENS, min_size=1, max_size=8))
def test_lists_round_trip(values: list[str]) -> None:
    assert grammar.split_commas(", ".join(values)) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        (" a ,\tb", ["a", "b"]),
        ('"x,y" <sip:a>, b', ['"x,y" <sip:a>', "b"]),
        ("<sip:a,b>,<sip:c>", ["<sip:a,b>", "<sip:c>"]),
        (r'"\",", b', [r'"\","', "b"]),
        ('"<", b', ['"<"', "b"]),
        ("a,,b", ["a", "", "b"]),
    ],
)
def test_commas_that_separate(text: str, values: list[str]) -> None:
    assert grammar.split_commas(text) == values


@pytest.mark.parametrize("text", ['"a, b', r'"a\", b', ",".join("a" * 129)])
def test_lists_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParseError):
        grammar.split_commas(text)


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("", ()),
        (";;", ()),
        ("lr", (("lr", None),)),
        ("lr=", (("lr", ""),)),
        (" a = b ; c", (("a", "b"), ("c", None))),
        ('a="x;y=z"', (("a", '"x;y=z"'),)),
    ],
)
def test_parameters(text: str, params: grammar.Params) -> None:
    assert grammar.parse_params(text) == params


@pytest.mark.parametrize(
    "text", ["=a", "a b=c", "a=b c", 'a="b', 'a=b"c"', '"a"=b', "a=<b>", "a=b,c", "a=\0", "a;" * 70]
)
def test_parameters_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ParseError):
        grammar.parse_params(text)


@pytest.mark.parametrize(
    "params",
    [
        (("a", "b;c=d"),),
        (("a", "b\r\nVia: x"),),
        (("a\n", None),),
        (("a", '"b" "c"'),),
        (("a", '"b\r\n"'),),
        (("a", "<b>"),),
        (("a b", "c"),),
    ],
)
def test_parameters_that_are_not_written(params: grammar.Params) -> None:
    with pytest.raises(LocalProtocolError):
        grammar.write_params(params)


def test_finding_and_changing() -> None:
    params = grammar.parse_params('Tag=a;lr;q="0.5"')
    assert grammar.find_param(params, "tag") == "a"
    assert grammar.find_param(params, "lr") == ""
    assert grammar.find_param(params, "q") == "0.5"
    assert grammar.find_param(params, "x") is None
    assert grammar.replace_param(params, "tag", "b")[0] == ("Tag", "b")
    assert grammar.replace_param(params, "new", None)[-1] == ("new", None)


@pytest.mark.parametrize("text", ["", "-1", "+1", "1_0", " 1", "1.0", "٣", "²", "11", "1" * 4000])
def test_numbers_that_are_none(text: str) -> None:
    with pytest.raises(ParseError, match="bad thing"):
        grammar.parse_number(text, 10, "thing")


def test_numbers() -> None:
    assert grammar.parse_number("0", 10, "thing") == 0
    assert grammar.parse_number("0010", 10, "thing") == 10
