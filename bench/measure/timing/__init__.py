"""A trial's timed steps: plain ones, and those that are stamped by phase and layer."""
