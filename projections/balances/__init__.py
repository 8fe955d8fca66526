"""The balance of each subscriber, and what is invoiced and unpaid, as recorded so far."""
