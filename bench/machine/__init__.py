"""The machine and its software."""
