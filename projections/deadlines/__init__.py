"""What time alone will bring: who must be looked at when a period ends, and what was appointed for an instant."""
