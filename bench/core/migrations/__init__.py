"""Brings files of earlier schemas into today's form."""
