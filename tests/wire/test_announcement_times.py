"""Announcements in time: how soon they begin, many at once, and when their worker dies or hangs."""

import os
import re
import select
import signal
import socket
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from switch.sip.build import make_cancel
from switch.sip.message import Request, Response
from tests.wire.rig import until
from tests.wire.scene import ABROAD, Scene
from tests.wire.softphone import SDP, Softphone

FIRST_RTP_S = 0.15
AT_ONCE_S = 2.0  # for all of a hundred, on a busy machine: who waits, waits for 41 s
HUNG_S = 1.6
SLACK_S = 0.5
SHORT, LONG = 5, 40
CROWD = 100
LINE = """
[[line]]
id = "w{n}"
account = "demo"
site = "paris-8"
number = "+331990100{n:02d}"
password = "demo-w{n}"
"""
SLOTS = 8  # two workers of four calls; a warning may use them all


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A switch of its own, whose workers are at nobody else's service."""
    scene = Scene(tmp_path_factory.mktemp("announcements"))
    scene.rewrite(lambda text: text + "".join(LINE.format(n=n) for n in range(CROWD)))
    with scene as running:
        running.rig.wait_for_sounds("abroad", "suspended")
        for n in range(CROWD):
            running.phone(f"w{n}", ABROAD)
        yield running


class Ear:
    """Where a phone's audio arrives."""

    def __init__(self, host: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.setblocking(False)
        port = self.socket.getsockname()[1]
        self.sdp = SDP.replace(b"127.0.0.1", host.encode()).replace(b"40000", b"%d" % port)

    def hear(self) -> list[int]:
        """The ports that RTP has come from, a packet each."""
        heard = []
        while True:
            try:
                packet, source = self.socket.recvfrom(2048)
            except BlockingIOError:
                return heard
            if len(packet) > 12 and packet[0] >> 6 == 2:
                heard.append(source[1])


@dataclass(slots=True)
class Said:
    """What a caller got, at seconds after all had called."""

    status: int = 0
    at: float = 0.0
    media_port: int = 0
    reason: str = ""


@dataclass(slots=True)
class Crowd:
    """Calls that begin together, each of a line of its own."""

    ear: Ear
    scene: Scene
    calls: dict[str, tuple[Softphone, Request]] = field(default_factory=dict)
    said: dict[str, list[Said]] = field(default_factory=dict)
    began: float = 0.0
    heard: Counter[int] = field(default_factory=Counter)

    def call(self, number: str, count: int) -> None:
        self.began = time.monotonic()
        self.scene.first.forget()
        for n in range(count):
            phone = self.scene.phone(f"w{n}", ABROAD)
            invite = phone.invite(number, self.ear.sdp)
            self.calls[invite.call_id] = phone, invite
            self.said[invite.call_id] = []
            phone.send(invite)

    def listen(self, seconds: float) -> None:
        """Take what comes, and let the far ends answer."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            phones = {phone.socket: phone for phone, _ in self.calls.values()}
            watched = [self.ear.socket, *phones]
            watched += [each for far_end in self.scene.far_ends for each in far_end.sockets]
            for ready in select.select(watched, [], [], left)[0]:
                for far_end in self.scene.far_ends:
                    far_end.serve(ready)
                phone = phones.get(ready)
                while phone is not None and (message := phone.read()) is not None:
                    self._take(phone, message)
            self.heard.update(self.ear.hear())

    def listen_until_all_got_something(self) -> None:
        """Within the limit, and then to those who speak."""
        end = time.monotonic() + AT_ONCE_S
        while time.monotonic() < end and not all(self.said.values()):
            self.listen(0.1)
        self.listen(0.3)

    def _take(self, phone: Softphone, message: Request | Response) -> None:
        if not isinstance(message, Response) or message.cseq.method != "INVITE":
            return
        if message.status == 100 or message.call_id not in self.said:
            return
        found = re.search(rb"m=audio (\d+)", message.body)
        self.said[message.call_id].append(
            Said(
                message.status,
                time.monotonic() - self.began,
                int(found[1]) if found else 0,
                message.get("Reason") or "",
            )
        )
        if message.status >= 300:
            phone.acknowledge_refusal(self.calls[message.call_id][1], message)

    def first(self) -> list[Said]:
        """What each caller got first."""
        return [answers[0] if answers else Said() for answers in self.said.values()]

    def finals(self, media_ports: set[int] | None = None) -> list[Said]:
        """The final responses, of those whose first words came from these ports."""
        return [
            answers[-1]
            for answers in self.said.values()
            if answers
            and answers[-1].status >= 200
            and (media_ports is None or answers[0].media_port in media_ports)
        ]

    def leave(self) -> None:
        """End whatever is still up, as an operator."""
        for call in self.scene.rig.ask("call.list"):
            self.scene.rig.ask("call.hangup", call_id=call["call_id"], force=True)
        self.listen(0.3)
        until(lambda: self.scene.rig.gauge("media_slots_free") >= SLOTS, 10, "all workers free")


@pytest.fixture
def crowd(scene: Scene) -> Iterator[Crowd]:
    """Callers in Germany, by their address alone."""
    until(lambda: scene.rig.gauge("media_slots_free") >= SLOTS, 10, "both workers")
    gathered = Crowd(Ear(ABROAD), scene)
    yield gathered
    gathered.leave()
    gathered.ear.socket.close()


@pytest.mark.parametrize(
    "count", [SHORT, pytest.param(LONG, marks=pytest.mark.full)], ids=["short", "full"]
)
@pytest.mark.parametrize(
    ("line", "host", "number"),
    [("103", ABROAD, "18"), ("105", "127.0.0.1", "0145678901")],
    ids=["abroad", "suspended"],
)
def test_the_first_rtp_packet_comes_at_once(
    scene: Scene, line: str, host: str, number: str, count: int
) -> None:
    phone = scene.phone(line, host)
    ear = Ear(host)
    times = []
    for _ in range(count):
        if number != "18":  # a registered phone is challenged for all but emergency calls
            phone.ask(phone.request("OPTIONS", phone.uri()))
        invite = phone.invite(number, ear.sdp)
        if phone.challenge is not None and number != "18":
            phone.sign(invite)
        ear.hear()
        began = time.monotonic()
        phone.send(invite)
        until(ear.hear, 3, "RTP", every_s=0.001)
        times.append(time.monotonic() - began)
        phone.send(make_cancel(invite))
        phone.acknowledge_refusal(invite, phone.final(invite))
        until(lambda: scene.rig.gauge("media_slots_free") >= SLOTS, 5, "slots", every_s=0.05)
    ear.socket.close()
    median, worst = statistics.median(times), max(times)
    print(f"| {number} from line {line} | {count} | {median * 1000:.0f} | {worst * 1000:.0f} |")
    assert median <= FIRST_RTP_S


def test_a_hundred_blocked_callers_none_of_whom_waits(crowd: Crowd) -> None:
    """By their address alone they are abroad: who can't be warned is connected."""
    crowd.call("18", CROWD)
    crowd.listen_until_all_got_something()
    got = Counter(said.status for said in crowd.first())
    assert got == {183: SLOTS, 180: CROWD - SLOTS}, got
    assert max(said.at for said in crowd.first()) <= AT_ONCE_S
    assert len(crowd.scene.first.invites()) == CROWD - SLOTS
    speaking = {said.media_port for said in crowd.first() if said.status == 183}
    assert set(crowd.heard) == speaking and len(speaking) == SLOTS, "each of them hears it"


def test_a_killed_worker_costs_its_own_calls_and_these_get_their_final_response(
    crowd: Crowd,
) -> None:
    crowd.call("18", SLOTS)
    crowd.listen(1)
    victim, ports = media_ports(crowd, 0)
    killed = time.monotonic() - crowd.began
    os.kill(victim, signal.SIGKILL)
    crowd.listen(SLACK_S)
    finals = crowd.finals(ports)
    assert [said.status for said in finals] == [403] * len(ports)
    assert all("abroad" in said.reason for said in finals)
    assert max(said.at for said in finals) - killed <= SLACK_S
    assert len(crowd.finals()) == len(ports), "the other worker's callers hear on"
    crowd.heard.clear()
    crowd.listen(0.3)
    others = {said.media_port for said in crowd.first()} - ports
    assert set(crowd.heard) == others


def test_a_hung_worker_is_given_up_in_time(crowd: Crowd) -> None:
    crowd.call("18", SLOTS)
    crowd.listen(1)
    victim, ports = media_ports(crowd, 1)
    hung = time.monotonic() - crowd.began
    os.kill(victim, signal.SIGSTOP)
    crowd.listen(HUNG_S + SLACK_S)
    finals = crowd.finals(ports)
    assert [said.status for said in finals] == [403] * len(ports)
    assert max(said.at for said in finals) - hung <= HUNG_S + SLACK_S
    assert len(crowd.finals()) == len(ports)


def test_a_hundred_whose_account_says_that_they_are_abroad(crowd: Crowd) -> None:
    """Their block rests on more than an address: who can't be warned is refused at once."""
    for n in range(CROWD):
        crowd.scene.rig.ask("line.declare", line=f"w{n}", country="DE")
    crowd.call("18", CROWD)
    crowd.listen_until_all_got_something()
    got = Counter(said.status for said in crowd.first())
    assert got == {183: SLOTS, 403: CROWD - SLOTS}, got
    assert max(said.at for said in crowd.first()) <= AT_ONCE_S
    assert crowd.scene.first.invites() == []


def media_ports(crowd: Crowd, place: int) -> tuple[int, set[int]]:
    """A worker's process, and the RTP ports of the callers who hear it."""
    worker = crowd.scene.rig.workers()[place]
    own = udp_ports(worker)
    ports = {said.media_port for said in crowd.first()} & own
    assert len(ports) == SLOTS // 2
    return worker, ports


def udp_ports(pid: int) -> set[int]:
    """The UDP ports that a process has open."""
    sockets = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        target = os.readlink(f"/proc/{pid}/fd/{name}")
        if target.startswith("socket:["):
            sockets.add(target[8:-1])
    with open(f"/proc/{pid}/net/udp") as table:
        rows = [row.split() for row in table.readlines()[1:]]
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in sockets}
