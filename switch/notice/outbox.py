"""The file outbox: one file a notice, for an operator or another program to read and take away.

The embedded default: it needs nothing but the data directory. A file appears whole (it is renamed into
place) and its name is made of the notice's time and id, so writing it twice leaves one.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

import orjson

from switch.notice.delivery import Delivery, SendError

CHANNEL: Final = "outbox"


def file_name(delivery: Delivery) -> str:
    """Sorted by time; the id may hold what a file name may not."""
    digest = hashlib.sha256(delivery.id.encode()).hexdigest()[:16]
    return f"{delivery.at:013d}-{delivery.kind}-{digest}.json"


def write(delivery: Delivery, directory: Path) -> None:
    """Put the notice into `directory`. Raises SendError when the disk doesn't take it."""
    content = {
        "id": delivery.notice,
        "at": delivery.at,
        "kind": delivery.kind,
        "audience": delivery.audience,
        "to": list(delivery.to),
        "line": delivery.line,
        "account": delivery.account,
        "percentage": delivery.percentage,
        "clause": delivery.clause,
        "call_id": delivery.call_id,
        "fields": delivery.fields,
        "subject": delivery.subject,
        "text": delivery.body,
        "sha256": delivery.hash,
    }
    path = directory / file_name(delivery)
    waiting = path.with_suffix(".part")
    try:
        try:
            _write_synced(waiting, orjson.dumps(content, option=orjson.OPT_INDENT_2))
        except FileNotFoundError:  # the first notice
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write_synced(waiting, orjson.dumps(content, option=orjson.OPT_INDENT_2))
        os.rename(waiting, path)
    except OSError as error:
        raise SendError(error.strerror or str(error)) from error


def _write_synced(path: Path, content: bytes) -> None:
    """Write a file that survives a power loss. Plain system calls: there may be many a second."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        while content:
            content = content[os.write(file, content) :]
        os.fsync(file)
    finally:
        os.close(file)
