"""What the agent says and asks, in order. Events that happen while MQTT is away are held; anything else
that is published is a state, and states are said anew at each connection."""

from firmware_agent.agent.commands import Command, Keep, Publish
from firmware_agent.agent.kept import STATE_FILE, Kept
from firmware_agent.messages.codec import encode
from firmware_agent.messages.reported import Event, Evt
from firmware_agent.messages.topics import Kind

HELD = 32
"""Events held while MQTT is away; the oldest go first."""


class Outbox:
    """Commands for the driver, and the numbers of what is published."""

    def __init__(self, boot_id: str) -> None:
        self.boot_id = boot_id
        self.is_connected = False
        self._seq = 0
        self._commands: list[Command] = []
        self._held: list[Evt] = []

    def emit(self, command: Command) -> None:
        """Ask the driver; what would be published while MQTT is away is dropped."""
        if self.is_connected or not isinstance(command, Publish):
            self._commands.append(command)

    def store(self, kept: Kept) -> None:
        """Have the state stored before the next command."""
        self._commands.append(Keep(STATE_FILE, encode(kept)))

    def tell(self, kind: Event, utc: float, **detail: str | int) -> None:
        """An event, now or at the next connection."""
        event = Evt(kind, self.boot_id, self.next_seq(), int(utc), detail)
        if self.is_connected:
            self._commands.append(Publish(Kind.EVT, event))
        else:
            self._held = [*self._held, event][-HELD:]

    def flush(self) -> None:
        """MQTT is there: what was held is told."""
        held, self._held = self._held, []
        self._commands += [Publish(Kind.EVT, each) for each in held]

    def next_seq(self) -> int:
        """Grows within a boot."""
        self._seq += 1
        return self._seq

    def take(self) -> list[Command]:
        """What is to be done, in order."""
        commands, self._commands = self._commands, []
        return commands
