"""A live ledger: facts on Kafka, views in PostgreSQL, and the processes between them."""
