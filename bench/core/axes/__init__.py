"""The axes of a variant, a file each: values, default, mark, label, recipe, and what keeps a value from running."""
