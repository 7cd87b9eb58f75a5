"""The order in which targets are tried: groups in series, the targets of a group in parallel."""

from collections.abc import Iterable
from dataclasses import replace

from switch.routing.target import Target
from switch.sip.errors import LocalProtocolError, ParseError
from switch.sip.message import Response
from switch.sip.nameaddr import NameAddr

MAX_REDIRECTS = 5  # contacts followed in one call: a carrier that redirects in circles ends here
_DIALLED = ("sip", "sips", "tel")


class Hunt:
    """The targets that are still to be tried."""

    __slots__ = ("_groups", "_redirects")

    def __init__(self, groups: Iterable[tuple[Target, ...]]) -> None:
        self._groups = [group for group in groups if group]
        self._redirects = 0

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to try."""
        return not self._groups

    @property
    def next(self) -> tuple[Target, ...]:
        """What `take` would give."""
        return self._groups[0] if self._groups else ()

    def take(self) -> tuple[Target, ...]:
        """The next group, () when none is left."""
        return self._groups.pop(0) if self._groups else ()

    def redirect(self, origin: Target, contacts: Iterable[str]) -> None:
        """Try the contacts of a trunk's 3xx next, by way of the same trunk (§8.1.3.4)."""
        new: list[tuple[Target, ...]] = []
        for contact in contacts:
            if self._redirects == MAX_REDIRECTS:
                break
            self._redirects += 1
            new.append((replace(origin, request_uri=contact),))
        self._groups[:0] = new


def contacts_of(response: Response) -> tuple[str, ...]:
    """The URIs that a 3xx names and an INVITE can go to, without headers (§19.1.5); a carrier's mistakes
    are left out, since the call must go on all the same."""
    found: list[str] = []
    try:
        for value in response.split("Contact"):
            uri = NameAddr.parse(value).uri
            if uri.scheme in _DIALLED:
                found.append(str(uri._replace(headers=())))
    except (ParseError, LocalProtocolError):
        pass
    return tuple(found)
