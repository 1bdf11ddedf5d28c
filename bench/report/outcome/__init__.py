"""Sections on the results."""
