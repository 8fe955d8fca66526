"""Refunds from request to payout, and disputes from their opening to what was decided."""
