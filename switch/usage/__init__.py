"""Usage: what a line's calls add up to, and the record that each call leaves (CDR)."""
