"""What 933 says of each line: spoken anew, in the background, when the address it would send changes."""

from collections.abc import Callable, Iterable, Mapping

from policy.emergency import place
from switch.call.exchange import Exchange
from switch.media.catalogue import Announcement
from switch.media.readback import compose_readback


class ReadBacks:
    """Keeps the read-backs of all lines as the facts are; `speak` has sounds generated."""

    def __init__(self, exchange: Exchange, speak: Callable[[Iterable[Announcement]], None]) -> None:
        self._exchange = exchange
        self._speak = speak
        self._spoken: dict[str, tuple[str, Mapping[str, str]]] = {}

    def refresh(self) -> None:
        """Have those spoken that would say something else than they did last."""
        wanted: list[Announcement] = []
        for line in self._exchange.facts.lines.values():
            location, _ = place(line.policy)
            address = (location.insee, location.civic)
            if self._spoken.get(line.id) != address:
                self._spoken[line.id] = address
                wanted.append(compose_readback(line.id, location.civic, location.insee))
        if wanted:
            self._speak(wanted)
