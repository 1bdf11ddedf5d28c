"""A made-up fleet of stored runs: copies of real runs on machines that differ by known factors."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.made_histories import Noise, heavy, normal

EXAMPLE = Path(__file__).parents[1] / "results" / "example"
COPIED = ("variants.csv", "trials.csv", "layers.csv")
OF_RUNS, OF_ROUNDS = 0.003, 0.002
"""The deviation of a run from its machine, and of a trial from its run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Machines that are alike but for noise."""

    name: str
    machines: int
    gpu: str = ""
    """The model of the GPU; empty if steps run on the CPU."""
    drivers: tuple[tuple[str, float], ...] = (("", 1.0),)
    """The drivers that machines have in turn, and how many times as long steps take with each."""
    planted: Mapping[int, float] = field(default_factory=dict)
    """How many times as long steps take on a machine, by its number."""

    def machine(self, number: int) -> str:
        """The name of a machine."""
        return f"{self.name}-{number:03d}"


DRIVERS = (("570.86.15", 1.0), ("570.86.15", 1.0), ("570.86.15", 1.0), ("580.65.06", 1.01))
KINDS = (
    Kind(name="h100", gpu="NVIDIA H100 80GB HBM3", machines=240, drivers=DRIVERS,
         planted={7: 1.5, 31: 1.2, 58: 1.2, 101: 1.08, 190: 1.08}),
    Kind(name="a100", gpu="NVIDIA A100-SXM4-80GB", machines=120, drivers=DRIVERS[-1:], planted={12: 1.2, 77: 1.08}),
    Kind(name="l40s", gpu="NVIDIA L40S", machines=60, drivers=DRIVERS[:1], planted={3: 1.5, 40: 1.08}),
    Kind(name="epyc", machines=76, planted={9: 1.2, 50: 1.08}),
    Kind(name="h200", gpu="NVIDIA H200", machines=4, drivers=DRIVERS[:1]),
)  # fmt: skip
"""500 machines; of the last kind there are too few."""
NOISES: dict[str, Callable[[float], Noise]] = {"normal": normal, "heavy": heavy}


def write(
    folder: Path, kinds: Sequence[Kind] = KINDS, *, runs: int = 2, noise: Noise | None = None
) -> dict[str, float]:
    """Write `runs` runs of each machine to `folder`/MACHINE/RUN. Returns the planted factors by machine."""
    rng, planted = np.random.default_rng(0), {}
    noise = noise or normal(0.02)
    for kind in kinds:
        template = Template(kind.gpu)
        for number, own in enumerate(noise(rng, kind.machines)):
            driver, by_driver = kind.drivers[number % len(kind.drivers)]
            factor = float(np.exp(own)) * by_driver * kind.planted.get(number, 1.0)
            facts = {"driver": driver} if driver else {}
            for run in range(runs):
                of_run = factor * float(np.exp(rng.normal(0, OF_RUNS)))
                template.write(folder / kind.machine(number) / f"run-{run}", of_run, facts, day=run, rng=rng)
            if number in kind.planted:
                planted[kind.machine(number)] = kind.planted[number]
    return planted


class Template:
    """The stored example, of which copies are written quickly: only the seconds of its steps are written anew.

    With the name of a GPU its variants, which ran on a CPU, say that they ran there, and its trials are as steady.
    """

    def __init__(self, gpu: str) -> None:
        texts = {name: (EXAMPLE / name).read_text() for name in (*COPIED, "run.json", "samples.csv")}
        if gpu:
            texts = {name: on_cuda(text) for name, text in texts.items()}
        self.copied = {name: texts[name] for name in COPIED}
        self.header = json.loads(texts["run.json"])
        if gpu:
            device = {"name": gpu, "memory_bytes": 2**36, "capability": [9, 0]}
            self.header["environment"] |= {"cuda": "12.8", "cuda_devices": [device]}
        self.parts: list[str | tuple[str, str, float]] = []
        """Lines of samples.csv: as they are, or a trial's step as its trial, what stands before its value, and that."""
        steady = steady_factors(texts) if gpu else {}
        for line in texts["samples.csv"].splitlines(keepends=True):
            before, _, value = line.rpartition(",")
            fields = before.split(",")
            if fields[2] == "step" and fields[5] == "wall":
                self.parts.append((fields[0], before, float(value) * steady.get(fields[0], 1.0)))
            elif self.parts and isinstance(self.parts[-1], str):
                self.parts[-1] += line
            else:
                self.parts.append(line)

    def write(
        self, target: Path, factor: float, facts: Mapping[str, Any], *, day: int, rng: np.random.Generator
    ) -> None:
        """Write a copy whose steps take `factor` times as long, but for noise of each trial."""
        target.mkdir(parents=True)
        for name, text in self.copied.items():
            (target / name).write_text(text)
        trials = {part[0] for part in self.parts if not isinstance(part, str)}
        noise = dict(zip(sorted(trials), np.exp(rng.normal(0, OF_ROUNDS, len(trials))), strict=True))
        texts = (p if isinstance(p, str) else f"{p[1]},{float(p[2] * factor * noise[p[0]])!r}\n" for p in self.parts)
        (target / "samples.csv").write_text("".join(texts))
        started = f"2026-03-{1 + day:02d}T10:00:00Z"
        environment = self.header["environment"] | dict(facts)
        (target / "run.json").write_text(json.dumps(self.header | {"started_at": started, "environment": environment}))


def steady_factors(texts: Mapping[str, str]) -> dict[str, float]:
    """For each trial of a variant the factor that makes its step as long as the variant's median: GPUs are steady."""
    trials, samples = (pd.read_csv(StringIO(texts[name])) for name in ("trials.csv", "samples.csv"))
    walls = samples[(samples.scope == "step") & (samples.metric == "wall")].merge(trials, on="trial_id")
    own = walls.groupby("trial_id")["value"].median()
    whole = walls.groupby("variant_id")["value"].median()
    variant = walls.drop_duplicates("trial_id").set_index("trial_id").variant_id
    return {str(trial): float(whole[variant[trial]] / value) for trial, value in own.items()}


def on_cuda(text: str) -> str:
    """A file of the example with its variants on CUDA; those that were there could not run, and are left out."""
    lines = (line for line in text.splitlines(keepends=True) if not line.endswith("no CUDA device\n"))
    return re.sub(r"\bcpu(?=-default-|-bf16-|-fp16-|,)", "cuda", "".join(lines))
