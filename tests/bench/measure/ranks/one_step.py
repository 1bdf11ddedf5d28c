"""`python one_step.py FOLDER MODEL`: one rank that takes one step, and leaves its batch, weights and gradients."""

import sys
from pathlib import Path

import torch

from bench.core.variants import Variant
from bench.measure.ranks import peers
from bench.measure.workload import Inputs, build

BATCH, SHAPE = 4, (1, 28, 28)


def main(folder: Path, model: str) -> None:
    ranks = peers.joined("cpu")
    work = build(Variant(model=model, batch_size=BATCH, world_size=ranks.size), Inputs(shape=SHAPE), 0, ranks)
    batch = next(work.batches)
    work.step(batch)
    found = {"batch": batch, "gradients": [p.grad for p in work.trainer.model.parameters()]}
    found["weights"] = list(work.trainer.model.state_dict().values())
    torch.save(found, folder / f"rank-{ranks.rank}")
    ranks.meet()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
