"""Acceptable use (terms 2(d), 2(e), 3(a), 3(b)): from the outlines of calls to a suspicion.

No call is refused by it.

A finished attempt is a `Call` (call.py); a line's `Profile` keeps bounded features of its calls
(profile.py, window.py, sketch.py); detectors compare them with limits (detectors.py); alerts with their
evidence, hysteresis and the two-detector rule make a case (watch.py).
Deliberately absent: content (terms 2(g): only the outline of a call is looked at), and any effect on a
call.
"""
