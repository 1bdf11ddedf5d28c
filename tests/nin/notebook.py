"""The notebook's network and step, stated once more, by the weights' keys and torch's functions alone."""

import torch
import torch.nn.functional as F
from torch import Tensor

# Key of the block, stride and padding of its first convolution.
BLOCKS = (("0", 4, 0), ("2", 1, 2), ("4", 1, 1), ("7", 1, 1))


def logits(weights: dict[str, Tensor], x: Tensor) -> Tensor:
    """(N, 1, 224, 224) -> (N, 10), dropout on."""
    for block, stride, padding in BLOCKS:
        if block == "7":
            x = F.dropout(x, 0.5)
        for layer in (0, 2, 4):
            weight, bias = (weights[f"{block}.{layer}.{kind}"] for kind in ("weight", "bias"))
            x = F.conv2d(x, weight, bias, stride if layer == 0 else 1, padding if layer == 0 else 0)
            x = F.relu(x)
        if block != "7":
            x = F.max_pool2d(x, 3, 2)
    return F.avg_pool2d(x, x.shape[2:]).flatten(1)


def train(weights: dict[str, Tensor], batches: list[tuple[Tensor, Tensor]], lr: float = 0.002) -> list[float]:
    """The loss of each step of Adam; `weights` are trained in place."""
    parameters = [w.requires_grad_() for w in weights.values()]
    optimizer = torch.optim.Adam(parameters, lr=lr)
    losses = []
    for x, y in batches:
        loss = F.cross_entropy(logits(weights, x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses
