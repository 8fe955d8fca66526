"""The wire form of facts: names, envelopes, and examples that must decode for ever."""
