"""The device as a machine: events in with the time, commands out; no I/O, no clock.

table      the states of an update, as a table
update     an update of the firmware, driven by that table
config     the desired document: taken, tried, kept or reverted
quiet      when the device may reboot
renewal    its certificate, before that ends
kept       what survives a reboot
commands   what the driver performs
agent      the whole
"""
