import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.uri import Uri

USERS = st.text("abcZ09-_.!~*'()&=+$,;?/#%é", min_size=1, max_size=12)
HOSTS = st.sampled_from(["example.net", "192.0.2.1", "2001:db8::1", "a_b-c.example"])
PARAM = st.tuples(
    st.text("abcZ9-", min_size=1, max_size=5),
    st.one_of(st.none(), st.text("abcZ9:+[]$&/%", max_size=8)),
)
URIS = st.builds(
    Uri,
    st.sampled_from(["sip", "sips"]),
    st.one_of(st.none(), USERS),
    st.none(),
    HOSTS,
    st.one_of(st.none(), st.integers(1, 65535)),
    st.lists(PARAM, max_size=4).map(tuple),
    st.lists(st.tuples(st.text("abc", min_size=1), st.text("abc%20=", max_size=5)), max_size=2).map(
        tuple
    ),
)


@given(URIS)
def test_round_trip(uri: Uri) -> None:
    assert Uri.parse(str(uri)) == uri


@given(st.text(max_size=40), st.text(max_size=10))
def test_what_is_written_is_one_uri_or_refused(user: str, host: str) -> None:
    try:
        text = str(Uri.sip(user, host))
    except LocalProtocolError:
        return
    assert not set(text) & set('\r\n\0 <>"')


@pytest.mark.parametrize(
    "text",
    [
        "sip:101@example.net",
        "sip:example.net",
        "sips:101:secret@example.net:5061;transport=tls?subject=a&priority=b",
        "sip:user;par=u%40example.net@example.net",
        "sip:*43#@example.net",
        "sip:101@[2001:db8::1]:5060;lr",
        "sip:a@b;lr=;x",
        "tel:+33145678901;phone-context=example.net",
        "tel:18",
        "urn:service:sos.fire",
        "http://example.net/a?b",
    ],
)
def test_texts_round_trip(text: str) -> None:
    assert str(Uri.parse(text)) == text


def test_parts() -> None:
    uri = Uri.parse("SIP:%2A43:pw@Example.net:5070;Transport=TCP;lr?a=b")
    assert (uri.scheme, uri.user, uri.password, uri.host, uri.port) == (
        "sip", "%2A43", "pw", "Example.net", 5070,
    )  # fmt: skip
    assert uri.user_text == "*43"
    assert uri.transport == "tcp"
    assert uri.is_loose
    assert uri.headers == (("a", "b"),)
    assert uri.aor == "sip:*43@example.net"
    assert uri.param("lr") == ""
    assert uri.param("none") is None


def test_other_schemes() -> None:
    assert Uri.parse("tel:+331;isub=2").user == "+331"
    assert Uri.parse("tel:+331;isub=2").param("isub") == "2"
    assert Uri.parse("urn:service:sos").host == "service:sos"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "101",
        "sip:",
        "sip:@example.net",
        "sip:a@",
        "sip:a@b@c",
        "sip:a b@c",
        "sip:a@b\r\nVia: x",
        "sip:a@b:0",
        "sip:a@b:65536",
        "sip:a@b:٣",
        "sip:a@b;x=<y>",
        "sip:a@b?c",
        "sip:a@b c",
        "<sip:a@b>",
        "tel:;x",
        "sip:a@[::1",
        "sip:a\0@b",
    ],
)
def test_texts_that_are_no_uri(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        Uri.parse(text)
    assert caught.value.status == 400


def test_a_uri_too_long_has_its_own_status() -> None:
    with pytest.raises(ParseError) as caught:
        Uri.parse("sip:" + "a" * 3000)
    assert caught.value.status == 414


@pytest.mark.parametrize(
    "uri",
    [
        Uri.sip("a@b", "c"),
        Uri.sip("a:b", "c"),
        Uri.sip("a", "c\r\nVia: x"),
        Uri.sip("a b", "c"),
        Uri.sip("a", "c", None, (("x", "y>"),)),
        Uri("tel", "1\n", None, ""),
    ],
)
def test_injection_is_refused_when_writing(uri: Uri) -> None:
    with pytest.raises(LocalProtocolError):
        str(uri)


def test_changed_copies() -> None:
    uri = Uri.parse("sip:a@b;transport=udp")
    assert str(uri.with_params(transport="tcp", lr=None)) == "sip:a@b;transport=tcp;lr"
    assert str(uri) == "sip:a@b;transport=udp"


# The examples of RFC 3261 §19.1.4.
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        ("sip:b.com;transport=tcp;method=R?to=a%40b", "sip:b.com;method=R;transport=tcp?to=a%40b"),
        ("sip:a@c.com?Subject=x&Priority=u", "sip:a@c.com?priority=u&subject=x"),
    ],
)
def test_equivalent(one: str, other: str) -> None:
    assert Uri.parse(one).is_equivalent(Uri.parse(other))
    assert Uri.parse(other).is_equivalent(Uri.parse(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next"),
        ("sip:c@c.com;security=off", "sip:c@c.com;security=on"),
        ("sip:bob@phone21.biloxi.com", "sip:bob@192.0.2.4"),
        ("sip:a@b", "sips:a@b"),
        ("sip:b", "sip:a@b"),
        ("sip:a:1@b", "sip:a:2@b"),
    ],
)
def test_not_equivalent(one: str, other: str) -> None:
    assert not Uri.parse(one).is_equivalent(Uri.parse(other))
    assert not Uri.parse(other).is_equivalent(Uri.parse(one))
