"""The world of the bench: addresses, lines, the switch's configuration, SIPp's tables of users."""

import errno
import socket
from dataclasses import dataclass
from pathlib import Path

Address = tuple[str, int]

LINES = 2000
CARRIER: Address = ("127.0.91.11", 15071)  # calls from here come from a trunk: no digest
PHONE: Address = ("127.0.91.12", 15072)  # calls from here are challenged
CARRIER_PORTS = 10  # from CARRIER's on: each repetition calls from another one
CALLEE: Address = ("127.0.91.13", 15073)  # every line is registered here
SIPPY: Address = ("127.0.91.2", 15062)
KAMAILIO: Address = ("127.0.91.3", 15063)
SWITCHES: tuple[Address, ...] = (
    ("127.0.91.4", 15064),
    ("127.0.91.5", 15065),
    ("127.0.91.6", 15066),
    ("127.0.91.7", 15067),
    ("127.0.91.8", 15068),
)
HTTP: Address = ("127.0.91.4", 15084)
DIALPLAN = Path("dialplans/fr.toml")

_CONFIG = """\
schema_version = 1
dialplan = "{dialplan}"

[sip]
udp = ["{host}:{port}"]
tcp = ["{host}:{port}"]
realm = "bench"
qualify_s = 0  # a SIPp phone would take the OPTIONS for a call
t1_s = 0.05                     # what 64*T1 later ends is measured too, so it comes soon
t2_s = 0.4
t4_s = 0.5
digest_algorithms = ["MD5"]     # all that SIPp knows

[http]
listen = [{http}]

[media]
workers = 0

[emergency]
operator_code = "VG"
probe_s = 300     # SIPp would take the OPTIONS for a call
short_call_s = 0  # all calls of the bench are short: no notice of each

[emergency.default_location]
insee = "75101"
civic = {{ country = "FR", A1 = "Île-de-France", A3 = "Paris", PC = "75001" }}

[[trunk]]                       # the second of the dial plan's routes, as in configs/demo: never needed
id = "carrier-2"
address = "{carrier[0]}"
port = 15099
transport = "tcp"
profile = "C"
pidf_lo = true
ping_s = 0

[[account]]
id = "bench"
name = "Bench"
activation_requested = 2026-01-01

[[site]]
id = "paris"
insee = "75108"
contacts = ["reception@example.org"]  # told of each emergency call, by a file
networks = ["127.0.91.0/24"]

[site.civic]
country = "FR"
A1 = "Île-de-France"
A2 = "Paris"
A3 = "Paris"
A4 = "8e arrondissement"
PC = "75008"
RD = "rue La Boétie"
HNO = "100"
NAM = "Bench"
FLR = "3"
"""

_TRUNK = """
[[trunk]]                       # SIPp calls from here; carrier-1 takes emergency calls (profile A), too
id = "carrier-{id}"
address = "{carrier[0]}"
port = {port}
ping_s = 0
trusted = true
"""

_LINE = """
[[line]]
id = "{id}"
account = "bench"
site = "paris"
number = "{number}"
password = "secret-{id}"
location_confirmed = 2026-01-02
channels = 64
"""


@dataclass(frozen=True, slots=True)
class BenchLine:
    """The n-th line: its id (SIP user), number and password."""

    n: int

    @property
    def id(self) -> str:
        """SIP user."""
        return f"b{self.n:04d}"

    @property
    def number(self) -> str:
        """E.164."""
        return f"+3319910{self.n:04d}"

    @property
    def password(self) -> str:
        """What kamailio.cfg makes of the id, too."""
        return f"secret-{self.id}"


ALL_LINES = tuple(BenchLine(n) for n in range(LINES))


def write_config(
    directory: Path, listen: Address, http: Address | None = None, more: str = ""
) -> Path:
    """The switch's configuration directory, with `more` sections; returns it."""
    directory.mkdir(parents=True, exist_ok=True)
    text = _CONFIG.format(
        dialplan=DIALPLAN.resolve(),
        host=listen[0],
        port=listen[1],
        http=f'"{http[0]}:{http[1]}"' if http else "",
        carrier=CARRIER,
    )
    lines = "".join(_LINE.format(id=line.id, number=line.number) for line in ALL_LINES)
    trunks = "".join(
        _TRUNK.format(id=1 if not n else 10 + n, carrier=CARRIER, port=CARRIER[1] + n)
        for n in range(CARRIER_PORTS)
    )
    (directory / "vigie.toml").write_text(text + more + trunks + lines, encoding="utf-8")
    return directory


def write_users(path: Path, *, by_number: bool, dialled: str = "") -> Path:
    """SIPp's table: whom to call; user and credentials of who calls (or registers).

    The n-th line calls line n + 1000, or what is `dialled`. `by_number`: the switch knows numbers, a
    plain registrar ids. SIPp takes the keyword with the credentials only from a table, not spelt out in
    a scenario.
    """
    rows = ["SEQUENTIAL"]
    for line in ALL_LINES:
        called = ALL_LINES[(line.n + LINES // 2) % LINES]
        number = dialled or (called.number if by_number else called.id)
        credentials = f"[authentication username={line.id} password={line.password}]"
        rows.append(f"{number};{line.id};{credentials}")
    path.write_text("\n".join(rows) + "\n")
    return path


def taken(addresses: list[Address]) -> list[Address]:
    """Those of `addresses` that somebody else holds, on UDP."""
    held = []
    for address in addresses:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(address)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                held.append(address)
    return held
