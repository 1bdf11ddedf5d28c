"""From traces to tables."""
