"""The nouns, their rules and contracts. Pure: no await, no I/O, no clock, no randomness."""
