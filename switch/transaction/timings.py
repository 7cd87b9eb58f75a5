"""The timer values of transactions (RFC 3261 §17.1.1.1 and table 4).

Deliberately absent: timer C (§16.6), a proxy's; a B2BUA bounds ringing in the call.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """T1, T2 and T4 in seconds; everything else derives from them."""

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    # §17.2.1: an INVITE server transaction sends 100 by itself after 200 ms of silence.
    trying: float = 0.2

    @property
    def transaction_timeout(self) -> float:
        """64*T1: timers B, F, H, J, L, M, and the wait for a final response after CANCEL (§9.1)."""
        return 64 * self.t1

    @property
    def wait_for_responses(self) -> float:
        """Timer D: at least 32 s over an unreliable transport (table 4), 64*T1 by its intent."""
        return max(32.0, 64 * self.t1) if self.t1 >= 0.5 else 64 * self.t1
