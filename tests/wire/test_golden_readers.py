"""The golden INVITEs as a Kamailio reads them: Request-URI, fields, SDP, and the PIDF-LO inside."""

import base64
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from lxml import etree

from tests.wire.rig import ROOT, die_with_parent, free_port, until

HOST = "127.0.7.2"
GOLDEN = ROOT / "tests" / "flows" / "golden"
SCHEMA = etree.XMLSchema(file=str(ROOT / "tests" / "schemas" / "pidf.xsd"))
Address = tuple[str, int]


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """A Kamailio that answers with what it read."""
    program = shutil.which("kamailio") or shutil.which("kamailio", path="/usr/sbin")
    assert program, "kamailio is missing: apt-get install kamailio"
    address = (HOST, free_port(HOST))
    home = tmp_path_factory.mktemp("reader")
    where = f"{address[0]}:{address[1]}"
    command = [
        program, "-f", str(Path(__file__).with_name("psap.cfg")), "-DD", "-E",
        "-m", "64", "-M", "8", "-Y", str(home),
        "-A", f"LISTEN_UDP=udp:{where}", "-A", f"LISTEN_TCP=tcp:{where}",
    ]  # fmt: skip
    with (home / "log").open("wb") as log:
        running = subprocess.Popen(command, stderr=log, preexec_fn=die_with_parent())
    try:

        def serves() -> bool:
            assert running.poll() is None, (home / "log").read_text()[-2000:]
            with socket.socket() as probe:
                return probe.connect_ex(address) == 0

        until(serves, 10.0, "Kamailio listens")
        yield address
    finally:
        running.terminate()
        running.wait(5)


def read_back(raw: bytes, reader: Address) -> Mapping[str, str]:
    """Send an INVITE as its Via says, and return the fields of the 200."""
    kind = socket.SOCK_STREAM if b"SIP/2.0/TCP" in raw else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as wire:
        wire.settimeout(5.0)
        wire.connect(reader)
        wire.sendall(raw)
        answer = wire.recv(65535)
        while b"\r\n\r\n" not in answer:
            answer += wire.recv(65535)
    status, *fields = answer.decode().split("\r\n")
    assert status == "SIP/2.0 200 Read", answer
    return dict(re.findall(r"^(X-[\w-]+): ?(.*)$", "\n".join(fields), re.MULTILINE))


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.sip")), ids=lambda path: path.stem)
def test_kamailio_reads_what_we_wrote(path: Path, reader: Address) -> None:
    raw = path.read_bytes()
    head = raw.partition(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    written = dict(line.split(": ", 1) for line in head)
    read = read_back(raw, reader)
    assert f"INVITE {read['X-Request-Uri']} SIP/2.0\r\n".encode() == raw[: raw.index(b"\n") + 1]
    assert f"<{read['X-To']}>" == written["To"]
    assert f"<{read['X-Caller']}>" == written["P-Asserted-Identity"]
    assert read["X-Pani"] == written["P-Access-Network-Info"]
    assert read["X-Content-Type"] == written["Content-Type"]
    sdp = base64.b64decode(read["X-Sdp"])  # alone, or found in the multipart
    assert sdp.startswith(b"v=0\r\n") and b"m=audio 40000 RTP/AVP 8 0 101\r\n" in sdp
    assert "Geolocation" not in written or read["X-Geolocation"] == written["Geolocation"]
    assert "Route" not in written or read["X-Route"] == written["Route"]


@pytest.mark.parametrize(
    ("name", "insee"), [("a-options", "2A004"), ("b-pidf", "2A004"), ("c", "75108")]
)
def test_kamailio_finds_the_location_in_the_multipart(
    name: str, insee: str, reader: Address
) -> None:
    read = read_back((GOLDEN / f"{name}.sip").read_bytes(), reader)
    assert read["X-Geolocation-Routing"] == "yes"
    # It gives the part from behind its Content-Type on.
    fields, _, pidf = base64.b64decode(read["X-Place"]).partition(b"\r\n\r\n")
    cid = read["X-Geolocation"].partition("<cid:")[2].partition(">")[0]
    assert f"Content-ID: <{cid}>".encode() in fields
    document = etree.fromstring(pidf.strip())
    SCHEMA.assertValid(document)
    assert f"INSEE:{insee}" in [node.text for node in document.iter("{*}ADDCODE")]


def test_the_reader_sees_a_damaged_multipart(reader: Address) -> None:
    """Else the tests above would show nothing."""
    raw = (GOLDEN / "c.sip").read_bytes()
    boundary = re.search(rb'boundary="(\w+)"', raw)
    assert boundary
    damaged = raw.replace(b'boundary="' + boundary[1], b'boundary="' + b"f" * len(boundary[1]))
    read = read_back(damaged, reader)
    assert "X-Place" not in read and "X-Sdp" not in read
