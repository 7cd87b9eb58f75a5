"""Transports (RFC 3261 §18): UDP, TCP, TLS, a node's certificate, where a URI leads (RFC 3263).

Sockets live here and nowhere else. What arrives goes to a sink, the driver; machines never see a
socket.
"""
