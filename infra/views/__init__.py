"""Read models of an embedded ledger: kept beside the log in `views.db`, folded from it, thrown away at will."""
