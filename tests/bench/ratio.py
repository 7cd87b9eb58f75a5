"""What an emergency call costs beside an ordinary one: calls of registered phones to a trunk, by turns.

Both kinds are the same SIPp scenario with the same messages, to one switch process: a registered phone
calls with the credentials of an earlier challenge (RFC 7616 §3.4.2), so neither is challenged. Only the
number differs. A third kind is the ordinary call with a challenge, which tells what that adds. They
alternate in blocks, and each block is measured until its last timer has ended: what calls leave to be
done afterwards (notices, database, audit chain, journal) is in it. The figures are medians over rounds
of one block each, after a round that warms up.

At the end each emergency call must have its row in the audit and its notice to the site on the disk.
"""

import socket
import sqlite3
import statistics
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from house import ALL_LINES, PHONE, Address, BenchLine, write_users
from load import Load, LoadFailed, until

from switch.sip.digest import Challenge, authorize, choose_challenge
from switch.sip.parser import parse

RATE = 200.0  # calls a second, of either kind: a third of the core, as for other figures
BLOCK = 300  # calls
EMERGENCY, CALLED_OUT = "18", "0145678901"
KINDS = {  # number and scenario
    "challenged": (CALLED_OUT, "phone"),
    "call out": (CALLED_OUT, "known"),
    "emergency": (EMERGENCY, "known"),
}
STORED_S = 10.0  # by then all is in the database

_REGISTER = """\
REGISTER sip:{server[0]}:{server[1]} SIP/2.0
Via: SIP/2.0/UDP {phone[0]}:{phone[1]};branch=z9hG4bKnonce{line.id}
From: <sip:{line.id}@{server[0]}>;tag=nonce
To: <sip:{line.id}@{server[0]}>
Call-ID: nonce-{line.id}
CSeq: 1 REGISTER
Max-Forwards: 70
Content-Length: 0

"""


@dataclass(slots=True)
class Phones:
    """The phones that call: each has a challenge, whose nonce it uses again and again."""

    server: Address
    work: Path
    challenges: list[Challenge]
    uses: int = 0

    @classmethod
    def challenged(cls, server: Address, work: Path) -> "Phones":
        """As many as a block needs. LoadFailed when the switch doesn't challenge one."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            phone.bind(PHONE)
            phone.connect(server)
            phone.settimeout(2)
            challenges = [_challenge(phone, server, line) for line in ALL_LINES[:BLOCK]]
        return cls(server, work, challenges)

    def users(self, dialled: str, scenario: str) -> Path:
        """SIPp's table for the next block: number, line, Authorization or what SIPp makes it of."""
        path = self.work / f"{scenario}-users.csv"
        if scenario == "phone":
            return write_users(path, by_number=True, dialled=dialled)
        self.uses += 1
        uri = f"sip:{dialled}@{self.server[0]}:{self.server[1]}"
        rows = ["SEQUENTIAL"]
        for line, challenge in zip(ALL_LINES, self.challenges, strict=False):
            value = authorize(challenge, line.id, line.password, "INVITE", uri, self.uses, "bench")
            rows.append(f"{dialled};{line.id};Authorization: {value}")
        path.write_text("\n".join(rows) + "\n")
        return path


@dataclass(slots=True)
class Costs:
    """CPU microseconds per call of each block, by kind, in the order of the run."""

    of: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})

    def median(self, kind: str) -> float:
        """Of the blocks after the first."""
        return statistics.median(self.of[kind][1:])

    def ratios(self, ordinary: str) -> list[float]:
        """Emergency / ordinary of each round after the first; "challenged" is as phones call, whose every
        INVITE but that of a call for help is challenged."""
        pairs = zip(self.of[ordinary], self.of["emergency"], strict=True)
        return [emergency / other for other, emergency in pairs][1:]

    @property
    def challenge(self) -> float:
        """What the challenge adds to an ordinary call."""
        pairs = zip(self.of["call out"], self.of["challenged"], strict=True)
        return statistics.median([more - less for less, more in pairs][1:])


def compare(
    phones: Phones, core: int, rounds: int, measure: Callable[[Callable[[], object], int], float]
) -> Costs:
    """`rounds` blocks of each kind by turns, the order turned round each time, and a round before them.

    `measure(run, count)` gives the CPU microseconds of each of `count` calls that `run` makes.
    """
    costs = Costs()
    for turn in range(rounds + 1):
        kinds: Sequence[str] = list(KINDS)
        for kind in kinds if turn % 2 else reversed(kinds):
            number, scenario = KINDS[kind]
            load = Load(phones.server, phones.users(number, scenario), phones.work, core)
            run = partial(load.call_out, BLOCK, RATE, scenario)
            costs.of[kind].append(measure(run, BLOCK))
    return costs


def check_aftermath(data: Path, calls: int) -> None:
    """LoadFailed unless `calls` emergency calls left all that they must leave."""

    def found() -> dict[str, int]:
        with closing(sqlite3.connect(f"file:{data / 'vigie.sqlite'}?mode=ro", uri=True)) as store:
            rows = store.execute("SELECT count(*) FROM audit").fetchone()[0]
        return {
            "audit": rows,
            "notices": len(list((data / "outbox").glob("*-emergency_call-*.json"))),
        }

    wanted = {"audit": calls, "notices": calls}
    if not until(lambda: found() == wanted, STORED_S):
        raise LoadFailed(f"{calls} emergency calls left {found()}")


def _challenge(phone: socket.socket, server: Address, line: BenchLine) -> Challenge:
    """What the switch answers to a REGISTER without credentials."""
    text = _REGISTER.format(server=server, phone=PHONE, line=line).replace("\n", "\r\n")
    phone.send(text.encode())
    challenge = choose_challenge(parse(phone.recv(65_535)).get_all("WWW-Authenticate"))
    if challenge is None:
        raise LoadFailed(f"no challenge for {line.id}")
    return challenge
