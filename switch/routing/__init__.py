"""Routing: dial plan, number formats, and from a decision to ordered targets. Values only."""
