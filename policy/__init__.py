"""The rules of the service, as pure functions over plain values.

`decide(request, facts, rules)` answers every call; nothing here reads a clock, a file or a socket,
and nothing outside the standard library is imported. Emergency is tried first and no later rule can
take it back.
"""
