"""What a factory does: keys for a device, its record here, and the file that goes into its box.

For simulated devices and for a workbench; hardware gets its keys where it is made, and only the public one
comes to us (`vigie device claim --key`).
"""

import base64

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from firmware_agent.messages.claim import Factory
from firmware_agent.messages.codec import encode
from switch.provisioning.admission import Armed
from switch.provisioning.devices import Twin
from switch.provisioning.service import Service


def identity_of(text: str) -> bytes:
    """An Ed25519 public key of 32 bytes in base64. ValueError for anything else."""
    key = base64.b64decode(text, validate=True)
    if len(key) != 32:
        raise ValueError("an Ed25519 public key is 32 bytes in base64")
    return key


def make(service: Service, twin: Twin, by: str) -> bytes:
    """Make a device: new keys, an open claim, and its factory file (a secret)."""
    identity, seal = Ed25519PrivateKey.generate(), X25519PrivateKey.generate()
    armed = service.admission.arm(twin, identity.public_key().public_bytes_raw(), by)
    return file_of(service, twin, armed, identity, seal)


def file_of(
    service: Service,
    twin: Twin,
    armed: Armed,
    identity: Ed25519PrivateKey,
    seal: X25519PrivateKey,
) -> bytes:
    """The file of a device with these keys. OSError while there is no firmware repository."""
    return encode(
        Factory(
            serial=twin.device.serial,
            model=twin.device.model,
            key=identity.private_bytes_raw(),
            seal_key=seal.private_bytes_raw(),
            broker=service.admission.place.broker,
            cid=armed.cid,
            claim_secret=armed.secret,
            service_keys=(service.fleet.authority.service_key,),
            tuf_root=service.repository.root,
            broker_ca=service.admission.place.broker_ca,
        )
    )
