"""The renewal of the device's certificate: asked for in time, with its key; what comes is taken if ours.

Deliberately absent: revocation, which is the service's, and what is done with an expired one: it is shown,
and the broker says no.
"""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from firmware_agent import certificate
from firmware_agent.certificate import Certificate
from firmware_agent.messages.codec import MessageError

ASK_AGAIN_S = 6 * 3600.0


class Renewal:
    """Of one device; a played one has no certificate, and nothing to renew."""

    def __init__(self, device: str, key: Ed25519PrivateKey | None, own: Certificate | None) -> None:
        self.own = own
        self._device = device
        self._key = key
        self._asked_at: float | None = None

    def ask(self, now: float, utc: float) -> str | None:
        """The request that is due, PEM; None while none is. `utc` is trusted time."""
        if self.own is None or self._key is None or utc < self.own.renew_at:
            return None
        if self._asked_at is not None and now - self._asked_at < ASK_AGAIN_S:
            return None
        self._asked_at = now
        return certificate.request(self._key, self._device)

    def take(self, pem: object) -> Certificate:
        """Another certificate came. MessageError for one that isn't ours, or that ends no later."""
        if self.own is None or self._key is None:
            raise MessageError("args.certificate", "there is none to renew")
        fresh = certificate.read(str(pem), self._key, self._device, "args.certificate")
        if fresh.until <= self.own.until:
            raise MessageError("args.certificate", "it ends no later than the present one")
        self.own = fresh
        return fresh
