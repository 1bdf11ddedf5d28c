"""The speed of variants over many stored runs: in which order, where it changes, by how much, and what else changed."""
