"""Style as a test: formatting, types, directions of imports, words, and documents that are true."""
