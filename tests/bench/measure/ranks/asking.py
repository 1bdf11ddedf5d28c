"""Trials of several ranks as the tests ask for them, and what each rank says."""

import os
from pathlib import Path

from bench.core.exchange.messages import Reply
from bench.core.metrics.sample import Sample
from bench.process import child
from tests.bench.measure.asking import request

PATH = os.pathsep.join(map(str, (Path(__file__).parent, Path(__file__).parents[1])))


def asked(
    model: str,
    noted: Path,
    probes: str = "steps+layers",
    *,
    ranks: int = 2,
    parallel: str = "ddp",
    limit_s: float = 110,
) -> Reply:
    variables = dict(os.environ) | {"PYTHONPATH": PATH, "RANKS_NOTED": str(noted)}
    question = request(probes, model=f"rank_models:{model}", world_size=ranks, parallel=parallel)
    return child.ask(question, variables, limit_s=limit_s)


def of_rank(samples: tuple[Sample, ...], rank: int | None) -> list[Sample]:
    return [sample for sample in samples if sample.rank == rank]
