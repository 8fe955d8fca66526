"""A whole live ledger in one process, with simulated brokers, clock and database, and a scheduler that hurts it."""
