"""What a process does with a command: reading it, deciding it once, answering it."""
