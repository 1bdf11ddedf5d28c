"""A trainer whose model several ranks train."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bench.core.axes.parallel import FSDP
from bench.measure.ranks.averaging import averaged
from bench.measure.ranks.exchange import Exchanger
from bench.measure.ranks.peers import Peers
from nin.train import Trainer


def trainer_of_ranks(
    make: Callable[[nn.Module], Trainer], model: nn.Module, device: torch.device, peers: Peers, parallel: str
) -> tuple[Trainer, Exchanger[Any]]:
    """The trainer of one rank, and what watches its exchange with the others.

    Parameters are shared out before the optimizer is made, which holds what is left of them.
    """
    if parallel == FSDP:
        from bench.measure.ranks.sharding import sharded  # noqa: PLC0415 - slow, and DDP does without

        sharding = sharded(model.to(device), device, peers)
        return make(model), sharding
    trainer = make(model)
    trainer.forward, averaging = averaged(trainer.model, device, peers)
    return trainer, averaging
