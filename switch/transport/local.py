"""Our end of a flow: which of the listening addresses a request of ours leaves from."""

from collections.abc import Mapping, Sequence

from switch.settings import HostPort
from switch.sip.flow import WILDCARDS, Flow


class LocalFlow:
    """The first listening address of the transport and family; on a wildcard the peer is told
    `public`. `listening` is by transport, "UDP", "TCP", "TLS".

    Where nothing listens on a transport, another's address is told: a Via needs a port, and what
    answers comes back by the connection.
    """

    def __init__(self, listening: Mapping[str, Sequence[HostPort]], public: str) -> None:
        """Nothing is opened."""
        self._listening = listening
        self._public = public

    def __call__(self, transport: str, remote: tuple[str, int]) -> Flow:
        """A flow to `remote`, whose connection (if it needs one) is yet to be opened."""
        is_ipv6 = ":" in remote[0]
        for name in (transport, *self._listening):
            for host, port in self._listening.get(name, ()):
                if (":" in host) == is_ipv6:
                    shown = self._public or host if host in WILDCARDS else host
                    return Flow(transport, (shown, port), remote)
        return Flow(transport, ("::1" if is_ipv6 else "127.0.0.1", 0), remote)
