"""The way of metadata and images to devices: read-only routes of the switch's HTTP port.

An image's URL is its SHA-256, so what is at a URL never changes: a download that breaks off is resumed by
Range without asking whether it is still the same. Deliberately absent: log-ins (what is here is signed,
and no secret), directories, and anything that isn't named exactly.
"""

import re
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

METADATA, IMAGES = "/firmware/metadata", "/firmware/images"
_ROLE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,80}\.json")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_FOREVER: Final = "public, max-age=31536000, immutable"


def routes(metadata: Path, images: Path) -> list[Route]:
    """The two routes over two directories."""

    async def serve_metadata(request: Request) -> Response:
        name = str(request.path_params["name"])
        if not _ROLE.fullmatch(name):
            return _nothing()
        try:
            content = (metadata / name).read_bytes()  # some kilobytes: a thread would cost more
        except OSError:
            return _nothing()
        headers = {"Cache-Control": "no-cache"}
        return Response(content, media_type="application/json", headers=headers)

    async def serve_image(request: Request) -> Response:
        name = str(request.path_params["name"])
        if not _DIGEST.fullmatch(name):
            return _nothing()
        try:
            found = (images / name).stat()
        except OSError:
            return _nothing()
        headers, kind = {"Cache-Control": _FOREVER}, "application/octet-stream"
        return _Image(images / name, media_type=kind, headers=headers, stat_result=found)

    return [Route(METADATA + "/{name}", serve_metadata), Route(IMAGES + "/{name}", serve_image)]


class _Image(FileResponse):
    """Each part that is read costs a change of thread: few parts, then."""

    chunk_size = 512 * 1024


def _nothing() -> Response:
    return PlainTextResponse("not found\n", status_code=404)
