"""The rules of the ledger: pure functions over immutable values, the standard library only."""
