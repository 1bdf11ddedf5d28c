"""Stored runs side by side: their variants matched, and what training costs on their machines."""
