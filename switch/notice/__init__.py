"""What customers are told, and the ledger that proves it. As yet the ledger and its outbox only."""
