"""The wire contract of both sides: topics, documents, signatures, sealed secrets.

    topics    names, QoS, retain, expiry
    codec     frozen dataclasses <-> canonical JSON; MessageError names the path
    desired   service -> device: Desired, Command, Beacon (signed)
    reported  device -> service: Reported, Status, Ack, Ota, Evt, Tlm
    claim     Factory, ClaimRequest, ClaimResponse (signed)
    image     the TUF target's custom part
    envelope  sign / open_signed (DSSE, Ed25519), seal / unseal (HPKE)

It imports only the standard library and `cryptography`. It may grow optional keys; what is here stays.
"""
