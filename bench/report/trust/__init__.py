"""Sections on how far the numbers can be trusted."""
