"""Notices reach an HTTP server, signed; what it answers decides whether they are posted again."""

import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import orjson
import pytest

from switch.notice import webhook
from switch.notice.delivery import Delivery, RefusedError, SendError
from switch.notice.settings import WebhookSettings

Build = Callable[..., Delivery]
SECRET = "not-a-real-secret"


class Receiver(HTTPServer):
    """Keeps what was posted and answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.status = 204
        self.posted: list[tuple[Any, bytes]] = []

    def settings(self) -> WebhookSettings:
        url = f"http://127.0.0.1:{self.server_port}/notices"
        return WebhookSettings.model_validate({"url": url, "secret": SECRET, "timeout_s": 2})


class Answer(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.headers, body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def test_a_notice_is_posted_whole_and_signed(receiver: Receiver, delivery: Build) -> None:
    webhook.post(delivery(channel="webhook"), receiver.settings())
    ((headers, body),) = receiver.posted
    at, given = (part.partition("=")[2] for part in headers["Vigie-Signature"].split(","))
    expected = hmac.new(SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert given == expected
    posted = orjson.loads(body)
    assert (posted["id"], posted["kind"], posted["line"]) == (
        "emergency_call c1",
        "emergency_call",
        "101",
    )
    assert posted["fields"] == {"dialled": "18"}
    said = f"{posted['subject']}\n{posted['text']}".encode()
    assert posted["sha256"] == hashlib.sha256(said).hexdigest()


def test_posting_again_repeats_the_key(receiver: Receiver, delivery: Build) -> None:
    for notice in ("a", "a", "b"):
        webhook.post(delivery(notice=notice), receiver.settings())
    keys = [headers["Idempotency-Key"] for headers, _ in receiver.posted]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("status", "is_final"), [(500, False), (503, False), (429, False), (404, True), (302, True)]
)
def test_what_the_server_answers(
    receiver: Receiver, delivery: Build, status: int, is_final: bool
) -> None:
    receiver.status = status
    with pytest.raises(SendError, match=str(status)) as caught:
        webhook.post(delivery(), receiver.settings())
    assert isinstance(caught.value, RefusedError) == is_final
    assert len(receiver.posted) == 1


def test_a_server_that_is_gone_is_tried_again(receiver: Receiver, delivery: Build) -> None:
    settings = receiver.settings()
    receiver.server_close()
    with pytest.raises(SendError) as caught:
        webhook.post(delivery(), settings)
    assert not isinstance(caught.value, RefusedError)
    assert SECRET not in str(caught.value)
