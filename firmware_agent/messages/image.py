"""What the TUF repository says of an image, beside its hash and length: the target's `custom`.

The path of a target is MODEL/VERSION.img; the role of the same name as the model is delegated the paths
MODEL/*. An image or delta is fetched at `{images_url}/{sha256}`. The image of the simulated adapter is
any bytes; its version and model are those of the target.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from firmware_agent.messages.codec import Count, Name, Within
from firmware_agent.messages.desired import MAX_IMAGE, Sha256, Version


@dataclass(frozen=True, slots=True)
class Delta:
    """A patch of `detools` (type sequential, any compression it knows) that makes the target from a
    base. Not a target of its own: base and result are checked by hash."""

    sha256: Sha256
    len: Annotated[int, Within(1, MAX_IMAGE)]


@dataclass(frozen=True, slots=True)
class ImageCustom:
    """`custom` of a target."""

    model: Name
    version: Version
    security_version: Count
    deltas: Annotated[Mapping[str, Delta], Within(0, 16)] = field(default_factory=dict)
    """SHA-256 of a base image -> the delta from it."""
