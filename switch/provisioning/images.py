"""The way of metadata and images to devices: read-only routes of the switch's HTTP port.

An image's URL is its SHA-256, so what is at a URL never changes: a download that breaks off is resumed by
Range without asking whether it is still the same. Deliberately absent: log-ins (what is here is signed,
and no secret), directories, and anything that isn't named exactly.
"""

import re
from collections.abc import Callable
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
    return [
        Route(METADATA + "/{name}", _server(metadata, _ROLE, "application/json", "no-cache")),
        Route(IMAGES + "/{name}", _server(images, _DIGEST, "application/octet-stream", _FOREVER)),
    ]


def _server(
    directory: Path, pattern: re.Pattern[str], kind: str, caching: str
) -> Callable[[Request], Response]:
    def serve(request: Request) -> Response:
        name = str(request.path_params["name"])
        path = directory / name
        if not pattern.fullmatch(name) or not path.is_file():
            return PlainTextResponse("not found\n", status_code=404)
        return FileResponse(path, media_type=kind, headers={"Cache-Control": caching})

    return serve
