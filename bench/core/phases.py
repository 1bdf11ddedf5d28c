"""The phases of a step."""

PHASES = ("data", "h2d", "forward", "loss", "backward", "scaler", "clip", "optimizer", "after_step", "read")
"""In the order in which a step begins them; a step has those that it needs."""
