"""Calls and messages: what was reported, what was included, what it cost, and where it was cut off."""
