"""Devices: how they get a broker, a certificate, a line and firmware, and what they say of themselves.

    settings      [mqtt], [[device]], [firmware]
    broker        Mosquitto as a child; broker_files: what it is told
    link          aiomqtt, the only module that knows it
    authority     the internal CA; claims: who becomes one of ours; certificates: renewed, revoked
    strays        hardware out of service, which may show itself
    device        one device as a value, and the table of its life; devices: all of them, by the journal
    documents     what a device shall be; reports: what it says
    rollout, stages, gate, reach   firmware by stages: pure
    repository    TUF: who signed which image; images: their place and their way out;
                  work: how far that is
    service       all of it put together, for the application

Nothing here is on the path of a call: a broker that is away costs news of devices, never a call.
"""
