"""The lines of the document in effect, as the phone has them: registered or not, by which secret."""

from collections.abc import Mapping, Sequence

from firmware_agent.agent.config import Applicable
from firmware_agent.messages.reported import LineState


class Lines:
    """Registration of each line."""

    def __init__(self, told: Mapping[str, int]) -> None:
        self._active: Applicable | None = None
        self._registered: dict[str, bool] = {}
        self.told = dict(told)
        """Line -> the generation of its secret whose first use was told."""

    def configure(self, active: Applicable | None) -> None:
        """These are the lines. One that changed is not registered until the phone says so."""
        before = {each.line: each for each in self._active.lines} if self._active else {}
        self._active = active
        after = active.lines if active else ()
        self._registered = {
            each.line: before.get(each.line) == each and self._registered.get(each.line, False)
            for each in after
        }

    def on_line(self, line: str, is_registered: bool) -> bool:
        """The phone says so; whether that is news."""
        if self._registered.get(line, is_registered) is is_registered:
            return False
        self._registered[line] = is_registered
        return True

    def fresh_generation(self, line: str) -> int | None:
        """The generation of a secret that was used for the first time; None when told before."""
        assert self._active is not None
        generation = next(each.secret_gen for each in self._active.lines if each.line == line)
        if not self._registered[line] or self.told.get(line) == generation:
            return None
        self.told[line] = generation
        return generation

    @property
    def are_registered(self) -> bool:
        """Whether every line is (true without lines)."""
        return all(self._registered.values())

    @property
    def has_one(self) -> bool:
        """Whether any line is registered."""
        return any(self._registered.values())

    def states(self) -> Sequence[LineState]:
        """For `reported`; `location_gen` acknowledges the location of the document in effect."""
        if self._active is None:
            return ()
        return tuple(
            LineState(
                each.line, each.sip.secret_gen, self._registered[each.line], each.location_gen
            )
            for each in self._active.document.lines
        )
