"""`python nin/download.py FOLDER`: have torchvision download Fashion-MNIST into a folder."""

import sys

from torchvision.datasets import FashionMNIST

if __name__ == "__main__":
    try:
        FashionMNIST(sys.argv[1], download=True)
    except (OSError, RuntimeError) as error:
        sys.exit(" ".join(str(error).split()))
