"""Metrics: what one is, the registry of all, and a sample of one. Standard library alone: the child knows them."""
