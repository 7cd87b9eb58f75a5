import pytest

from switch.media.playback import (
    ECHO_LIMIT_S,
    KEY_WINDOW_S,
    MEDIA_WAIT_S,
    Ending,
    Mode,
    Order,
    Playback,
    State,
    read_header,
)

INVITE = (
    "INVITE sip:{user}@127.0.0.1:5999;transport=udp SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1\r\n"
    "{headers}"
    "\r\n"
    "v=0\r\nX-Vigie-Final: 699\r\n"
)


def parse(user: str, headers: str = "") -> Order:
    return Order.parse(INVITE.format(user=user, headers=headers))


def test_an_early_order_is_read_whole() -> None:
    headers = "X-Vigie-Answer: early\r\nx-vigie-final:403 \r\nX-Vigie-Keys: 1\r\n"
    assert parse("abroad", headers) == Order(("abroad",), Mode.EARLY, 403, frozenset("1"))


def test_without_headers_it_answers_and_a_header_in_the_body_counts_for_nothing() -> None:
    assert parse("suspended") == Order(("suspended",), Mode.ANSWER, 480, frozenset())


def test_names_are_joined_by_plus() -> None:
    assert parse("readback-101+verdict-connect").names == ("readback-101", "verdict-connect")


@pytest.mark.parametrize("keys", ["1,2", "1 2", "12", "1, 2"])
def test_keys_are_single_characters_however_they_are_listed(keys: str) -> None:
    assert parse("x", f"X-Vigie-Keys: {keys}\r\n").keys == frozenset("12")


@pytest.mark.parametrize(
    "headers",
    [
        "X-Vigie-Answer: late\r\n",
        "X-Vigie-Final: 200\r\n",
        "X-Vigie-Final: 4O3\r\n",
        "X-Vigie-Final: 700\r\n",
    ],
)
def test_a_wrong_order_is_refused(headers: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse("abroad", headers)


@pytest.mark.parametrize(
    "line", ["INVITE sip:127.0.0.1 SIP/2.0", "INVITE tel:18 SIP/2.0", "BYE sip:a@b SIP/2.0"]
)
def test_a_request_that_names_nothing_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="names no announcement"):
        Order.parse(line + "\r\n\r\n")


def test_read_header_finds_the_first_and_only_in_the_head() -> None:
    message = "INVITE sip:a@b SIP/2.0\r\nReason: one\r\nREASON: two\r\n\r\nWarning: body\r\n"
    assert read_header(message, "reason") == "one"
    assert read_header(message, "Warning") is None


ABROAD = Order(("abroad",), Mode.EARLY, 403, frozenset("1"))


def test_an_early_announcement_that_nobody_ends_ends_itself_after_the_key_window() -> None:
    playback = Playback(ABROAD, 40.0, now=100.0)
    assert playback.start(100.1)
    assert playback.poll(140.0) is None
    assert playback.state is State.PLAYING
    assert playback.poll(140.2) is None
    assert playback.state is State.LINGERING
    assert playback.poll(140.1 + KEY_WINDOW_S - 0.01) is None
    assert playback.poll(140.1 + KEY_WINDOW_S) == Ending(403)
    assert playback.state is State.FINISHED
    assert playback.poll(500.0) is None


def test_without_keys_the_end_of_the_sound_is_the_end() -> None:
    playback = Playback(Order(("suspended",), Mode.EARLY, 403), 8.0, now=0.0)
    playback.start(0.0)
    assert playback.poll(8.0) == Ending(403)


@pytest.mark.parametrize("at", [None, 10.0, 43.0])
def test_a_key_counts_before_during_and_after_the_sound(at: float | None) -> None:
    playback = Playback(ABROAD, 40.0, now=0.0)
    if at is not None:
        playback.start(0.0)
        playback.poll(at)
    assert playback.press("1") == Ending(380, "1")
    assert playback.press("1") is None


def test_another_key_changes_nothing() -> None:
    playback = Playback(ABROAD, 40.0, now=0.0)
    playback.start(0.0)
    assert playback.press("2") is None
    assert playback.state is State.PLAYING


def test_media_that_never_comes_up_ends_the_call() -> None:
    playback = Playback(ABROAD, 40.0, now=0.0)
    assert playback.poll(MEDIA_WAIT_S - 0.1) is None
    assert playback.poll(MEDIA_WAIT_S) == Ending(403)
    assert not playback.start(MEDIA_WAIT_S + 1)


def test_a_second_start_does_not_play_again() -> None:
    playback = Playback(ABROAD, 40.0, now=0.0)
    assert playback.start(0.0)
    assert not playback.start(30.0)
    playback.poll(40.0)
    assert playback.state is State.LINGERING


def test_an_echo_echoes_after_its_words_and_not_for_ever() -> None:
    playback = Playback(Order(("echo",)), 5.0, now=0.0)
    playback.start(0.0)
    assert playback.poll(5.0) is None
    assert playback.state is State.ECHOING
    assert playback.poll(5.0 + ECHO_LIMIT_S) == Ending(480)


def test_a_poll_that_comes_very_late_still_ends() -> None:
    playback = Playback(ABROAD, 40.0, now=0.0)
    playback.start(0.0)
    assert playback.poll(1000.0) == Ending(403)
