"""The switch's HTTP port: `/` a read-only status page, `/metrics`, `/healthz`, `/readyz`,
and what other rooms add (the firmware repository).

Starlette on uvicorn in the loop of the switch: pages are short and read only what is in memory.
`/healthz` says that the process answers; `/readyz` that it takes calls (503 before `ready` and in a
drain), for load balancers.

Deliberately absent: anything that changes the switch (that is the Unix socket's), TLS and log-ins
(the port listens on loopback unless configured otherwise).
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from switch.observe.metrics import CONTENT_TYPE
from switch.observe.page import content, page
from switch.observe.status import Status

#: The page holds no foreign resource and may not be framed; 'unsafe-inline' is its own style and its
#: own eight lines of script.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Rendered(Protocol):
    """What /metrics serves: `Metrics`, or anything that writes the Prometheus text format."""

    def render(self) -> bytes:
        """The text of /metrics."""


def application(
    status: Callable[[], Status],
    metrics: Rendered,
    is_ready: Callable[[], bool],
    more: Iterable[Route] = (),
) -> Starlette:
    """The pages, and `more` of other rooms. `status` and `is_ready` are asked at each request."""

    async def show_page(request: Request) -> Response:
        write = content if "part" in request.query_params else page
        return HTMLResponse(write(status()), headers=_HEADERS)

    async def show_metrics(_: Request) -> Response:
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    async def show_health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def show_readiness(_: Request) -> Response:
        if is_ready():
            return PlainTextResponse("ready\n")
        return PlainTextResponse("not ready\n", status_code=503)

    return Starlette(
        routes=[
            Route("/", show_page),
            Route("/metrics", show_metrics),
            Route("/healthz", show_health),
            Route("/readyz", show_readiness),
            *more,
        ]
    )


class HttpServer:
    """The pages on a listening socket that the caller bound (a taken port is the caller's error)."""

    def __init__(self, app: Starlette, listening: socket.socket) -> None:
        self._listening = listening
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                # A scraper that keeps its connection open doesn't hold the stop up.
                timeout_graceful_shutdown=1,
                # The switch has its own limits; this one keeps a page-reload storm out of its loop.
                # A stage of a rollout fetches its images by as many connections as this.
                limit_concurrency=512,
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve; returns once requests are accepted."""
        self._task = asyncio.create_task(self._server.serve(sockets=[self._listening]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0.001)
        if self._task.done():
            self._task.result()

    async def stop(self) -> None:
        """Finish the requests in hand (1 s at most) and close the port."""
        if self._task is None:
            return
        self._server.should_exit = True
        await self._task
        self._task = None


class _Server(uvicorn.Server):
    """uvicorn without its hold on signals: SIGTERM belongs to the switch."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def bind(host: str, port: int) -> socket.socket:
    """A listening TCP socket on `host`:`port`; OSError names the address if it is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends at once (TCP_NODELAY) only where the protocol is named; else the second answer of a
    # connection waits 40 ms for the acknowledgement of the first.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        raise OSError(error.errno, f"HTTP {where}: {error.strerror}") from error
    listening.setblocking(False)
    return listening
