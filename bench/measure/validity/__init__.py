"""Whether a variant took effect, and computes what it should."""
