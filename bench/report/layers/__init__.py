"""Sections on layers."""
