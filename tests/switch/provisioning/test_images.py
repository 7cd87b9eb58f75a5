"""The way of images and metadata to devices, over a real socket."""

import asyncio
import http.client
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.applications import Starlette

from switch.observe.http import HttpServer, bind
from switch.provisioning.images import IMAGES, METADATA, routes

CONTENT = bytes(range(256)) * 100
DIGEST = "ab" * 32


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "metadata").mkdir()
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / DIGEST).write_bytes(CONTENT)
    (tmp_path / "metadata" / "timestamp.json").write_text("{}")
    (tmp_path / "online.key").write_text("a secret")
    return tmp_path


Get = Callable[..., tuple[int, dict[str, str], bytes]]


def served(home: Path, play: Callable[[Get], None]) -> None:
    async def run() -> None:
        listening = bind("127.0.0.1", 0)
        port = listening.getsockname()[1]
        server = HttpServer(Starlette(routes=routes(home / "metadata", home / "images")), listening)
        await server.start()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)

        def get(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, fields, answer.read()

        try:
            await asyncio.to_thread(play, get)
        finally:
            connection.close()
            await server.stop()

    asyncio.run(run())


def test_an_image_by_its_content_whole_and_in_parts(home: Path) -> None:
    def play(get: Get) -> None:
        status, fields, content = get(f"{IMAGES}/{DIGEST}")
        assert (status, content) == (200, CONTENT)
        assert "immutable" in fields["cache-control"]
        status, _, content = get(f"{IMAGES}/{DIGEST}", Range="bytes=25000-")
        assert (status, content) == (206, CONTENT[25_000:])
        assert get(f"{IMAGES}/{DIGEST}", Range=f"bytes={len(CONTENT)}-")[0] == 416

    served(home, play)


@pytest.mark.parametrize(
    "path",
    [
        *(f"{METADATA}/..%2fonline.key", f"{METADATA}/../online.key", f"{METADATA}/", METADATA),
        *(f"{IMAGES}/..%2fonline.key", f"{IMAGES}/{'0' * 64}", f"{IMAGES}/{DIGEST[:-1]}"),
        *(f"{METADATA}/timestamp.json%00", f"{METADATA}/.timestamp.json", f"{METADATA}/a.json"),
    ],
)
def test_nothing_else_is_served(home: Path, path: str) -> None:
    def play(get: Get) -> None:
        status, _, content = get(path)
        assert status == 404
        assert b"secret" not in content

    served(home, play)


def test_metadata_is_asked_for_anew(home: Path) -> None:
    def play(get: Get) -> None:
        status, fields, content = get(f"{METADATA}/timestamp.json")
        assert (status, fields["cache-control"], content) == (200, "no-cache", b"{}")

    served(home, play)


def test_the_second_answer_of_a_connection_is_as_quick_as_the_first(home: Path) -> None:
    """Without TCP_NODELAY each further one takes 40 ms."""

    def play(get: Get) -> None:
        get(f"{METADATA}/timestamp.json")
        began = time.monotonic()
        for _ in range(10):
            get(f"{METADATA}/timestamp.json")
        assert time.monotonic() - began < 0.3

    served(home, play)
