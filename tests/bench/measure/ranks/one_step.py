"""`python one_step.py FOLDER MODEL PARALLEL`: one rank that takes one step, and leaves what it had and found."""

import sys
from pathlib import Path
from typing import Any

import torch

from bench.core.variants import Variant
from bench.measure.probes.memory import storage_bytes
from bench.measure.ranks import peers
from bench.measure.workload import Inputs, build

BATCH, SHAPE = 4, (1, 28, 28)


def main(folder: Path, model: str, parallel: str) -> None:
    ranks = peers.joined("cpu")
    variant = Variant(model=model, batch_size=BATCH, world_size=ranks.size, parallel=parallel)
    work = build(variant, Inputs(shape=SHAPE), 0, ranks)
    batch = next(work.batches)
    work.step(batch)
    found: dict[str, Any] = {"batch": batch, "gradients": [whole(p.grad) for p in work.trainer.model.parameters()]}
    found["weights"] = list(map(whole, work.trainer.model.state_dict().values()))
    found["held_bytes"] = storage_bytes(work.trainer.model.parameters())
    torch.save(found, folder / f"rank-{ranks.rank}")
    ranks.meet()
    torch.distributed.destroy_process_group()


def whole(tensor: Any) -> torch.Tensor:  # noqa: ANN401 - a DTensor too
    """The tensor, gathered from all ranks if they share it."""
    gathered: torch.Tensor = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor
    return gathered


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
