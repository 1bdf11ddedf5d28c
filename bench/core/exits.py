"""The exit codes that verbs share."""

USAGE = 2
"""A wrong call."""
NOTHING = 4
"""Nothing was measured, or a file can't be used."""
INTERRUPTED = 130
"""Ctrl-C, as a shell counts it: 128 and the signal's number."""
