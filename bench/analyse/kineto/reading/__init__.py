"""From the file of a trace to its events as columns."""
