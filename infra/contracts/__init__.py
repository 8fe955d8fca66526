"""What others build on: the shapes of commands, facts, answers and topics, written down from the code that has them."""
