"""Emergency routes on the wire: TCP that does not open, another stack as the centre, a silent trunk,
the routing table through reload and restart, and `vigie emergency test`."""

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.request import urlopen

import pytest

from switch.demo.handset import Handset
from switch.sip.build import make_cancel, make_response
from switch.sip.ids import new_tag
from switch.sip.message import Request
from switch.sip.parser import parse
from tests.wire.far_end import FarEnd
from tests.wire.rig import ROOT, Rig, free_port, until
from tests.wire.softphone import Softphone
from tests.wire.test_emergency import location_of

CENTRE = "127.0.1.4"
TABLE = ROOT / "tests" / "switch" / "routing" / "fixtures" / "psap_routes.csv"


class Ways(Rig):
    """The first trunk wants PIDF-LO and takes UDP or TCP; the second wants long numbers, by UDP, and
    nobody is there. Both are probed every 2 s."""

    centre: tuple[str, int]
    second: tuple[str, int]

    def _write_config(self) -> None:
        super()._write_config()
        self.centre = (CENTRE, free_port(CENTRE))
        self.second = (CENTRE, free_port(CENTRE))
        path = self.config / "vigie.toml"
        text = path.read_text("utf-8")
        for trunk, address, changes in (
            ("carrier-1", self.centre, 'transport = "udp"\nprofile = "A"\npidf_lo = true'),
            ("carrier-2", self.second, 'transport = "udp"\nprofile = "B"'),
        ):
            section = f'[[trunk]]\nid = "{trunk}"\naddress = "{address[0]}"\nport = {address[1]}\n'
            pattern = rf'(?s)\[\[trunk\]\]\nid = "{trunk}".*?(?=\n\n|\Z)'
            text, count = re.subn(pattern, f"{section}{changes}\ntrusted = true", text)
            assert count == 1
        text = text.replace("[emergency]", "[emergency]\nprobe_s = 2", 1)
        path.write_text(text, "utf-8")


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    with Ways(tmp_path_factory.mktemp("ways")) as running:
        yield running


@pytest.fixture
def caller(ways: Ways) -> Iterator[Softphone]:
    """Line 101's phone."""
    with Softphone(("127.0.0.1", ways.port), "101") as phone:
        phone.register()
        yield phone


def first_invite(centre: socket.socket, limit_s: float) -> tuple[float, Request]:
    """When the first INVITE came by UDP (monotonic), and the INVITE, which rings; probes are answered."""
    end = time.monotonic() + limit_s
    while (left := end - time.monotonic()) > 0:
        if not select.select([centre], [], [], left)[0]:
            break
        data, source = centre.recvfrom(65_536)
        at, message = time.monotonic(), parse(data)
        if isinstance(message, Request) and message.method == "INVITE":
            ringing = make_response(message, 180, to_tag=new_tag())
            centre.sendto(ringing.to_bytes(), source)
            return at, message
        if isinstance(message, Request) and message.method == "OPTIONS":
            answer = make_response(message, 200, to_tag=new_tag())
            centre.sendto(answer.to_bytes(), source)
    raise AssertionError(f"no INVITE by UDP within {limit_s} s")


def black_hole(stack: ExitStack, address: tuple[str, int]) -> None:
    """A TCP port where no connection is refused and none is opened: its queue is full."""
    listener = stack.enter_context(socket.socket())
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(0)
    for _ in range(4):
        filler = stack.enter_context(socket.socket())
        filler.setblocking(False)
        filler.connect_ex(address)
    probe = stack.enter_context(socket.socket())
    probe.settimeout(0.2)
    with pytest.raises(TimeoutError):
        probe.connect(address)


@pytest.mark.parametrize(
    ("opens", "least_s", "most_s"), [(False, 0.5, 0.75), (None, 0.0, 0.2)], ids=["hole", "refused"]
)
def test_tcp_that_does_not_open_gives_way_to_udp(
    ways: Ways, caller: Softphone, opens: bool | None, least_s: float, most_s: float
) -> None:
    """500 ms are waited for a connection, and none for one that is refused; then UDP, without PIDF-LO."""
    with ExitStack() as stack:
        centre = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        centre.bind(ways.centre)
        if opens is False:
            black_hole(stack, ways.centre)
        began = time.monotonic()
        asked = caller.invite("18")
        caller.send(asked)
        at, invite = first_invite(centre, 2.0)
        # Hung up: the way of 112 would try the same TCP port again, also for a call that comes next.
        caller.send(make_cancel(asked))
        assert caller.final(asked).status == 487
    print(f"INVITE by UDP after {(at - began) * 1000:.0f} ms")
    assert least_s <= at - began < most_s
    assert invite.uri == f"sip:18@{CENTRE}:{ways.centre[1]}"
    assert not invite.has("Geolocation")
    assert invite.content_type == "application/sdp"
    assert invite.get("P-Access-Network-Info") == (
        'GSTN;operator-specific-GI="VG7510800";network-provided'
    )


def test_another_stack_takes_the_call_with_its_location(ways: Ways, caller: Softphone) -> None:
    """pjsua2 as the centre: it finds the SDP in the multipart, answers it, and media could flow.

    It drops a Request-URI that is a URN, as profile C has; a Kamailio reads that one
    (test_golden_readers.py).
    """
    with Handset("--address", CENTRE, "--port", str(ways.centre[1])) as psap:
        invite = caller.invite("18")
        caller.send(invite)
        incoming = psap.wait("incoming")
        came = parse(incoming["message"].replace("\r\n", "\n").replace("\n", "\r\n").encode())
        assert isinstance(came, Request)
        assert came.request_uri.user == "18" and came.via.transport == "TCP"
        place = location_of(came)
        assert "INSEE:75108" in [node.text for node in place.iter("{*}ADDCODE")]
        psap.do("answer", call=incoming["call"], code=200)
        psap.wait("call", call=incoming["call"], state="confirmed")
        answered = caller.final(invite)
        assert answered.status == 200
        assert b"m=audio" in answered.body and b"PCMA/8000" in answered.body
        psap.do("hangup", call=incoming["call"])
        psap.wait("call", call=incoming["call"], state="disconnected")


def test_a_silent_emergency_trunk_is_noticed_and_cleared(ways: Ways) -> None:
    """Nobody called: probing tells. Alarm, metric and notice; all gone or answered when it is back."""

    def alarms() -> list[str]:
        found = ways.ask("status")["alarms"]
        return [text for text in found if text.startswith("Emergency calls try carrier carrier-2")]

    def metric() -> str:
        page = urlopen(f"http://127.0.0.1:{ways.http_port}/metrics").read().decode()
        return next(line for line in page.splitlines() if 'trunk_up{trunk="carrier-2"}' in line)[
            -3:
        ]

    until(alarms, 15.0, "the alarm")
    assert metric() == "0.0"
    told = until(
        lambda: [n for n in ways.ask("notice.list") if n["kind"] == "trunk_silent"], 3.0, "a notice"
    )
    assert told
    with FarEnd(*ways.second) as back:
        end = time.monotonic() + 8.0
        while alarms() and time.monotonic() < end:
            for ready in select.select(back.sockets, [], [], 0.1)[0]:
                back.serve(ready)
    assert alarms() == []
    assert metric() == "1.0"
    until(lambda: [n for n in ways.ask("notice.list") if n["kind"] == "trunk_answers"], 3.0)


def test_the_table_is_in_force_at_once_after_a_reload_and_after_a_restart(ways: Ways) -> None:
    def second_uri() -> str:
        targets = ways.ask("explain.call", line="101", dial="18")["targets"]
        return next(each["request_uri"] for each in targets if each["trunk"] == "carrier-2")

    where = f"@{ways.second[0]}:{ways.second[1]}"
    assert second_uri() == f"sip:18{where}"
    assert any("routing table" in text for text in ways.ask("status")["alarms"])
    done = ways.run("emergency", "routes", "import", str(TABLE), "--json")
    assert (done.returncode, json.loads(done.stdout)["version"]) == (0, 1), done.stderr
    long_number = ways.ask("emergency.routes.show", number="18", insee="75108")["long_number"]
    assert long_number.startswith("+3319900")
    assert second_uri() == f"sip:{long_number}{where}"
    assert not any("routing table" in text for text in ways.ask("status")["alarms"])
    assert ways.ask("config.apply")["applied"]
    assert second_uri() == f"sip:{long_number}{where}"
    ways.stop()
    ways.start()
    assert second_uri() == f"sip:{long_number}{where}"


def test_vigie_emergency_test(ways: Ways, caller: Softphone) -> None:
    with FarEnd(*ways.centre) as centre:
        asked = ways.begin("emergency", "test", "--line", "101", "--json")
        while asked.poll() is None:
            for ready in select.select(centre.sockets, [], [], 0.05)[0]:
                centre.serve(ready)
        assert not centre.invites(), "no call is placed"
    found = json.loads(asked.communicate()[0])
    assert (asked.returncode, found["ready"]) == (0, True)
    assert found["evidence"]["level"] == "E0"
    assert found["location"]["insee"] == "75108"
    first, second = found["targets"][:2]
    assert (first["trunk"], first["profile"], first["transport"]) == ("carrier-1", "A", "TCP")
    assert first["octets"] > 1300
    assert first["body_types"] == ["application/sdp", "application/pidf+xml"]
    pani = 'GSTN;operator-specific-GI="VG7510800";network-provided'
    assert ["P-Access-Network-Info", pani] in first["headers"]
    assert (second["trunk"], second["profile"], second["transport"]) == ("carrier-2", "B", "UDP")
    answers = {(each["trunk"], each["transport"]): each["answer_ms"] for each in found["trunks"]}
    assert answers["carrier-1", "UDP"] < 1000 and answers["carrier-1", "TCP"] < 1000
    assert answers["carrier-2", "UDP"] is None
    slugs = {each["slug"] for each in found["weak"]}
    assert {"trunk_silent", "pidf_needs_tcp", "one_address"} <= slugs
    text = ways.run("emergency", "test", "--line", "101").stdout
    assert "WOULD NOT BE CONNECTED" in text and "no trunk answers" in text
