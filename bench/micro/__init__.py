"""Each layer alone, forward and backward, hot and cold: a pytest-benchmark suite that `python -m bench micro` runs."""
