"""The embedded ledger: one shard and the catalogue on the `eventsourcing` library's SQLite recorder, in one folder."""
