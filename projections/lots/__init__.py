"""Deposit lots, what is left of each, and what each paid for."""
