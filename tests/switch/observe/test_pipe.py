"""The log never waits for who reads it."""

import os
import socket
from pathlib import Path

import orjson

from switch.observe.pipe import Pipe

LINE = b"x" * 99 + b"\n"


def read_all(descriptor: int) -> bytes:
    os.set_blocking(descriptor, False)
    got = b""
    while True:
        try:
            part = os.read(descriptor, 1 << 20)
        except BlockingIOError:
            return got
        got += part


def test_a_line_is_written_at_once() -> None:
    reading, writing = os.pipe()
    pipe = Pipe(writing)
    pipe.write(LINE)
    pipe.flush()
    assert read_all(reading) == LINE
    assert pipe.waiting_bytes == 0


def test_a_reader_that_stops_costs_lines_and_no_time() -> None:
    reading, writing = os.pipe()
    pipe = Pipe(writing, limit_bytes=10 * len(LINE))
    for _ in range(2000):  # a pipe holds 64 KiB
        pipe.write(LINE)
        pipe.flush()
    assert pipe.waiting_bytes <= 10 * len(LINE)
    assert pipe.dropped > 1000
    got = read_all(reading)
    pipe.flush()
    rest = read_all(reading)
    lines = (got + rest).splitlines(keepends=True)
    told = orjson.loads(lines[-1])
    assert told["event"] == "log.dropped"
    assert told["lines"] == pipe.dropped == 2000 - (len(lines) - 1)
    assert set(lines[:-1]) == {LINE}, "no line is torn"


def test_the_flag_of_those_who_share_the_pipe_is_left_alone() -> None:
    _, writing = os.pipe()
    Pipe(writing)
    assert os.get_blocking(writing)


def test_a_socket_is_not_waited_for() -> None:
    ours, theirs = socket.socketpair()
    pipe = Pipe(ours.fileno(), limit_bytes=10 * len(LINE))
    for _ in range(20_000):
        pipe.write(LINE)
        pipe.flush()
    assert pipe.dropped
    assert ours.getblocking()
    assert theirs.recv(len(LINE)) == LINE


def test_a_file_takes_all(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as file:
        pipe = Pipe(file.fileno())
        for _ in range(100):
            pipe.write(LINE)
            pipe.flush()
    assert path.read_bytes() == 100 * LINE


def test_a_reader_that_is_gone_is_no_error() -> None:
    reading, writing = os.pipe()
    pipe = Pipe(writing)
    os.close(reading)
    pipe.write(LINE)
    pipe.flush()
    assert pipe.dropped == 1
    assert pipe.waiting_bytes == 0
