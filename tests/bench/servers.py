"""The three servers: how each is started for the bench, and how one sees that it serves."""

import re
import shutil
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from house import CALLEE, CARRIER, HTTP, Address, taken, write_config
from load import until
from process import Process

from switch.sip.build import make_response
from switch.sip.message import Request
from switch.sip.parser import parse

START_S = 20.0


class NotStarted(Exception):
    """The server ended, or never listened."""


def start_switch(
    work: Path, listen: Address, core: int, http: Address | None = None, more: str = ""
) -> Process:
    """The switch with its log (level info), journal, meters and CDR database as in production.

    `more` are sections of its configuration.
    """
    directory = write_config(work / f"switch-{listen[1]}", listen, http, more)
    return start_configured(directory, listen, core)


def start_configured(directory: Path, listen: Address, core: int) -> Process:
    """The switch with the configuration in `directory`; its data is beside it."""
    command = [
        sys.executable,
        "-m", "switch", "run", "--config", str(directory), "--data", str(directory / "data"),
    ]  # fmt: skip
    return _started(Process(command, core, directory / "log"), b"ready {", listen)


def data_of(work: Path, listen: Address) -> Path:
    """Where the switch of `start_switch` keeps its data."""
    return work / f"switch-{listen[1]}" / "data"


def start_switch_with_carrier(work: Path, listen: Address, core: int, more: str = "") -> Process:
    """The same, with a first trunk that has answered its probe: the next one comes in five minutes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as carrier:
        carrier.bind(CARRIER)
        carrier.settimeout(START_S)
        process = start_switch(work, listen, core, more=more)
        try:
            data, remote = carrier.recvfrom(65_535)
        except TimeoutError:
            process.stop()
            raise NotStarted("the switch didn't probe its trunk") from None
        probe = parse(data)
        assert isinstance(probe, Request)
        carrier.sendto(make_response(probe, 200, to_tag="carrier").to_bytes(), remote)
    return process


def start_sippy(work: Path, listen: Address, core: int) -> Process:
    """Sippy's b2bua_simple: a bare B2BUA with one next hop; no digest, CDR or log."""
    script = Path(sys.executable).with_name("b2bua_simple")
    if not script.exists():
        raise NotStarted("not installed (pip install sippy)")
    command = [
        sys.executable, str(script), "-f", "-l", listen[0], "-p", str(listen[1]),
        "-n", f"{CALLEE[0]}:{CALLEE[1]}",
    ]  # fmt: skip
    quiet = {"SIPLOG_LOGFILE": str(work / "sippy-sip.log"), "SIPLOG_LVL": "CRIT"}
    return _started(Process(command, core, work / "sippy.log", quiet), b"", listen)


def start_kamailio(work: Path, listen: Address, core: int, *, dialogs: bool = False) -> Process:
    """Kamailio as registrar and proxy, one worker, with its fast allocator."""
    program = shutil.which("kamailio") or "/usr/sbin/kamailio"
    if not Path(program).exists():
        raise NotStarted("not installed (Debian package kamailio)")
    command = [
        program, "-f", str(Path(__file__).with_name("kamailio.cfg")), "-DD", "-E",
        "-x", "tlsf", "-X", "tlsf", "-m", "128", "-M", "16", "-Y", str(work),
        "-A", f"LISTEN=udp:{listen[0]}:{listen[1]}",
        *(("-A", "WITH_DIALOGS") if dialogs else ()),
    ]  # fmt: skip
    return _started(Process(command, core, work / "kamailio.log"), b"", listen)


def kamailio_shm_kb(work: Path) -> float:
    """Shared memory that Kamailio has given out. OSError when it doesn't say."""
    command = ["kamcmd", "-s", f"unixs:{work / 'kamailio_ctl'}", "core.shmmem"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    found = re.search(r"\breal_used: (\d+)", said)
    if found is None:
        raise OSError("kamcmd core.shmmem said nothing")
    return int(found[1]) / 1024


def _started(process: Process, word: bytes, listen: Address) -> Process:
    """Start it; it serves when its log says `word`, or without one when its port is taken."""
    process.start()

    def serves() -> bool:
        if process.has_ended:
            raise NotStarted(process.tail())
        return word in process.log.read_bytes() if word else bool(taken([listen]))

    try:
        if not until(serves, START_S):
            raise NotStarted(f"not ready in {START_S:.0f} s\n{process.tail()}")
        if not word:
            _settle(listen)
    except BaseException:
        process.stop()
        raise
    return process


def _settle(listen: Address) -> None:
    """Wait until an OPTIONS or anything is answered, or half a second."""
    probe = (
        f"OPTIONS sip:{listen[0]} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.91.20:{{port}};"
        "branch=z9hG4bKprobe;rport\r\nFrom: <sip:probe@127.0.91.20>;tag=1\r\n"
        f"To: <sip:{listen[0]}>\r\nCall-ID: probe\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 9\r\n"
        "Content-Length: 0\r\n\r\n"
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.91.20", 0))
        client.settimeout(0.5)
        for _ in range(10):
            client.sendto(probe.format(port=client.getsockname()[1]).encode(), listen)
            try:
                client.recv(2000)
            except TimeoutError:
                continue
            return


def gauge(name: str) -> float:
    """A gauge of the switch, all labels together."""
    with urllib.request.urlopen(f"http://{HTTP[0]}:{HTTP[1]}/metrics", timeout=5) as page:
        rows = page.read().decode().splitlines()
    return sum(float(row.rpartition(" ")[2]) for row in rows if row.startswith(f"vigie_{name}"))
