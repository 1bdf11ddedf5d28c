"""Two ways to end the same network: NiN's global average pooling, and fully connected layers as AlexNet has them.

docs/variants.md says what they cost, and how to measure both in one run.
"""

from torch import nn

from nin.model import NiN

HIDDEN = 4096
"""Units of AlexNet's and VGG's two hidden layers (Krizhevsky et al., 2012; Simonyan and Zisserman, 2014)."""
FEATURES = 384 * 5 * 5


def global_average(in_channels: int, num_classes: int) -> nn.Module:
    """NiN as it is: its last block has one channel a class, and the mean of that channel is the score of the class."""
    return NiN(in_channels, num_classes)


def fully_connected(in_channels: int, num_classes: int) -> nn.Module:
    """NiN's first three blocks and pools (N, 384, 5, 5), then two hidden layers and one for the classes."""
    blocks = list(NiN(in_channels, num_classes))[:6]
    return nn.Sequential(
        *blocks,
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(FEATURES, HIDDEN),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(HIDDEN, HIDDEN),
        nn.ReLU(),
        nn.Linear(HIDDEN, num_classes),
    )
