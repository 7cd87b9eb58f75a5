"""Who becomes one of ours: one claim judged, as a value.

The order: is the claim credential one that waits, does the request name it and its serial, did the
recorded key sign it, is the certificate request of that key, was the device claimed before. A device that
never spoke with its own credential may ask again (the answer was lost); one that did is quarantined, since
either it was reset behind our back or there are two of it.
"""

from dataclasses import dataclass

from firmware_agent.messages.claim import ClaimRequest, ClaimResult
from firmware_agent.messages.codec import MessageError
from firmware_agent.messages.envelope import keys_of, open_signed
from switch.provisioning.device import Device, Life


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a claim. `request` is None when nobody can be answered. `is_clone`: somebody else
    shows the serial, or shows it again."""

    result: ClaimResult
    reason: str
    request: ClaimRequest | None
    is_clone: bool = False


def judge(cid: str, raw: bytes, device: Device | None) -> Verdict:
    """Judge a claim that came as `cid`; `device` is the one that was armed with it."""
    if device is None or not device.identity:
        return Verdict(ClaimResult.REFUSED, "this claim credential is not known", None)
    try:
        opened = open_signed(ClaimRequest, raw, keys_of((device.identity,)))
    except MessageError as error:
        # Signed by another key than the factory's: nothing of it is believed, nobody is answered.
        return Verdict(ClaimResult.REFUSED, str(error), None, is_clone="signatures" in error.path)
    request = opened.document
    if (request.cid, request.serial) != (cid, device.serial):
        return Verdict(ClaimResult.REFUSED, "the request is for another claim or serial", request)
    if request.model != device.model:
        return Verdict(ClaimResult.REFUSED, f"{request.model} is not the recorded model", request)
    if device.life is Life.UNCLAIMED or (device.life is Life.CLAIMED and not device.spoke):
        return Verdict(ClaimResult.ACCEPTED, "", request)
    if device.life in (Life.CLAIMED, Life.TAMPERED, Life.QUARANTINED):
        reason = "this serial was claimed before"
        return Verdict(ClaimResult.QUARANTINED, reason, request, is_clone=True)
    return Verdict(ClaimResult.REFUSED, f"the device is {device.life}", request)
