"""Dialogs (RFC 3261 §12): what two user agents share for the length of a call.

Values and small machines without I/O: the dialog itself, offer/answer (RFC 3264, 6337), reliable
provisional responses (RFC 3262), and session timers (RFC 4028). Nothing here knows of a second leg.
"""
