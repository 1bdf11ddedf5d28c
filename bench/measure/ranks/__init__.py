"""Data parallel training: one trial by several processes, called ranks, that average their gradients at each step."""
