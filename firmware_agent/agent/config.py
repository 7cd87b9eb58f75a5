"""The desired document on the device: taken, tried, kept or reverted.

A document is read whole before anything changes: signature, recipient, every key, every secret, every
zone. Then it is tried. When MQTT is connected and every line registered, it is the good one; when that
takes longer than its `revert_after_s`, the last good document is back and the new one stays refused until
a higher `rev` comes. A lower `rev` is a replay and ignored; an equal one with other content is an alarm.
"""

import hashlib
from dataclasses import dataclass, replace
from enum import Enum, auto

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.agent.commands import LineConfig
from firmware_agent.agent.kept import Config
from firmware_agent.agent.quiet import zone
from firmware_agent.messages.codec import Count, MessageError, parse
from firmware_agent.messages.desired import Desired, LineWanted
from firmware_agent.messages.envelope import Keys, Opened, UnsealError, unseal, verify
from firmware_agent.messages.reported import Applied, Problem


class Taken(Enum):
    """What became of a document that came in."""

    NEW = auto()
    SAME = auto()
    """Known already: reported again."""
    OLDER = auto()
    CONFLICT = auto()
    """Two documents with one rev."""


@dataclass(frozen=True, slots=True)
class Applicable:
    """A document with its secrets opened: nothing about it can fail any more."""

    document: Desired
    sha256: str
    lines: tuple[LineConfig, ...]


class RefusedError(Exception):
    """A document that is signed and for us, and that we can't read: its rev is known, and why."""

    def __init__(self, rev: int, sha256: str, problem: Problem) -> None:
        super().__init__(f"rev {rev}: {problem.msg}")
        self.rev = rev
        self.sha256 = sha256
        self.problem = problem


@dataclass(frozen=True, slots=True)
class _Head:
    """What is read of a document that can't be read."""

    device: str
    rev: Count


def read(raw: bytes, device: str, keys: Keys) -> Opened[Desired]:
    """The document of an envelope, if it is for us. Raises MessageError when it is not, or forged;
    RefusedError when it is ours and breaks the contract."""
    payload, keyid = verify(Desired, raw, keys)
    head = parse(_Head, payload, ignore_unknown=True)
    if head.device != device:
        raise MessageError("device", f"it is for {head.device[:32]}")
    sha256 = hashlib.sha256(payload).hexdigest()
    try:
        return Opened(parse(Desired, payload), sha256, keyid)
    except MessageError as error:
        raise RefusedError(head.rev, sha256, problem_of("contract", error)) from None


def problem_of(code: str, error: MessageError) -> Problem:
    """What is told of a document that breaks the contract."""
    return Problem(code, error.path[:256], error.reason[:256])


def applicable(opened: Opened[Desired], key: X25519PrivateKey, tls: bool) -> Applicable:
    """Open the secrets and check what this device can do. Raises MessageError."""
    document = opened.document
    names = [each.line for each in document.lines]
    if len(set(names)) < len(names):
        raise MessageError("lines", "one line twice")
    if document.firmware is not None and document.firmware.window is not None:
        zone(document.firmware.window.zone, "firmware.window.zone")
    lines = tuple(
        _line(each, f"lines[{index}].sip", document.device, key)
        for index, each in enumerate(document.lines)
    )
    for index, each in enumerate(lines):
        if each.transport == "tls" and not tls:
            raise MessageError(f"lines[{index}].sip.transport", "this device has no SIP over TLS")
    return Applicable(document, opened.sha256, lines)


def _line(wanted: LineWanted, path: str, device: str, key: X25519PrivateKey) -> LineConfig:
    sip = wanted.sip
    try:
        secret = unseal(sip.secret_sealed, key, device, f"sip:{wanted.line}", sip.secret_gen)
    except UnsealError as error:
        raise MessageError(f"{path}.secret_sealed", str(error)) from None
    return LineConfig(
        wanted.line,
        sip.domain,
        sip.user,
        sip.registrars,
        sip.transport,
        secret,
        sip.secret_gen,
        wanted.codecs,
        wanted.dial,
    )


class Configuration:
    """Which document is good, which is tried. `deadline`: when a tried one is given up (monotonic)."""

    def __init__(self, kept: Config, good: Applicable | None, trying: Applicable | None) -> None:
        self.kept = kept
        self.good = good
        self.trying = trying
        self.deadline: float | None = None

    @property
    def active(self) -> Applicable | None:
        """The document in effect."""
        return self.trying or self.good

    @property
    def applied_rev(self) -> int:
        """The rev of the document in effect; 0 before the first."""
        return self.active.document.rev if self.active else 0

    def compare(self, rev: int, sha256: str) -> Taken:
        """What to do with a document that is for us, before its secrets are opened."""
        seen = self.kept
        if rev < seen.seen_rev:
            return Taken.OLDER
        if rev == seen.seen_rev and seen.seen_sha256 is not None:
            return Taken.SAME if sha256 == seen.seen_sha256 else Taken.CONFLICT
        return Taken.NEW

    def refuse(self, rev: int, sha256: str, problem: Problem) -> None:
        """It can't be applied; what is in effect stays."""
        self.kept = replace(
            self.kept, seen_rev=rev, seen_sha256=sha256, state=Applied.REJECTED, err=problem
        )

    def begin(self, fresh: Applicable, now: float) -> None:
        """It is in effect, on trial."""
        self.trying = fresh
        self.deadline = now + fresh.document.revert_after_s
        self.kept = replace(
            self.kept,
            seen_rev=fresh.document.rev,
            seen_sha256=fresh.sha256,
            state=Applied.APPLYING,
            trying=fresh.sha256,
            err=None,
        )

    def resume(self, now: float) -> None:
        """After a boot: what was on trial gets its whole time again."""
        if self.trying is not None:
            self.deadline = now + self.trying.document.revert_after_s

    def succeed(self) -> None:
        """MQTT and SIP are there: what is tried is good. A newer one that was refused stays told."""
        assert self.trying is not None
        good, self.trying, self.deadline = self.trying, None, None
        self.good = good
        self.kept = replace(self.kept, good=good.sha256, trying=None)
        if self.kept.seen_sha256 == good.sha256:
            self.kept = replace(self.kept, state=Applied.APPLIED, err=None)

    def revert(self, lacking: str) -> int:
        """It was not regained in time: the last good document is back. The rev that is left."""
        assert self.trying is not None
        left = self.trying.document.rev
        self.trying, self.deadline = None, None
        problem = Problem("not_regained", "", f"{lacking} did not come back; last good restored")
        self.kept = replace(self.kept, state=Applied.REJECTED, trying=None, err=problem)
        return left
