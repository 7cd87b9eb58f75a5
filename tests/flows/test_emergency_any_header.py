"""Whatever chance writes into an INVITE for help, it leaves by a trunk, and its answer reaches the phone."""

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from switch import config
from switch.sip.limits import MAX_DATAGRAM_BYTES, MAX_HEAD_BYTES, MAX_LINE_CHARS
from switch.sip.message import Request
from tests.flows.actors import World, sdp
from tests.flows.damaged import SDP_BODY, answers, datagram

NAMES = st.sampled_from(
    """Max-Forwards Expires Contact Route Record-Route Require Proxy-Require Supported Allow Date Event
    Session-Expires Min-SE Replaces Join Subject Priority Privacy P-Asserted-Identity RAck RSeq Reason
    P-Preferred-Identity P-Access-Network-Info Geolocation Geolocation-Routing Resource-Priority Identity
    Diversion History-Info Alert-Info Content-Disposition Content-Encoding Content-Language MIME-Version
    Content-Type Authorization Proxy-Authorization User-Agent Accept Path Timestamp Via To X-Any f t v l
    """.split()  # noqa: SIM905 (seventy quoted words are no easier to read)
)
NOISE = st.text(
    st.sampled_from([*"abc0189 \t<>@:;=,?%\"'\\()[]*+-_.~#", "é", "\x7f", "\x85", "\u2028"]),
    max_size=40,
)
VALUES = st.one_of(
    NOISE,
    st.sampled_from(["", "0", "-1", "9" * 25, "*", "<sip:", "sip:a@b:99999", '"', "100rel", "x/y"]),
    st.builds(str.__add__, st.sampled_from(["timer, ", "<sip:a@b>", "application/sdp;"]), NOISE),
    st.builds(str.__mul__, st.sampled_from(["x", ",", ";a", "<a:b>,", "9"]), st.integers(1, 9000)),
)
OPTIONAL = ("Max-Forwards", "To", "Contact", "Content-Type", "Content-Length", "Authorization")
Edit = tuple[str, str, str]
"""What is done, the header field, the value."""
REPEATED = ("Via", "v", "Record-Route")
LONGEST_NAME = len("Record-Route: ")
OWN_BYTES = 2048  # more than an answer has beside them


def is_answerable(edits: list[Edit]) -> bool:
    """Whether the test's phone can read an answer that repeats these fields (RFC 3261 §8.2.6.2, §12.1.1):
    its limits are the switch's own. Values beyond those of a line are not repeated."""
    values = [len(value) for _, name, value in edits if name in REPEATED]
    lines = [LONGEST_NAME + chars for chars in values if chars <= MAX_LINE_CHARS]
    return max(lines, default=0) <= MAX_LINE_CHARS and sum(lines) <= MAX_HEAD_BYTES - OWN_BYTES


EDITS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NAMES, VALUES),
        st.tuples(st.just("set"), st.sampled_from(OPTIONAL), VALUES),
        st.tuples(st.just("drop"), st.sampled_from(OPTIONAL), st.just("")),
        st.tuples(st.just("line"), st.just(""), NOISE),
    ),
    min_size=1,
    max_size=6,
).filter(is_answerable)
BODIES = st.sampled_from([SDP_BODY, b"", b"\0\xff", SDP_BODY[:40], b"--x\r\n\r\nv=0\r\n--x--"])
PROFILE = {"database": None, "suppress_health_check": list(HealthCheck)}


def edited(data: bytes, edits: list[Edit], body: bytes) -> bytes:
    lines = data.partition(b"\r\n\r\n")[0].split(b"\r\n")
    for what, name, value in edits:
        prefix = name.encode() + b":"
        text = value.encode("utf-8", "surrogatepass")
        place = next((n for n, each in enumerate(lines) if each.startswith(prefix)), len(lines))
        match what:
            case "add":
                lines.append(prefix + b" " + text)
            case "line":
                lines.append(text or b"x")
            case "set":
                lines[place : place + 1] = [prefix + b" " + text]
            case "drop":
                del lines[place : place + 1]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def leaves(found: config.Configuration, number: str, edits: list[Edit], body: bytes) -> None:
    world = World(found)
    phone = world.phone("101", port=21_000)
    carriers = [world.carrier(1), world.carrier(1, "TCP"), world.carrier(2)]
    data = edited(datagram(phone, number), edits, body)
    assume(len(data) <= MAX_DATAGRAM_BYTES)
    world.deliver(data, phone.flow)
    came = [m for each in carriers for m in each.inbox if isinstance(m, Request)]
    assert [m.method for m in came] == ["INVITE"], answers(phone)
    carrier = next(each for each in carriers if each.inbox)
    psap = carrier.called()
    psap.answer(200, body=sdp("psap"))
    assert answers(phone) == [200]
    world.restarted()  # what the journal has of it can be read


@settings(max_examples=400, **PROFILE)  # type: ignore[arg-type]
@given(number=st.sampled_from(["18", "112", "115"]), edits=EDITS, body=BODIES)
def test_no_header_field_stops_a_call_for_help(
    demo: config.Configuration, number: str, edits: list[Edit], body: bytes
) -> None:
    leaves(demo, number, edits, body)


@pytest.mark.full
@settings(max_examples=10_000, **PROFILE)  # type: ignore[arg-type]
@given(number=st.sampled_from(["18", "112", "115"]), edits=EDITS, body=BODIES)
def test_no_header_field_stops_any_of_ten_thousand(
    demo: config.Configuration, number: str, edits: list[Edit], body: bytes
) -> None:
    leaves(demo, number, edits, body)
