"""The child: one trial a process, with torch, nin and the standard library."""
