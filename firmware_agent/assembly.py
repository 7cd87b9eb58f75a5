"""An agent out of what the storage holds: what was kept, its documents, and the slot that booted."""

import random

from firmware_agent.agent.agent import Agent, Identity
from firmware_agent.agent.kept import STATE_FILE, Kept, desired_file
from firmware_agent.agent.reports import Start
from firmware_agent.driver import read_clocks
from firmware_agent.files import Files
from firmware_agent.image import Header
from firmware_agent.messages.codec import MessageError, parse
from firmware_agent.slots import Boot, Slots

_HEADER_BYTES = 1024


def header_of(files: Files, boot: Boot) -> Header:
    """What the image that booted says of itself."""
    return Header.of(files.read(boot.slot.file, 0, _HEADER_BYTES) or b"")


def agent_of(
    identity: Identity, files: Files, boot: Boot, reason: str, chance: random.Random
) -> Agent:
    """The agent of this boot. `reason`: why it booted."""
    kept, header = _kept(files), header_of(files, boot)
    documents = {each: files.read(desired_file(each)) or b"" for each in kept.documents()}
    start = Start(
        boot,
        boot_id=f"{kept.boots + 1}-{chance.getrandbits(32):08x}",
        reason=reason,
        build=header.build,
        floor=Slots(files).floor(),
        trial_s=header.trial_s,
    )
    return Agent(identity, kept, start, documents, read_clocks(), chance)


def _kept(files: Files) -> Kept:
    raw = files.read(STATE_FILE)
    if raw is None:
        return Kept()
    try:
        return parse(Kept, raw, ignore_unknown=True)
    except MessageError:
        return Kept()  # `desired` is retained: it comes again
