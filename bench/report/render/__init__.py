"""The page for a terminal and for TensorBoard."""
