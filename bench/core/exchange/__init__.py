"""The messages between parent and child, and the causes of trials without a plain result."""
