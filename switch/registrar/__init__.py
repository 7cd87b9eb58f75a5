"""RFC 3261 §10: addresses of record, bindings, flows (RFC 5626) and NAT."""
