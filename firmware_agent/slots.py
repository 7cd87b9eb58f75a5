"""Two slots for firmware, of which one can always boot.

The order of an install, each step durable before the next begins:

    forget    the record no longer vouches for the inactive slot
    data      the image into the inactive slot, fsync
    re-read   its hash, from the storage
    record    what the slot holds (two copies with CRC)
    arm       the boot flag: try that slot, at most MAX_BOOTS times

`boot` counts a trial before it runs, so a firmware that hangs or crashes at once is left after MAX_BOOTS.
Only `confirm` makes a trial the good slot. The slot that runs is never written.

The security floor is the highest of what the service demands and of the good slot's own security version:
under it nothing is installed, however well signed. What runs already keeps running: a phone under the
floor can still dial 112, a bricked one can't.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated

from firmware_agent.files import Files
from firmware_agent.messages.codec import Count, Name, Text, Within, encode, parse
from firmware_agent.messages.desired import MAX_IMAGE, Sha256, Version
from firmware_agent.two_copies import TwoCopies

MAX_BOOTS = 3
_CHUNK = 256 * 1024


class Slot(StrEnum):
    """One of the two."""

    A = "A"
    B = "B"

    @property
    def other(self) -> "Slot":
        """The slot that isn't this one."""
        return Slot.B if self is Slot.A else Slot.A

    @property
    def file(self) -> str:
        """Its file's name."""
        return f"slot-{self.value.lower()}.img"


@dataclass(frozen=True, slots=True)
class Image:
    """What a slot holds."""

    target: Text
    version: Version
    model: Name
    sha256: Sha256
    len: Annotated[int, Within(1, MAX_IMAGE)]
    security_version: Count


@dataclass(frozen=True, slots=True)
class Record:
    """What both slots hold, and the floor that the service demands."""

    a: Image | None
    b: Image | None
    floor: Count = 0

    def image(self, slot: Slot) -> Image | None:
        """What `slot` holds."""
        return self.a if slot is Slot.A else self.b

    def with_image(self, slot: Slot, image: Image | None) -> "Record":
        """The record with another image in `slot`."""
        return replace(self, a=image) if slot is Slot.A else replace(self, b=image)


@dataclass(frozen=True, slots=True)
class Flag:
    """What to boot: `trial` while it has boots left, else `good`."""

    good: Slot
    trial: Slot | None = None
    boots: Count = 0


@dataclass(frozen=True, slots=True)
class Boot:
    """What was booted. `fell_back`: a trial was given up for it; `lost`: the good slot was unreadable."""

    slot: Slot
    image: Image
    is_trial: bool = False
    boots: int = 0
    fell_back: bool = False
    lost: bool = False


class InstallError(ValueError):
    """An image that is not what was announced, or that may not be installed."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class NothingBootableError(Exception):
    """Neither slot holds what its record says."""


class Slots:
    """The slots in `files`. One at a time uses them."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._record = TwoCopies(files, "slots")
        self._flag = TwoCopies(files, "boot")

    @classmethod
    def manufacture(cls, files: Files, content: bytes, image: Image) -> "Slots":
        """Slots as they leave the factory: `content` in A, nothing in B."""
        slots = cls(files)
        slots._fill(Slot.A, [content], image)
        slots._record.store(encode(Record(image, None)))
        slots._flag.store(encode(Flag(Slot.A)))
        return slots

    @property
    def is_manufactured(self) -> bool:
        """Whether there is anything to boot from."""
        return self._flag.load() is not None

    def record(self) -> Record:
        """What the slots hold. Raises NothingBootableError when both copies are gone."""
        raw = self._record.load()
        if raw is None:
            raise NothingBootableError("both copies of the slot record are unreadable")
        return parse(Record, raw)

    def flag(self) -> Flag:
        """What to boot. Raises NothingBootableError when both copies are gone."""
        raw = self._flag.load()
        if raw is None:
            raise NothingBootableError("both copies of the boot flag are unreadable")
        return parse(Flag, raw)

    def floor(self) -> int:
        """The lowest security version that may be installed."""
        record = self.record()
        good = record.image(self.flag().good)
        return max(record.floor, good.security_version if good else 0)

    def raise_floor(self, floor: int) -> None:
        """The service demands at least `floor`. It never sinks."""
        record = self.record()
        if floor > record.floor:
            self._record.store(encode(replace(record, floor=floor)))

    def boot(self) -> Boot:
        """Choose the slot to run and count it, as a boot loader does before it jumps.

        Raises NothingBootableError when neither slot holds what its record says."""
        flag, record = self.flag(), self.record()
        if flag.trial is not None:
            image = record.image(flag.trial)
            if image is not None and flag.boots < MAX_BOOTS and self._holds(flag.trial, image):
                self._flag.store(encode(replace(flag, boots=flag.boots + 1)))
                return Boot(flag.trial, image, is_trial=True, boots=flag.boots + 1)
            self._flag.store(encode(Flag(flag.good)))
        for slot in (flag.good, flag.good.other):
            image = record.image(slot)
            if image is not None and self._holds(slot, image):
                lost = slot is not flag.good
                if lost:
                    self._flag.store(encode(Flag(slot)))
                return Boot(slot, image, fell_back=flag.trial is not None, lost=lost)
        raise NothingBootableError("neither slot holds what its record says")

    def install(self, chunks: Iterable[bytes], image: Image) -> Slot:
        """Write an image into the slot that doesn't run; it is not booted before `arm`.

        Raises InstallError; the slot is then empty and the good one untouched."""
        if image.security_version < self.floor():
            raise InstallError("downgrade", f"{image.security_version} is under {self.floor()}")
        slot = self.flag().good.other
        self.raise_if_running(slot)
        record = self.record().with_image(slot, None)
        self._record.store(encode(record))
        self._fill(slot, chunks, image)
        self._record.store(encode(record.with_image(slot, image)))
        return slot

    def raise_if_running(self, slot: Slot) -> None:
        """A trial runs in `slot`: nothing may be written there before it is confirmed or left."""
        if self.flag().trial is slot:
            raise InstallError("busy", f"slot {slot} is on trial")

    def arm(self) -> None:
        """Boot the installed image on trial from the next boot on."""
        good = self.flag().good
        if self.record().image(good.other) is None:
            raise InstallError("empty", f"slot {good.other} holds nothing")
        self._flag.store(encode(Flag(good, trial=good.other)))

    def confirm(self) -> None:
        """The trial is good: it is what boots from now on, and its security version is the floor."""
        flag = self.flag()
        if flag.trial is not None:
            self._flag.store(encode(Flag(flag.trial)))

    def leave_trial(self) -> None:
        """The trial is bad: the good slot boots next."""
        self._flag.store(encode(Flag(self.flag().good)))

    def _fill(self, slot: Slot, chunks: Iterable[bytes], image: Image) -> None:
        self._files.truncate(slot.file)
        written = 0
        for chunk in chunks:
            if written + len(chunk) > image.len:
                raise InstallError("oversize", f"more than the {image.len} bytes announced")
            self._files.write(slot.file, chunk, written)
            written += len(chunk)
        self._files.fsync(slot.file)
        if not self._holds(slot, image):
            raise InstallError("hash", f"slot {slot} reads back other than {image.sha256[:16]}")

    def _holds(self, slot: Slot, image: Image) -> bool:
        if self._files.size(slot.file) != image.len:
            return False
        return sha256_of(self._files, slot.file) == image.sha256


def sha256_of(files: Files, name: str, size: int | None = None) -> str:
    """SHA-256 (hex) of the first `size` bytes of a file (all of it by default), read in chunks."""
    digest, offset = hashlib.sha256(), 0
    end = files.size(name) if size is None else size
    while offset < (end or 0):
        chunk = files.read(name, offset, min(_CHUNK, (end or 0) - offset))
        if not chunk:
            break
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()
