"""The axes of a variant, a file each: values and default, their marks, labels and recipes, and why one can't run."""
