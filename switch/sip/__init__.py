"""SIP messages and header values (RFC 3261 §7, §19, §20, §25): bytes in, bytes out, no I/O.

Nothing here knows of transactions, dialogs or sockets. `parser` reads, `message` holds, `build` and
`Message.to_bytes` write; one file per header value.
"""
