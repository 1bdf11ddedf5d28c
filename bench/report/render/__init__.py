"""A document as Markdown, in a terminal and in TensorBoard."""
