"""The HTTP port, over a real socket."""

import asyncio
import urllib.error
import urllib.request

import pytest

from switch.observe.http import HttpServer, application, bind
from switch.observe.metrics import Metrics
from switch.observe.status import Status

STATUS = Status("1.0", "n1", 1.0, (), (), (), ())


def get(*paths: str, is_ready: bool = True) -> list[tuple[int, str, str]]:
    """Status, Content-Type and text of each path."""
    metrics = Metrics()
    metrics.count("calls", "ok")

    async def run() -> list[tuple[int, str, str]]:
        listening = bind("127.0.0.1", 0)
        port = listening.getsockname()[1]
        server = HttpServer(application(lambda: STATUS, metrics, lambda: is_ready), listening)
        await server.start()
        try:
            return [await asyncio.to_thread(_fetch, port, path) for path in paths]
        finally:
            await server.stop()

    return asyncio.run(run())


def _fetch(port: int, path: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_pages() -> None:
    whole, part, metrics, health, ready, absent = get(
        "/", "/?part", "/metrics", "/healthz", "/readyz", "/admin"
    )
    assert whole[0] == 200
    assert whole[2].startswith("<!doctype html>")
    assert part[2] in whole[2]
    assert not part[2].startswith("<!doctype")
    assert metrics[1].startswith("text/plain; version=0.0.4")
    assert 'vigie_calls_total{ending="ok"} 1.0' in metrics[2]
    assert health[::2] == (200, "ok\n")
    assert ready[0] == 200
    assert absent[0] == 404


def test_not_ready_is_503_but_healthy() -> None:
    health, ready = get("/healthz", "/readyz", is_ready=False)
    assert (health[0], ready[0]) == (200, 503)


def test_a_taken_port_is_named() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"HTTP 127.0.0.1:{port}"):
            bind("127.0.0.1", port)
