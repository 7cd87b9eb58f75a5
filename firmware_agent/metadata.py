"""The TUF client, and the one place that knows python-tuf.

Metadata is refreshed and a target looked up; the image itself is fetched by `download`, since python-tuf
can't resume. Expiry is judged at trusted time: python-tuf takes the system clock, which on a device may say
1970 (nothing ever expires) or 2035 (everything has), so its reference time is set here, and a test holds
that this still works. The root in the device is the anchor, always (`bootstrap`).
Deliberately absent: any thread; `look_up` blocks for some round trips.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import urllib3
from tuf.api import exceptions
from tuf.ngclient.config import UpdaterConfig
from tuf.ngclient.fetcher import FetcherInterface
from tuf.ngclient.updater import Updater

from firmware_agent.messages.codec import MessageError, read
from firmware_agent.messages.desired import FirmwareWanted
from firmware_agent.messages.image import ImageCustom
from firmware_agent.messages.reported import TufState

TIMEOUT_S = 10.0
_CONFIG = UpdaterConfig(max_delegations=8, prefix_targets_with_hash=False)


class MetadataError(Exception):
    """The metadata don't allow the image. `may_pass`: asked again later it may."""

    def __init__(self, code: str, reason: str, may_pass: bool) -> None:
        super().__init__(reason)
        self.code = code
        self.may_pass = may_pass


@dataclass(frozen=True, slots=True)
class Found:
    """What the signed metadata say of the image, and their own versions."""

    custom: ImageCustom
    tuf: TufState


class PoolFetcher(FetcherInterface):
    """Metadata over a urllib3 pool that is shared with the downloads."""

    def __init__(self, pool: urllib3.PoolManager) -> None:
        self._pool = pool

    def _fetch(self, url: str) -> Iterator[bytes]:
        response = self._pool.request(
            "GET", url, preload_content=False, redirect=False, retries=False, timeout=TIMEOUT_S
        )
        if response.status != 200:
            response.drain_conn()
            response.release_conn()
            raise exceptions.DownloadHTTPError(f"status {response.status}", response.status)
        return response.stream(65536)


class Metadata:
    """The trusted metadata in `directory`, from `url`, anchored in `root` (the device's own)."""

    def __init__(self, directory: Path, url: str, root: bytes, fetcher: FetcherInterface) -> None:
        self._directory = directory
        self._url = url
        self._root = root
        self._fetcher = fetcher

    def look_up(self, wanted: FirmwareWanted, model: str, utc: float) -> Found:
        """Refresh, and find the image. Raises MetadataError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            updater = Updater(
                str(self._directory),
                self._url,
                fetcher=self._fetcher,
                config=_CONFIG,
                bootstrap=self._root,
            )
            trusted = updater._trusted_set
            trusted.reference_time = datetime.fromtimestamp(utc, UTC)
            updater.refresh()
            target = updater.get_targetinfo(wanted.target)
        except exceptions.ExpiredMetadataError as error:
            raise MetadataError("expired", str(error), may_pass=True) from None
        except exceptions.DownloadLengthMismatchError as error:
            raise MetadataError("oversize", str(error), may_pass=True) from None
        except exceptions.BadVersionNumberError as error:
            raise MetadataError("replayed", str(error), may_pass=True) from None
        except exceptions.RepositoryError as error:
            raise MetadataError("metadata", str(error), may_pass=True) from None
        except (exceptions.DownloadError, OSError, urllib3.exceptions.HTTPError) as error:
            raise MetadataError("unreachable", str(error), may_pass=True) from None
        if target is None:
            raise MetadataError("no_target", f"{wanted.target} is not in the repository", True)
        custom = _custom(target.custom, model)
        if target.length != wanted.len or target.hashes.get("sha256") != wanted.sha256:
            raise MetadataError("mismatch", f"{wanted.target} is signed with other content", False)
        if custom.security_version != wanted.security_version or custom.version != wanted.version:
            raise MetadataError("mismatch", f"{wanted.target} is signed with other versions", False)
        return Found(custom, TufState(trusted.root.version, trusted.timestamp.version))


def _custom(raw: object, model: str) -> ImageCustom:
    try:
        custom = read(ImageCustom, raw, ignore_unknown=True)
    except MessageError as error:
        raise MetadataError("custom", f"custom.{error}", may_pass=False) from None
    if custom.model != model:
        raise MetadataError("model", f"it is for {custom.model}, this is a {model}", may_pass=False)
    return custom
