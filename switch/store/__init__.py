"""The store: the journal that survives a crash, and the database that is filled from it."""
