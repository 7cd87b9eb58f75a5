"""[demo]: what exists only so that the product can be tried without a carrier."""

from switch.settings import ListenAddress, Section


class DemoSettings(Section):
    """Where the simulated carrier listens, UDP and TCP on each address; empty = no demo.

    `device` is the id of the [[device]] that is simulated, too, by a process of its own; "" = none."""

    carrier: tuple[ListenAddress, ...] = ()
    device: str = ""
