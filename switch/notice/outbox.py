"""The file outbox: one file a notice, for an operator or another program to read and take away.

The embedded default: it needs nothing but the data directory. A file appears whole and safe from a power
loss (it is renamed into place once it is on the disk), and its name is made of the notice's time and id,
so writing it twice leaves one. Several are brought to the disk by one call: each fsync of its own costs
more than deciding the emergency call that it tells of.
"""

import ctypes
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import orjson

from switch.notice.delivery import Delivery, SendError

CHANNEL: Final = "outbox"
_PART: Final = ".part"  # what the name of a file that isn't whole yet ends with
_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def file_name(delivery: Delivery) -> str:
    """Sorted by time; the id may hold what a file name may not."""
    digest = hashlib.sha256(delivery.id.encode()).hexdigest()[:16]
    return f"{delivery.at:013d}-{delivery.kind}-{digest}.json"


def write(delivery: Delivery, directory: Path) -> None:
    """Write the notice, not yet under its name. Raises SendError when the disk doesn't take it."""
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
    path = f"{directory}/{file_name(delivery)}{_PART}"
    octets = orjson.dumps(content, option=orjson.OPT_INDENT_2)
    try:
        try:
            _write(path, octets)
        except FileNotFoundError:  # the first notice
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, octets)
    except OSError as error:
        raise SendError(error.strerror or str(error)) from error


def publish(deliveries: Sequence[Delivery], directory: Path) -> None:
    """Let notices that were written appear, once they are on the disk. Raises SendError; some may have
    appeared then, and may be written and published again."""
    paths = [f"{directory}/{file_name(delivery)}" for delivery in deliveries]
    try:
        _sync(paths[0] + _PART if len(paths) == 1 else str(directory), is_directory=len(paths) > 1)
        for path in paths:
            os.rename(path + _PART, path)
    except OSError as error:
        raise SendError(error.strerror or str(error)) from error


def _write(path: str, octets: bytes) -> None:
    """By plain system calls: there may be many a second."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        while octets:
            octets = octets[os.write(file, octets) :]
    finally:
        os.close(file)


def _sync(path: str, *, is_directory: bool) -> None:
    """Bring a file to the disk, or all that is written on a directory's file system (syncfs(2))."""
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not is_directory:
            os.fsync(opened)
        elif _LIBC.syncfs(opened):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(opened)
