"""The workload that the tools are compared on: a 1x1 convolution with ReLU, forward and backward, in NumPy.

A process without torch starts in a tenth of a second, so hundreds of comparisons fit an hour. The
planted slowdowns are real work: 20 calls a value are the base (`CALLS`); 21, 22 and 23 are 5, 10 and 15 % more.

`python layer.py VALUES` prints the seconds of that many values as JSON, after one that warms up.
`python layer.py` prints an empty line after one that warms up, and then the seconds of a value for each line it gets.
"""

import json
import os
import sys
import time

import numpy as np

BASE_CALLS = 20
PIXELS, CHANNELS = 784, 192


class Layer:
    """A 1x1 convolution and a ReLU, and a batch to run them on."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.x_PC = rng.standard_normal((PIXELS, CHANNELS), dtype=np.float32)
        self.weight_CC = rng.standard_normal((CHANNELS, CHANNELS), dtype=np.float32)
        self.dy_PC = rng.standard_normal((PIXELS, CHANNELS), dtype=np.float32)
        self.calls = int(os.environ.get("CALLS", BASE_CALLS))

    def __call__(self) -> None:
        """Run forward and backward, as often as asked."""
        for _ in range(self.calls):
            y_PC = self.x_PC @ self.weight_CC
            gradient_PC = np.where(y_PC > 0, self.dy_PC, np.float32(0))
            self.x_PC.T @ gradient_PC
            gradient_PC @ self.weight_CC.T


def main(values: int) -> None:
    """Print the seconds of `values` values."""
    layer = Layer()
    layer()
    print(json.dumps([value_s(layer) for _ in range(values)]))


def take_turns() -> None:
    """Print the seconds of a value for each line that comes in."""
    layer = Layer()
    layer()
    print(flush=True)
    for _ in sys.stdin:
        print(value_s(layer), flush=True)


def value_s(layer: Layer) -> float:
    """The seconds of one value."""
    start = time.perf_counter()
    layer()
    return time.perf_counter() - start


if __name__ == "__main__":
    main(int(sys.argv[1])) if sys.argv[1:] else take_turns()
