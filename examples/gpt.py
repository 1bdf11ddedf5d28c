"""A small GPT on the bytes of a text that ships with Python: tokens a second, attention as a row of its own.

nox -s bench -- --task examples.gpt:make
nox -s bench -- --task examples.gpt:make --axis task.width=64,128 --variant ...
"""

import importlib.resources

import torch
import torch.nn.functional as F
from torch import nn

CONTEXT, BYTES = 128, 256


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, width, depth, heads):
        super().__init__()
        self.token, self.place = nn.Embedding(BYTES, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, BYTES, bias=False)

    def forward(self, tokens):
        x = self.token(tokens) + self.place(torch.arange(tokens.shape[1], device=tokens.device))
        return self.head(self.norm(self.blocks(x)))


class Task:
    unit, clip = "tokens", 1.0

    def __init__(self, width, depth, heads):
        self.sizes = width, depth, heads

    def model(self):
        return GPT(*self.sizes)

    def batches(self, batch_size):
        text = (importlib.resources.files("pydoc_data") / "topics.py").read_bytes()
        data, chance = torch.frombuffer(bytearray(text), dtype=torch.uint8).long(), torch.Generator().manual_seed(0)
        while True:
            starts = torch.randint(len(data) - CONTEXT, (batch_size,), generator=chance)
            rows = torch.stack([data[start : start + CONTEXT + 1] for start in starts])
            yield rows[:, :-1], rows[:, 1:]

    def loss(self, model, batch):
        tokens, following = batch
        return F.cross_entropy(model(tokens).flatten(0, 1), following.flatten())

    def optimizer(self, parameters):
        return torch.optim.AdamW(parameters, lr=3e-4)

    def items(self, batch):
        return batch[0].numel()


def make(width=128, depth=4, heads=4):
    return Task(width, depth, heads)
