"""What the operators of a step have to do: floating-point operations, and bytes that must move."""
