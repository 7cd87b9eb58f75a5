"""An image over HTTP(S), from content-addressed URLs, resumed where it was durable.

Every FSYNC_EVERY bytes the file is fsynced and the offset noted with the hash of what lies before it. On
resuming that prefix is read back and hashed: what a power cut left behind it is dropped, and a prefix that
is not what was noted starts over. Too many bytes, or another hash at the end, is `WrongImageError`.
A URL names its content, so no If-Range is needed, and a server that ignores Range is just slower.
Deliberately absent: retries and pauses (the agent's), threads.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import urllib3

from firmware_agent.files import Files
from firmware_agent.messages.codec import Count, MessageError, Within, encode, parse
from firmware_agent.messages.desired import MAX_IMAGE, Sha256
from firmware_agent.slots import sha256_of

FSYNC_EVERY = 256 * 1024
TIMEOUT_S = 10.0
_CHUNK = 64 * 1024


class InterruptedDownloadError(Exception):
    """The connection failed or ended early; what is durable stays."""


class WrongImageError(Exception):
    """What was sent is not what the URL names; it was dropped."""


class WithdrawnError(Exception):
    """Nobody wants it any more."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a download is durable: `offset` bytes, of this hash."""

    of: Sha256
    offset: Annotated[int, Within(0, MAX_IMAGE)]
    prefix: Sha256


@dataclass(frozen=True, slots=True)
class Content:
    """What is to be fetched: bytes by their hash."""

    sha256: Sha256
    len: Count


class Download:
    """Fetches into the file `name` of `files`. `is_wanted` is asked between chunks."""

    def __init__(
        self,
        files: Files,
        pool: urllib3.PoolManager,
        images_url: str,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._files = files
        self._pool = pool
        self._url = images_url.rstrip("/")
        self._is_wanted = is_wanted

    def fetch(self, content: Content, name: str, on_offset: Callable[[int], None]) -> None:
        """Complete `name`; `on_offset` hears each durable offset. Raises InterruptedDownloadError,
        WrongImageError, WithdrawnError."""
        offset, digest = self._resume(content, name)
        if offset < content.len:
            response = self._request(content, offset)
            try:
                if response.status == 200 and offset:  # it doesn't know Range
                    offset, digest = self._anew(name)
                self._receive(response, content, name, offset, digest, on_offset)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise InterruptedDownloadError(f"{type(error).__name__}: {error}") from None
            finally:
                response.release_conn()
        if self._files.size(name) != content.len or digest.hexdigest() != content.sha256:
            self.drop(name)
            raise WrongImageError(f"{content.sha256[:16]}: other content")

    def drop(self, name: str) -> None:
        """Forget what was fetched."""
        self._files.remove(f"{name}.mark")
        self._files.remove(name)

    def _request(self, content: Content, offset: int) -> urllib3.BaseHTTPResponse:
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        try:
            response = self._pool.request(
                "GET",
                f"{self._url}/{content.sha256}",
                headers=headers,
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=TIMEOUT_S,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise InterruptedDownloadError(f"{type(error).__name__}: {error}") from None
        wanted = f"bytes {offset}-{content.len - 1}/{content.len}"
        got = response.headers.get("Content-Range", "")
        if response.status == 200 or (response.status == 206 and got == wanted):
            return response
        response.release_conn()
        raise InterruptedDownloadError(f"status {response.status}, range {got or 'none'}")

    def _receive(
        self,
        response: urllib3.BaseHTTPResponse,
        content: Content,
        name: str,
        offset: int,
        digest: Any,
        on_offset: Callable[[int], None],
    ) -> None:
        marked = offset
        try:
            # read1 gives what has come; `stream` loses what came of a chunk that was cut.
            while chunk := response.read1(_CHUNK):
                if not self._is_wanted():
                    raise WithdrawnError(name)
                if offset + len(chunk) > content.len:
                    self.drop(name)
                    raise WrongImageError(f"more than the {content.len} bytes announced")
                self._files.write(name, chunk, offset)
                digest.update(chunk)
                offset += len(chunk)
                if offset - marked >= FSYNC_EVERY:
                    marked = offset
                    self._mark(content, name, offset, digest)
                    on_offset(offset)
        finally:
            if offset != marked and self._files.size(name) is not None:
                self._mark(content, name, offset, digest)
        on_offset(offset)
        if offset < content.len:
            raise InterruptedDownloadError(f"ended after {offset} of {content.len} bytes")

    def _mark(self, content: Content, name: str, offset: int, digest: Any) -> None:
        self._files.fsync(name)
        mark = Mark(content.sha256, offset, digest.copy().hexdigest())
        self._files.replace(f"{name}.mark", encode(mark))

    def _resume(self, content: Content, name: str) -> tuple[int, Any]:
        """Where to go on, and the digest so far."""
        raw = self._files.read(f"{name}.mark")
        if raw is None:
            return self._anew(name)
        try:
            mark = parse(Mark, raw)
        except MessageError:
            return self._anew(name)
        size = self._files.size(name) or 0
        if mark.of != content.sha256 or not mark.offset <= min(size, content.len):
            return self._anew(name)
        if sha256_of(self._files, name, mark.offset) != mark.prefix:
            return self._anew(name)
        self._files.truncate(name, mark.offset)
        return mark.offset, self._digest(name, mark.offset)

    def _digest(self, name: str, size: int) -> Any:
        digest = hashlib.sha256()
        for offset in range(0, size, FSYNC_EVERY):
            digest.update(self._files.read(name, offset, min(FSYNC_EVERY, size - offset)) or b"")
        return digest

    def _anew(self, name: str) -> tuple[int, Any]:
        self._files.remove(f"{name}.mark")
        self._files.truncate(name)
        return 0, hashlib.sha256()
