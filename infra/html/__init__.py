"""Pages for people to print."""
