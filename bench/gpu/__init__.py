"""`bench gpu`: whether this harness's numbers are true on this machine's GPU, in ten minutes at the most."""
