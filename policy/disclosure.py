"""Disclosure of a customer's data (terms 2(g), 10, 12): who may ask, who must agree, and what leaves.

A request names its legal ground, one line, a span of time and the classes of data; nothing else leaves.
Two people approve it, neither of them who asked. Until then, and once it was refused, there is no export.
Deliberately absent: the data, and any clock (`at` is an argument).
"""

from dataclasses import dataclass, replace
from enum import StrEnum

CLAUSE = "2(g)"
APPROVALS = 2


class Ground(StrEnum):
    """Why data may leave at all: an authority asks, somebody is in danger, or the operator defends itself."""

    AUTHORITY = "authority"
    IMMINENT_HARM = "imminent_harm"
    OWN_RIGHTS = "own_rights"


class Class(StrEnum):
    """What can be asked for."""

    IDENTITY = "identity"
    TRAFFIC = "traffic"
    LOCATION = "location"


class Stage(StrEnum):
    """How far a request is."""

    REQUESTED = "requested"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPORTED = "exported"


class NotAllowedError(ValueError):
    """A step that the request's stage or the person doesn't allow; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Disclosure:
    """One request. `since` and `until` are UTC milliseconds; `reference` is the authority's."""

    id: str
    line: str
    since: int
    until: int
    classes: tuple[Class, ...]
    ground: Ground
    reference: str
    by: str
    stage: Stage = Stage.REQUESTED
    approved_by: tuple[str, ...] = ()


def approve(request: Disclosure, by: str) -> Disclosure:
    """One more person agrees. Raises NotAllowedError for who asked, for who agreed, and once it's over."""
    if request.stage is not Stage.REQUESTED:
        raise NotAllowedError(f"{request.id} is {request.stage} already")
    if by == request.by:
        raise NotAllowedError(f"{by} asked for {request.id}: {APPROVALS} others must agree")
    if by in request.approved_by:
        raise NotAllowedError(f"{by} agreed to {request.id} already")
    approved_by = (*request.approved_by, by)
    stage = Stage.APPROVED if len(approved_by) == APPROVALS else Stage.REQUESTED
    return replace(request, approved_by=approved_by, stage=stage)


def refuse(request: Disclosure) -> Disclosure:
    """Somebody refuses. Raises NotAllowedError once data have left."""
    if request.stage not in (Stage.REQUESTED, Stage.APPROVED):
        raise NotAllowedError(f"{request.id} is {request.stage} already")
    return replace(request, stage=Stage.REFUSED)


def export(request: Disclosure) -> Disclosure:
    """Data leave, once. Raises NotAllowedError without the approvals."""
    if request.stage is not Stage.APPROVED:
        missing = APPROVALS - len(request.approved_by)
        why = f"{missing} approvals are missing" if missing else "its data left already"
        if request.stage is Stage.REFUSED:
            why = "it was refused"
        raise NotAllowedError(f"{request.id} is {request.stage}: {why}")
    return replace(request, stage=Stage.EXPORTED)
