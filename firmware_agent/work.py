"""The slow part of an update: metadata, download, delta, install. Each blocks; each runs in a thread.

What comes of it is told as a call on the agent, which the driver makes on its own loop. Work that was given
up meanwhile (another offer, a withdrawal) tells nothing any more.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import urllib3

from firmware_agent import delta
from firmware_agent.agent.agent import Agent
from firmware_agent.agent.commands import Download as DownloadCommand
from firmware_agent.agent.commands import FetchMetadata, Install
from firmware_agent.agent.table import UpdateEvent
from firmware_agent.download import (
    Content,
    Download,
    InterruptedDownloadError,
    WithdrawnError,
    WrongImageError,
)
from firmware_agent.files import Files
from firmware_agent.messages.reported import Problem
from firmware_agent.metadata import Metadata, MetadataError
from firmware_agent.slots import Boot, InstallError, Slots
from firmware_agent.trusted_time import Moment

IMAGE, PATCH = "download.img", "download.delta"
_CHUNK = 64 * 1024

Outcome = Callable[[Agent, Moment], None]
"""What the driver does with the agent when a piece of work tells something."""
Tell = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Tools:
    """What the work is done with. `boot`: what runs, the base of deltas."""

    files: Files
    slots: Slots
    metadata: Metadata
    pool: urllib3.PoolManager
    images_url: str
    model: str
    boot: Boot


class Work:
    """One piece of work; `give_up` from any thread makes it end soon and tell nothing."""

    def __init__(self, tools: Tools, tell: Tell) -> None:
        self._tools = tools
        self._tell_driver = tell
        self._is_wanted = True

    def give_up(self) -> None:
        """Nobody wants it any more."""
        self._is_wanted = False

    def run(self, command: FetchMetadata | DownloadCommand | Install) -> None:
        """Do it; blocks."""
        try:
            if isinstance(command, FetchMetadata):
                self._look_up(command)
            elif isinstance(command, DownloadCommand):
                self._download(command)
            else:
                self._install(command)
        except WithdrawnError:
            pass
        except (
            Exception
        ) as error:  # a thread has no other voice, and no update may stand still unheard
            self._broke(command, "storage" if isinstance(error, OSError) else "internal", error)

    def _broke(self, command: object, code: str, error: Exception) -> None:
        reason = f"{type(error).__name__}: {error}"
        problem = Problem(code, "", reason[:256])
        if isinstance(command, FetchMetadata):
            self._tell(lambda agent, at: agent.on_metadata_refused(problem, True, at))
        elif isinstance(command, DownloadCommand):
            self._fail(UpdateEvent.INTERRUPTED, code, reason)
        else:
            self._fail(UpdateEvent.INSTALL_FAILED, code, reason)

    def _look_up(self, command: FetchMetadata) -> None:
        tools = self._tools
        try:
            found = tools.metadata.look_up(command.wanted, tools.model, command.utc)
        except MetadataError as error:
            problem, may_pass = Problem(error.code, "", str(error)[:256]), error.may_pass
            self._tell(lambda agent, at: agent.on_metadata_refused(problem, may_pass, at))
            return
        if found.custom.security_version < tools.slots.floor():
            self._fail(UpdateEvent.DOWNGRADE, "downgrade", "under the security floor")
            return
        self._tell(lambda agent, at: agent.on_metadata(found.custom, found.tuf, at))

    def _download(self, command: DownloadCommand) -> None:
        wanted = command.wanted
        download = self._fetcher()
        if command.anew:
            download.drop(IMAGE)
        elif self._patched(command, download):
            self._event(UpdateEvent.DOWNLOADED)
            return
        try:
            download.fetch(Content(wanted.sha256, wanted.len), IMAGE, self._progress(wanted.len))
        except InterruptedDownloadError as error:
            self._fail(UpdateEvent.INTERRUPTED, "interrupted", str(error))
        except WrongImageError as error:
            self._fail(UpdateEvent.WRONG_HASH, "hash", str(error))
        else:
            self._event(UpdateEvent.DOWNLOADED)

    def _patched(self, command: DownloadCommand, download: Download) -> bool:
        """Whether the image could be made by a delta. Whatever fails about one, the whole is fetched."""
        tools, wanted = self._tools, command.wanted
        base = tools.boot.image.sha256
        patch = command.custom.deltas.get(base)
        if patch is None or tools.files.size(f"{IMAGE}.mark") is not None:
            return False
        try:
            content = Content(patch.sha256, patch.len)
            download.fetch(content, PATCH, self._progress(patch.len))
            slot = tools.boot.slot.file
            delta.apply(tools.files, slot, base, PATCH, IMAGE, wanted.sha256, wanted.len)
        except (InterruptedDownloadError, WrongImageError, delta.DeltaError):
            download.drop(PATCH)
            return False
        return True

    def _fetcher(self) -> Download:
        tools = self._tools
        return Download(tools.files, tools.pool, tools.images_url, lambda: self._is_wanted)

    def _install(self, command: Install) -> None:
        self._event(UpdateEvent.WRITING)
        try:
            self._tools.slots.install(self._chunks(), command.image)
        except InstallError as error:
            event = UpdateEvent.INSTALL_FAILED
            if error.code == "downgrade":
                event = UpdateEvent.DOWNGRADE
            self._fail(event, error.code, str(error))
        else:
            self._event(UpdateEvent.INSTALLED)

    def _chunks(self) -> Iterator[bytes]:
        files, offset = self._tools.files, 0
        while chunk := files.read(IMAGE, offset, _CHUNK):
            yield chunk
            offset += len(chunk)

    def _progress(self, length: int) -> Callable[[int], None]:
        def tell(offset: int) -> None:
            self._tell(lambda agent, at: agent.on_progress(100 * offset // length, at))

        return tell

    def _event(self, event: UpdateEvent) -> None:
        self._tell(lambda agent, at: agent.on_update(event, at))

    def _fail(self, event: UpdateEvent, code: str, reason: str) -> None:
        problem = Problem(code, "", reason[:256])
        self._tell(lambda agent, at: agent.on_update(event, at, problem))

    def _tell(self, outcome: Outcome) -> None:
        def if_wanted(agent: Agent, at: Moment) -> None:
            if self._is_wanted:
                outcome(agent, at)

        self._tell_driver(if_wanted)
