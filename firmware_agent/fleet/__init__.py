"""Thousands of played devices in one process: the very agents, drivers and slots of a real one, over memory
instead of flash, with a phone that only says it registered.

    packets     the few packets of MQTT 5 that a device sends and gets
    connection  one device's connection, as an asyncio protocol
    played      one device, over its reboots
    fleet       all of them, and what they count

Ours instead of aiomqtt, for speed only: a client of paho costs about 50 KB and a task or two, and ten
thousand of them would measure the client. A real device uses aiomqtt (`firmware_agent.mqtt`).
"""
