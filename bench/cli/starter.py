"""The file that `bench init` writes: a task that works as it is, to be changed into the user's own."""

from pathlib import Path

from bench.core.exits import called
from bench.core.text import shell_word
from bench.core.variants import UsageError

TASK = '''"""What nin-bench measures here. It calls these methods, and does the rest of a training step itself."""

import torch
from torch import nn

# from mypackage import Net, load_batches


class Task:
    unit = "samples"  # what a step works through, in one word: samples, tokens, images, ...
    # accumulate = 4  # how many batches a step takes before its optimizer runs
    # clip = 1.0  # the largest norm of all gradients together

    def model(self):
        """A new model each time, on the CPU and in training mode."""
        return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))

    def batches(self, batch_size):
        """Batches: a DataLoader, or anything that can be iterated. If they end, they are begun again."""
        random = torch.Generator().manual_seed(0)
        while True:
            inputs = torch.randn(batch_size, 64, generator=random)
            yield inputs, torch.randint(10, (batch_size,), generator=random)

    def loss(self, model, batch):
        """The loss of a batch on the device: one number. Call this `model`, which may be compiled."""
        inputs, targets = batch
        return nn.functional.cross_entropy(model(inputs), targets)

    # def optimizer(self, parameters):  # without it, Adam
    #     return torch.optim.SGD(parameters, lr=0.1)

    # def items(self, batch):  # how many units a batch has; without it, the first dimension of its first tensor
    #     return batch[0].numel()
'''


def write(file: Path) -> str:
    """Writes the file. Returns a sentence on how to try it.

    Raises UsageError if the file is there already or can't be imported by its name, OSError if it can't be written.
    """
    if file.suffix != ".py" or not file.stem.isidentifier():
        msg = f"{file}: name a file that Python can import, such as mytask.py"
        raise UsageError(msg)
    try:
        with file.open("x", encoding="utf-8") as new:
            new.write(TASK)
    except FileExistsError as error:
        msg = f"{file} is there already: name a new file"
        raise UsageError(msg) from error
    module = ".".join(file.with_suffix("").parts)
    name = f"{module}:Task" if not file.is_absolute() and ".." not in file.parts else f"{file.stem}:Task"
    return f"wrote {file}; try it with: {called()} check --task {shell_word(name)}"
