"""Whole lives of subscribers as JSON Lines: commands, the exact facts each must lead to, and questions."""
