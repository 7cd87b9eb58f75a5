"""Spoken announcements and the echo test, played by pjsua2 worker processes.

The switch itself carries no RTP, codec or jitter code. It sends an ordinary INVITE to a
worker on the loopback interface; `pool` says which worker has room.
"""
