"""The ranks of a trial as one of them sees them."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

STALLED_S = 60.0
"""A rank that waits so long for another gives up. It is less than any trial's time limit, so the trial can say which
rank the others waited for."""


@dataclass(frozen=True, slots=True)
class Peers:
    """All ranks of a trial, of which this process is one. A process that trains alone is the only one."""

    rank: int = 0
    """The number of this process among them."""
    size: int = 1

    @property
    def are_several(self) -> bool:
        """Whether other processes train with this one."""
        return self.size > 1

    def meet(self) -> None:
        """Returns when all ranks have come this far."""
        self.gathered([0.0])

    def most(self, value: float) -> float:
        """The largest value that a rank gives.

        How many steps to take must be the same for all ranks: each of them waits for the others in every step. So what
        one rank measured decides only after this.
        """
        return max(values[0] for values in self.gathered([value]))

    def gathered(self, values: Sequence[float]) -> list[list[float]]:
        """The values that each rank gives, by rank. All give the same number of values."""
        if not self.are_several:
            return [list(values)]
        own = torch.tensor(values, dtype=torch.float64)
        of_ranks = [torch.empty_like(own) for _ in range(self.size)]
        dist.all_gather(of_ranks, own)
        return [of_rank.tolist() for of_rank in of_ranks]


ALONE = Peers()
"""The Peers of a process that trains alone."""


def joined(device: str) -> Peers:
    """The ranks of this trial, once all have started. torch's launcher put this one's number into the environment.

    Numbers on the CPU go through gloo, gradients on a CUDA device through NCCL. gloo takes the loopback interface: its
    own choice, the address of the host's name, may not exist in a container.
    """
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    backend = "cpu:gloo,cuda:nccl" if device.startswith("cuda") else "gloo"
    dist.init_process_group(backend, timeout=timedelta(seconds=STALLED_S))
    return Peers(rank=dist.get_rank(), size=dist.get_world_size())
