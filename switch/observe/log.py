"""The log: one JSON object a line on stderr.

Every line has `ts` (UTC ms), `level`, `event` (noun.verb), `node`, and what the event is about:
call_id, linked_id, line, rule, outcome, peer, sip_status (one vocabulary, so that a search by any of
them finds all of a call). structlog with orjson costs 5-7 us an event, so whole calls are logged, not
single messages.

Deliberately absent: files, rotation, syslog (systemd or a container takes stderr), and anything
secret: fields named in `SECRET` are struck out wherever they come from.
"""

import logging
import sys
import time
from typing import Any, BinaryIO, cast

import orjson
import structlog
from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

from switch.observe.pipe import Pipe

#: Field names whose values never reach a log.
SECRET = frozenset(
    {"password", "secret", "ha1", "authorization", "proxy_authorization", "nonce_key"}
)

#: The event of a failed authentication. Its name and its fields `peer` and `user` are relied on by
#: fail2ban filters (docs/operating.md) and don't change.
AUTHENTICATION_FAILED = "auth.failed"


def configure(
    *, node: str = "vigie", level: int = logging.INFO, stream: BinaryIO | Pipe | None = None
) -> None:
    """Set the process's log up; called once, before the first event.

    `node` names this switch among several; `stream` is where lines go (default: stderr, without ever
    waiting for who reads it).
    """
    file = cast("BinaryIO", Pipe() if stream is None else stream)
    structlog.configure(
        processors=[_Stamp(node), _strike_secrets, _Render()],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(file),
        cache_logger_on_first_use=True,
    )


def logger(room: str) -> FilteringBoundLogger:
    """The log of one room ("registrar", "call"); the name becomes the field `room`."""
    bound: FilteringBoundLogger = structlog.get_logger(room=room)
    return bound


class _Stamp:
    """Adds what every line has."""

    __slots__ = ("_node",)

    def __init__(self, node: str) -> None:
        self._node = node

    def __call__(self, _: WrappedLogger, method: str, event: EventDict) -> EventDict:
        event["ts"] = time.time_ns() // 1_000_000
        event["level"] = method
        event["node"] = self._node
        return event


def _strike_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    if not SECRET.isdisjoint(event):
        for name in SECRET.intersection(event):
            event[name] = "***"
    return event


class _Render:
    """Writes a line; an exception becomes its text and where it was raised."""

    __slots__ = ()

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> bytes:
        if "exc_info" in event:
            event["exception"] = _describe(event.pop("exc_info"))
        return orjson.dumps(event, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _describe(exc_info: object) -> str:
    """The traceback as text; `exc_info` is True, an exception, or sys.exc_info()."""
    from traceback import format_exception  # noqa: PLC0415 (only when something went wrong)

    match exc_info:
        case BaseException() as error:
            return "".join(format_exception(error))
        case (_, BaseException() as error, _):
            return "".join(format_exception(error))
        case _:
            current = sys.exc_info()[1]
            return "".join(format_exception(current)) if current is not None else ""


def _plain(value: Any) -> object:
    """What orjson can't write by itself: bytes as text, sets as lists, the rest by its str()."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    return str(value)
