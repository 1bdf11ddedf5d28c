"""Small models whose second rank does something of its own, named as `rank_models:factory`."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

SLEEP_S = 0.2
"""Far more than everything else in a step of so small a model."""
LARGE = 300_000
"""Larger buckets are averaged late. DDP's first bucket is full from 1 MiB on: a large layer is one of its own."""
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


class SleepsInBackward(torch.autograd.Function):
    """Hands on its input at once, and its gradient late."""

    @staticmethod
    def forward(_context: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(_context: object, gradient: Tensor) -> Tensor:
        time.sleep(2 * SLEEP_S)
        return gradient


class Computes(nn.Module):
    """Computes in backward for twice as long as the network needs, and makes ten numbers 30,000."""

    def forward(self, x: Tensor) -> Tensor:
        late: Tensor = SleepsInBackward.apply(x)
        return late.repeat(1, 3000)


class Arriving:
    """A collective whose result comes SLEEP_S after it began."""

    def __init__(self, work: dist.Work | None, tensor: Tensor) -> None:
        self.work, self.tensor = work, tensor

    def get_future(self) -> torch.futures.Future[list[Tensor]]:
        future: torch.futures.Future[list[Tensor]] = torch.futures.Future()

        def arrive() -> None:
            time.sleep(SLEEP_S)
            if self.work is not None:
                self.work.wait()
            future.set_result([self.tensor])

        threading.Thread(target=arrive, daemon=True).start()
        return future


def slow_network() -> None:
    """Let the gradients of a large layer take SLEEP_S longer to be averaged."""
    at_once = dist.all_reduce

    def late(tensor: Tensor, *, async_op: bool = False) -> Any:  # noqa: ANN401 - torch's, or as much of it as is used
        work = at_once(tensor, async_op=async_op)
        return Arriving(work, tensor) if tensor.numel() > LARGE else work

    dist.all_reduce = late  # type: ignore[assignment] # the arguments that ours uses


def exposed(in_channels: int, num_classes: int) -> nn.Module:
    """Its large layer is the last of backward: nothing is computed while its gradients are averaged."""
    slow_network()
    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * 28 * 28, 400), nn.Linear(400, num_classes))


def hidden(in_channels: int, num_classes: int) -> nn.Module:
    """Its large layer is the first of backward: the rest of it takes longer than its gradients need to be averaged."""
    slow_network()
    small, large = nn.Linear(in_channels * 28 * 28, 10), nn.Linear(30_000, num_classes)
    return nn.Sequential(nn.Flatten(), small, Computes(), large)


def hangs(in_channels: int, num_classes: int) -> nn.Module:
    """The second rank never comes back."""
    return model_of(lambda step: time.sleep(3600 if step == LATE else 0), in_channels, num_classes)
