"""Which lines are registered over which flow: how an emergency call is known without a challenge.

A request comes from a registered phone when it uses the flow of a binding, or else the same source
address and contact: a NAT may have given it another port since, or its connection broke a moment ago
(the switch was restarted) and it calls for help before it registers anew.
"""

from collections.abc import Iterator
from typing import Generic, TypeVar

from switch.registrar.binding import Binding
from switch.sip.flow import Flow

K = TypeVar("K")
FlowKey = tuple[str, tuple[str, int], int]
ContactKey = tuple[str, str]


def flow_key(flow: Flow) -> FlowKey:
    """A flow as its peer sees it; which of our addresses it uses doesn't matter."""
    return (flow.transport, flow.remote, flow.connection)


class AorIndex(Generic[K]):
    """AORs by key. One AOR is kept bare, because nearly every key has one (memory)."""

    __slots__ = ("_aors",)

    def __init__(self) -> None:
        self._aors: dict[K, str | set[str]] = {}

    def __len__(self) -> int:
        return len(self._aors)

    def add(self, key: K, aor: str) -> None:
        """Note an AOR under a key; harmless when it is there."""
        found = self._aors.get(key)
        if found is None:
            self._aors[key] = aor
        elif isinstance(found, set):
            found.add(aor)
        elif found != aor:
            self._aors[key] = {found, aor}

    def remove(self, key: K, aor: str) -> None:
        """Drop an AOR from a key; harmless when it isn't there."""
        found = self._aors.get(key)
        if isinstance(found, set):
            found.discard(aor)
            if not found:
                del self._aors[key]
        elif found == aor:
            del self._aors[key]

    def holds(self, key: K, aor: str) -> bool:
        """Whether an AOR is under a key."""
        found = self._aors.get(key)
        return aor in found if isinstance(found, set) else found == aor

    def only(self, key: K) -> str | None:
        """The AOR under a key if it is the only one."""
        found = self._aors.get(key)
        if isinstance(found, set):
            return next(iter(found)) if len(found) == 1 else None
        return found

    def all(self, key: K) -> Iterator[str]:
        """Every AOR under a key; the index may change meanwhile."""
        found = self._aors.get(key)
        if isinstance(found, set):
            yield from tuple(found)
        elif found is not None:
            yield found


class FlowIndex:
    """Both ways to know a registered phone."""

    __slots__ = ("_contacts", "_flows")

    def __init__(self) -> None:
        self._flows: AorIndex[FlowKey] = AorIndex()
        self._contacts: AorIndex[ContactKey] = AorIndex()

    def add(self, binding: Binding) -> None:
        """Index a binding; one whose flow is gone is known by its contact only."""
        if binding.is_live:
            self._flows.add(flow_key(binding.origin), binding.aor)
        self._contacts.add(_contact_key(binding), binding.aor)

    def remove(self, binding: Binding, others: list[Binding]) -> None:
        """Forget a binding; `others` are those that its AOR keeps."""
        flow = flow_key(binding.origin)
        if all(flow_key(other.origin) != flow or not other.is_live for other in others):
            self._flows.remove(flow, binding.aor)
        if all(_contact_key(other) != _contact_key(binding) for other in others):
            self._contacts.remove(_contact_key(binding), binding.aor)

    def holds(self, flow: Flow, aor: str) -> bool:
        """Whether an AOR is registered over a flow."""
        return self._flows.holds(flow_key(flow), aor)

    def only(self, flow: Flow) -> str | None:
        """The AOR that is registered over a flow, if it is the only one."""
        return self._flows.only(flow_key(flow))

    def all(self, flow: Flow) -> Iterator[str]:
        """Every AOR that is registered over a flow."""
        return self._flows.all(flow_key(flow))

    def by_contact(self, address: str, user: str) -> str | None:
        """The AOR with a contact of this user from this source address, if it is the only one."""
        return self._contacts.only((address, user))


def _contact_key(binding: Binding) -> ContactKey:
    return (binding.source, binding.contact.user_text)
