"""The parent: it takes the trials of a run and writes its files."""
