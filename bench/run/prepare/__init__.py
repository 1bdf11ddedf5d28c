"""How a run begins, or goes on: options checked, models tried, code trees copied."""
