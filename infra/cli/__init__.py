"""The command line of CONTRACT §8, a module per verb."""
