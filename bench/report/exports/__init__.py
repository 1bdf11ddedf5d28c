"""A run in the formats of other people's tools. Each format has a file; formats.py lists them."""
