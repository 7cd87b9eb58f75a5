"""Calls: the B2BUA (RFC 7092). Read `incoming`, then `steps`, then the legs."""
