"""The harness: measures `nin`, or any small CNN, and says how sure one can be."""
