"""An LSTM on sequences of several lengths, in batches of equal length: each length is another shape.

A compiled variant compiles once for each shape. The report's step is the median over batches of all lengths.

    nox -s bench -- --task examples.lstm:make
"""

import torch
import torch.nn.functional as F
from torch import nn

WORDS, LENGTHS = 1000, (16, 32, 48)


class Tagger(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.word = nn.Embedding(WORDS, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.tag = nn.Linear(width, 16)

    def forward(self, words):
        return self.tag(self.lstm(self.word(words))[0])


class Task:
    unit, clip = "tokens", 1.0

    def __init__(self, width):
        self.width = width

    def model(self):
        return Tagger(self.width)

    def batches(self, batch_size):
        chance = torch.Generator().manual_seed(0)
        while True:
            for length in LENGTHS:
                words = torch.randint(WORDS, (batch_size, length), generator=chance)
                yield words, words % 16

    def loss(self, model, batch):
        words, tags = batch
        return F.cross_entropy(model(words).flatten(0, 1), tags.flatten())

    def items(self, batch):
        return batch[0].numel()


def make(width=128):
    return Task(width)
