"""The device side: the program that runs on an adapter, and that plays thousands of them in tests.

It stands beside the switch and imports nothing of it. `messages` is the wire contract, the only part
that the switch (its room `provisioning`) reads.
"""
