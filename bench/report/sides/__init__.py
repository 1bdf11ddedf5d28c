"""Pages that put runs or code trees side by side."""
