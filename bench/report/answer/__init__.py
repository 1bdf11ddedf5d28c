"""The answer of a run, how sure it is, and how to use it."""
