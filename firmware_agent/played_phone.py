"""A phone that only says it registered: for fleets, and where no SIP is wanted."""

from collections.abc import Iterable

from firmware_agent.agent.commands import LineConfig
from firmware_agent.work import Outcome, Tell


class PlayedPhone:
    """`registers`: whether it does; an image can be made that boots and never registers."""

    def __init__(self, tell: Tell, registers: bool = True) -> None:
        self._tell = tell
        self._registers = registers
        self._lines: tuple[LineConfig, ...] = ()

    def configure(self, lines: tuple[LineConfig, ...]) -> None:
        """See `driver.Phone`."""
        before, self._lines = self._lines, lines
        self._say(each for each in lines if each not in before)

    def register(self) -> None:
        """See `driver.Phone`."""
        self._say(self._lines)

    def self_test(self) -> None:
        """See `driver.Phone`."""
        self._tell(lambda agent, at: agent.on_self_test(True, at))

    def _say(self, lines: Iterable[LineConfig]) -> None:
        def registered(line: str) -> Outcome:
            return lambda agent, at: agent.on_line(line, True, at)

        if self._registers:
            for each in lines:
                self._tell(registered(each.line))
