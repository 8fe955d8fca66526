"""Orders and the rentals that they became, and who held a number, when."""
