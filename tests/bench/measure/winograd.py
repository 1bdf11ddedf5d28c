"""3x3 convolutions by Winograd's F(4x4, 3x3) in float32, as cuDNN may compute them; named as `winograd:small`."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BT = torch.tensor([
    [4.0, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1],
])  # fmt: skip
G = torch.tensor([
    [1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1],
])  # fmt: skip
AT = torch.tensor([[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])
"""The three transforms: Lavin and Gray, arXiv 1509.09308, section 4.3."""


def convolved(x_NCHW: Tensor, weight_KCRS: Tensor) -> Tensor:
    """What a 3x3 convolution with a border of one zero gives, tile by tile of 4x4; height and width divide by 4."""
    bt, g, at = (matrix.to(x_NCHW.dtype) for matrix in (BT, G, AT))
    tiles_NCTUij = F.pad(x_NCHW, (1, 1, 1, 1)).unfold(2, 6, 4).unfold(3, 6, 4)
    v = torch.einsum("ai,nctuij,bj->nctuab", bt, tiles_NCTUij, bt)
    u = torch.einsum("ar,kcrs,bs->kcab", g, weight_KCRS, g)
    m = torch.einsum("kcab,nctuab->nktuab", u, v)
    y_NKTpUq = torch.einsum("pa,nktuab,qb->nktpuq", at, m, at)
    return y_NKTpUq.flatten(4, 5).flatten(2, 3)


class Convolution(nn.Conv2d):
    """A 3x3 convolution without a bias, direct unless `winograd` is set."""

    winograd = False

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return convolved(x, self.weight) if self.winograd else super().forward(x)


def small(in_channels: int, num_classes: int) -> nn.Module:
    """Four convolutions with batch norms, for images whose height and width divide by 4."""
    widths = (in_channels, 32, 64, 64, 64)
    blocks = [
        layer
        for before, after in pairwise(widths)
        for layer in (Convolution(before, after), nn.BatchNorm2d(after), nn.ReLU())
    ]
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, num_classes))
