"""[demo]: what exists only so that the product can be tried without a carrier."""

from switch.settings import ListenAddress, Section


class DemoSettings(Section):
    """Where the simulated carrier listens, UDP and TCP on each address; empty = no demo."""

    carrier: tuple[ListenAddress, ...] = ()
