"""The parent: takes the trials of a run and writes its files."""
