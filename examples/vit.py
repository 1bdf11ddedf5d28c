"""A small vision transformer on random images: attention has a row of its own.

nox -s bench -- --task examples.vit:make
"""

import torch
import torch.nn.functional as F
from torch import nn

SIZE, PATCH, CLASSES = 64, 8, 10


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        y = self.norm1(x)
        x = x + self.attention(y, y, y, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self, width, depth, heads):
        super().__init__()
        self.patches = nn.Conv2d(3, width, PATCH, stride=PATCH)
        self.place = nn.Parameter(torch.zeros((SIZE // PATCH) ** 2, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.head = nn.Linear(width, CLASSES)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2) + self.place
        return self.head(self.blocks(x).mean(dim=1))


class Task:
    unit = "images"

    def __init__(self, width, depth, heads):
        self.sizes = width, depth, heads

    def model(self):
        return ViT(*self.sizes)

    def batches(self, batch_size):
        chance = torch.Generator().manual_seed(0)
        return [
            {
                "image": torch.rand(batch_size, 3, SIZE, SIZE, generator=chance),
                "label": torch.randint(CLASSES, (batch_size,), generator=chance),
            }
            for _ in range(8)
        ]

    def loss(self, model, batch):
        return F.cross_entropy(model(batch["image"]), batch["label"], label_smoothing=0.1)

    def predict(self, model, batch):  # what --mode infer calls
        return model(batch["image"])


def make(width=128, depth=4, heads=4):
    return Task(width, depth, heads)
