"""Challenge and verdict, as a phone meets them."""

import pytest

from switch.auth.authenticator import Accepted, Authenticator, Challenge, Rejected, Verdict
from switch.auth.lockout import Lockout, LockoutLimits
from switch.sip import digest
from switch.sip.build import make_request
from switch.sip.message import Request

PASSWORDS = {"101": "demo-101", "102": "demo-102"}
HOME, STRANGER = "192.0.2.1", "203.0.113.9"


def credentials(user: str, algorithm: str) -> str | None:
    password = PASSWORDS.get(user)
    return None if password is None else digest.ha1(user, "vigie", password, algorithm)


def make(epoch: int = 1) -> Authenticator:
    lockout = Lockout(LockoutLimits(failures=3, unknown_users=3))
    return Authenticator("vigie", b"k" * 32, epoch, credentials, lockout=lockout)


def request(authorization: str | None = None, method: str = "REGISTER") -> Request:
    headers = [("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1"), ("CSeq", f"1 {method}")]
    if authorization is not None:
        headers.append(("Authorization", authorization))
    return make_request(method, "sip:vigie", headers)


def challenged(
    auth: Authenticator, source: str = HOME, now: float = 0.0, algorithm: str = "MD5"
) -> digest.Challenge:
    verdict = auth.verify(request(), source, now)
    assert isinstance(verdict, Challenge)
    found = [digest.parse_challenge(value) for _, value in verdict.headers]
    return next(challenge for challenge in found if challenge.algorithm == algorithm)


def answer(
    challenge: digest.Challenge, user: str = "101", password: str | None = None, nc: int = 1
) -> Request:
    secret = PASSWORDS.get(user, "guess") if password is None else password
    value = digest.authorize(challenge, user, secret, "REGISTER", "sip:vigie", nc, "abcd")
    return request(value)


def guess(auth: Authenticator, user: str, source: str, now: float = 0.0) -> Verdict:
    return auth.verify(answer(challenged(auth, source, now), user, "wrong"), source, now)


def test_a_request_without_credentials_is_challenged_with_both_algorithms() -> None:
    verdict = make().verify(request(), HOME, 0.0)
    assert isinstance(verdict, Challenge)
    assert not verdict.stale
    found = [digest.parse_challenge(value) for _, value in verdict.headers]
    assert [challenge.algorithm for challenge in found] == ["SHA-256", "MD5"]
    assert all(challenge.qop == ("auth",) for challenge in found)
    assert {name for name, _ in verdict.headers} == {"WWW-Authenticate"}


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_the_right_password_is_accepted(algorithm: str) -> None:
    auth = make()
    reply = answer(challenged(auth, algorithm=algorithm))
    assert auth.verify(reply, HOME, 1.0) == Accepted("101")


def test_proxy_headers_are_read_and_written_for_407() -> None:
    auth = make()
    verdict = auth.verify(request(), HOME, 0.0, proxy=True)
    assert isinstance(verdict, Challenge)
    assert verdict.headers[0][0] == "Proxy-Authenticate"
    reply = answer(digest.parse_challenge(verdict.headers[0][1]))
    reply.add("Proxy-Authorization", reply.get("Authorization") or "")
    reply.remove("Authorization")
    assert auth.verify(reply, HOME, 0.0, proxy=True) == Accepted("101")


def test_a_nonce_serves_on_with_a_higher_count_and_never_with_the_same() -> None:
    auth = make()
    challenge = challenged(auth)
    assert auth.verify(answer(challenge, nc=1), HOME, 0.0) == Accepted("101")
    assert auth.verify(answer(challenge, nc=2), HOME, 1.0) == Accepted("101")
    replayed = auth.verify(answer(challenge, nc=1), HOME, 2.0)
    assert isinstance(replayed, Challenge)
    assert replayed.stale
    assert "stale=true" in replayed.headers[0][1]


def test_a_phone_that_always_counts_one_is_never_locked() -> None:
    auth = make()
    challenge = challenged(auth)
    auth.verify(answer(challenge), HOME, 0.0)
    for _ in range(20):
        assert isinstance(auth.verify(answer(challenge), HOME, 0.0), Challenge)
    assert auth.verify(answer(challenged(auth)), HOME, 0.0) == Accepted("101")


def test_an_old_nonce_or_one_from_before_the_restart_is_stale_and_no_guess() -> None:
    before, after = make(epoch=1), make(epoch=2)
    old = challenged(before)
    for _ in range(5):
        late = before.verify(answer(old, password="wrong"), HOME, 10_000.0)
        restarted = after.verify(answer(old, password="wrong"), HOME, 0.0)
        assert isinstance(late, Challenge)
        assert isinstance(restarted, Challenge)
        assert late.stale
        assert restarted.stale
    assert after.verify(answer(challenged(after)), HOME, 0.0) == Accepted("101")


def test_without_qop_a_nonce_serves_once() -> None:
    auth = make()
    challenge = challenged(auth)
    bare = digest.Challenge(challenge.realm, challenge.nonce, "MD5")
    value = digest.authorize(bare, "101", "demo-101", "REGISTER", "sip:vigie", 1, "")
    assert auth.verify(request(value), HOME, 0.0) == Accepted("101")
    assert isinstance(auth.verify(request(value), HOME, 0.0), Challenge)


def test_another_method_does_not_fit() -> None:
    auth = make()
    value = answer(challenged(auth)).get("Authorization")
    assert auth.verify(request(value, "INVITE"), HOME, 0.0) == Rejected()


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer() -> None:
    auth = make()
    assert guess(auth, "101", HOME) == guess(auth, "999", HOME) == Rejected("bad_credentials")


def test_guessing_is_locked_out_even_with_the_right_password() -> None:
    auth = make()
    verdicts = [guess(auth, "101", STRANGER) for _ in range(3)]
    assert verdicts == [Rejected(), Rejected(), Rejected(locked=True)]
    right = answer(challenged(auth, STRANGER))
    assert auth.verify(right, STRANGER, 1.0) == Rejected(locked=True)
    assert auth.verify(answer(challenged(auth)), HOME, 1.0) == Accepted("101")
    later = answer(challenged(auth, STRANGER, 700.0))
    assert auth.verify(later, STRANGER, 700.0) == Accepted("101")


def test_a_registered_phone_survives_guessers_behind_its_own_nat() -> None:
    auth = make()
    auth.registered("101", HOME, 0.0)
    for user in ("900", "901", "902", "101", "101", "101", "101"):
        guess(auth, user, HOME)
    assert auth.verify(answer(challenged(auth)), HOME, 0.0) == Accepted("101")
    assert auth.verify(answer(challenged(auth), "102"), HOME, 0.0) == Rejected(locked=True)


@pytest.mark.parametrize(
    "value",
    [
        "Basic YWxpY2U6",
        "Digest",
        'Digest username="101"',
        'Digest username="101", realm="other", nonce="a", uri="sip:a", response="b"',
        'Digest username="101", realm="vigie", nonce="a", uri="sip:a", response="b", algorithm=MD4',
        'Digest username="1", realm="vigie", nonce="a", uri="a", response="", qop=x, nc=00000001, cnonce="c"',
    ],
)
def test_what_does_not_answer_our_challenge_gets_a_new_one(value: str) -> None:
    verdict = make().verify(request(value), HOME, 0.0)
    assert isinstance(verdict, Challenge)
    assert not verdict.stale


def test_a_garbled_response_is_a_wrong_password() -> None:
    auth = make()
    value = (answer(challenged(auth)).get("Authorization") or "").replace(
        'response="', 'response="é'
    )
    assert auth.verify(request(value), HOME, 0.0) == Rejected()


def test_swapped_facts_change_the_passwords() -> None:
    auth = make()
    auth.use(lambda user, algorithm: None)
    assert auth.verify(answer(challenged(auth)), HOME, 0.0) == Rejected()


COMING = "the next one"


def coming(user: str, algorithm: str) -> str | None:
    return digest.ha1(user, "vigie", COMING, algorithm) if user == "101" else None


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
def test_two_secrets_count_while_one_replaces_the_other(algorithm: str) -> None:
    auth = make()
    auth.use(credentials, coming)
    old = auth.verify(answer(challenged(auth, algorithm=algorithm)), HOME, 0.0)
    assert old == Accepted("101")
    new = auth.verify(answer(challenged(auth, algorithm=algorithm), password=COMING), HOME, 0.0)
    assert new == Accepted("101", is_next=True)
    assert isinstance(guess(auth, "101", HOME), Rejected)
    other = auth.verify(answer(challenged(auth), "102", COMING), HOME, 0.0)
    assert isinstance(other, Rejected)


def test_a_retired_secret_counts_no_more() -> None:
    auth = make()
    auth.use(coming, lambda user, algorithm: None)
    assert auth.verify(answer(challenged(auth), password=COMING), HOME, 0.0) == Accepted("101")
    assert isinstance(auth.verify(answer(challenged(auth)), HOME, 0.0), Rejected)
