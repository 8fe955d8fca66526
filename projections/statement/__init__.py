"""The lines of a subscriber's statement: what moved the balance or what is outstanding, on both clocks."""
