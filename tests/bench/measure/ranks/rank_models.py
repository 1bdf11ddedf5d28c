"""Small models whose second rank does something of its own, named as `rank_models:factory`."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from torch import Tensor, nn

SLEEP_S = 0.2
"""Far more than everything else in a step of so small a model."""
LATE = 3
"""The step in which something happens: by then all ranks work together."""


class OnSecond(nn.Module):
    """Hands on its input, and on the second rank does something at each step, by its number."""

    def __init__(self, does: Callable[[int], None]) -> None:
        super().__init__()
        self.does, self.steps = does, 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        note()
        if os.environ.get("RANK") == "1":
            self.does(self.steps)
        return x


def note() -> None:
    """Leave this process's number and its group's port in the folder that RANKS_NOTED names."""
    if folder := os.environ.get("RANKS_NOTED"):
        (Path(folder) / os.environ["RANK"]).write_text(f"{os.getpid()} {os.environ['MASTER_PORT']}")


def model_of(does: Callable[[int], None], in_channels: int, num_classes: int) -> nn.Module:
    """For 28x28 images."""
    return nn.Sequential(nn.Flatten(), OnSecond(does), nn.Linear(in_channels * 28 * 28, num_classes))


def plain(in_channels: int, num_classes: int) -> nn.Module:
    """All ranks do the same."""
    return model_of(lambda _step: None, in_channels, num_classes)


def sleeps(in_channels: int, num_classes: int) -> nn.Module:
    """The second rank sleeps in forward."""
    return model_of(lambda _step: time.sleep(SLEEP_S), in_channels, num_classes)


def dies(in_channels: int, num_classes: int) -> nn.Module:
    """The second rank is killed as if by the kernel."""

    def die(step: int) -> None:
        if step == LATE:
            os.write(2, b"its last words\n")
            os.kill(os.getpid(), signal.SIGKILL)

    return model_of(die, in_channels, num_classes)


def lacks_memory(in_channels: int, num_classes: int) -> nn.Module:
    """The second rank finds no memory."""

    def lack(step: int) -> None:
        if step == LATE:
            msg = "no room for 7 GiB"
            raise MemoryError(msg)

    return model_of(lack, in_channels, num_classes)


def hangs(in_channels: int, num_classes: int) -> nn.Module:
    """The second rank never comes back."""
    return model_of(lambda step: time.sleep(3600 if step == LATE else 0), in_channels, num_classes)
