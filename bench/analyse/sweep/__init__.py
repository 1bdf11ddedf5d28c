"""The runs of a sweep together: each node is a block, and how far nodes differ is a number of its own."""
