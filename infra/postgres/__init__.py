"""The views in PostgreSQL: the tables and statements of `projections/`, kept set by set, one transaction a batch."""
