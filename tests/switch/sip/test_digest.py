import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip import digest
from switch.sip.digest import Challenge, Credentials
from switch.sip.errors import LocalProtocolError, ParseError

TEXTS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=20)


def test_the_example_of_rfc_2617() -> None:
    secret = digest.ha1("Mufasa", "testrealm@host.com", "Circle Of Life", "MD5")
    assert secret == "939e7578ed9e3c518a452acee763bce9"
    answer = digest.response(
        secret, "dcd98b7102dd2f0e8b11d0f600bfb0c093", "00000001", "0a4f113b", "auth", "GET",
        "/dir/index.html", "MD5",
    )  # fmt: skip
    assert answer == "6629fae49393a05397450978507c4ef1"


def test_the_example_of_rfc_7616_with_sha_256() -> None:
    secret = digest.ha1("Mufasa", "http-auth@example.org", "Circle of Life", "SHA-256")
    answer = digest.response(
        secret, "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", "00000001",
        "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "auth", "GET", "/dir/index.html", "SHA-256",
    )  # fmt: skip
    assert answer == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"


def test_without_qop_as_in_rfc_2069() -> None:
    secret = digest.ha1("u", "r", "p", "MD5")
    plain = digest.response(secret, "n", None, None, None, "REGISTER", "sip:h", "MD5")
    ha2 = hashlib.md5(b"REGISTER:sip:h").hexdigest()
    assert plain == hashlib.md5(f"{secret}:n:{ha2}".encode()).hexdigest()


@given(TEXTS, TEXTS, st.sampled_from(digest.ALGORITHMS), st.booleans())
def test_challenges_round_trip(realm: str, opaque: str, algorithm: str, stale: bool) -> None:
    challenge = Challenge(realm, "n=1", algorithm, ("auth", "auth-int"), opaque, stale)
    assert digest.parse_challenge(str(challenge)) == challenge


@given(TEXTS, TEXTS)
def test_credentials_round_trip(username: str, cnonce: str) -> None:
    credentials = Credentials(
        username, "r", "n", "sip:h", "ab", "SHA-256", "auth", "0000000a", cnonce, "o"
    )
    assert digest.parse_credentials(str(credentials)) == credentials
    assert credentials.nonce_count == 10


def test_what_phones_write() -> None:
    credentials = digest.parse_credentials(
        'DIGEST  username="101", realm="pbx",nonce="abc",uri="sip:pbx" ,response="ABCD",'
        'algorithm=md5, cnonce="c", qop="auth", nc=00000001, opaque=""'
    )
    assert credentials.username == "101"
    assert credentials.response == "abcd"
    assert (credentials.algorithm, credentials.qop, credentials.opaque) == ("MD5", "auth", "")


GOOD = 'Digest username="a",realm="r",nonce="n",uri="u",response="x"'


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Digest",
        'Basic realm="x"',
        "NoOneKnowsThisScheme opaque-data=here",
        GOOD.replace('nonce="n",', ""),
        GOOD + ',realm="other"',
        GOOD + ",qop=auth",
        GOOD + ',qop=auth,nc=1,cnonce="c"',
        GOOD + ',qop=auth,nc=0000000g,cnonce="c"',
        GOOD + ',x="unbalanced',
        GOOD + " junk",
    ],
)
def test_credentials_that_cannot_be_read(value: str) -> None:
    with pytest.raises(ParseError):
        digest.parse_credentials(value)


def test_an_answer_verifies() -> None:
    challenge = Challenge("r", "n", "SHA-256", ("auth",), "o")
    value = digest.authorize(challenge, "u", "p", "INVITE", "sip:h", 2, "cn")
    given_ = digest.parse_credentials(value)
    assert (given_.nc, given_.opaque, given_.uri) == ("00000002", "o", "sip:h")
    expected = digest.response(
        digest.ha1("u", "r", "p", "SHA-256"), "n", "00000002", "cn", "auth", "INVITE", "sip:h",
        "SHA-256",
    )  # fmt: skip
    assert given_.response == expected
    other = digest.authorize(challenge, "u", "wrong", "INVITE", "sip:h", 2, "cn")
    assert digest.parse_credentials(other).response != expected


def test_an_answer_without_qop_has_no_count() -> None:
    value = digest.authorize(Challenge("r", "n"), "u", "p", "INVITE", "sip:h", 1, "cn")
    assert digest.parse_credentials(value).nc is None
    assert "cnonce" not in value


def test_the_topmost_challenge_we_can_answer() -> None:
    values = [
        'Basic realm="r"',
        'Digest realm="r",nonce="1",algorithm=SHA-512-256,qop="auth"',
        'Digest realm="r",nonce="2",algorithm=MD5,qop="auth-int"',
        'Digest realm="r",nonce="3",algorithm=SHA-256,qop="auth,auth-int"',
        'Digest realm="r",nonce="4"',
    ]
    chosen = digest.choose_challenge(values)
    assert chosen is not None
    assert chosen.nonce == "3"
    assert digest.choose_challenge(values[:3]) is None


def test_what_cannot_be_answered_is_our_fault() -> None:
    with pytest.raises(LocalProtocolError):
        digest.authorize(Challenge("r", "n", "MD5", ("auth-int",)), "u", "p", "INVITE", "u", 1, "c")
    with pytest.raises(LocalProtocolError):
        digest.ha1("u", "r", "p", "SHA-1")
    with pytest.raises(LocalProtocolError):
        str(Challenge("r\r\nVia: x", "n"))
