"""The layer as a user of pyperf measures it: `python with_pyperf.py -o FILE`."""

import pyperf
from layer import Layer

if __name__ == "__main__":
    runner = pyperf.Runner()
    runner.bench_func("layer", Layer())
