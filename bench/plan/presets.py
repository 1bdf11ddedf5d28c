"""The presets: what is measured if the call names no variants. Pure."""

from typing import Any

from bench.core.axes.axis import Value
from bench.core.axes.batch_size import LARGEST
from bench.core.axes.kind import CPU, CUDA, KINDS, Kind
from bench.core.variants import AXES, NOTEBOOK

PRESETS = ("look", "quick", "full")

Change = dict[str, Any]
"""The axes in which a variant differs from its baseline, with its values."""

KEPT, HUGE, TCMALLOC = ({"allocator": value} for value in ("kept", "hugepages", "tcmalloc"))
NHWC: Change = {"memory_format": "nhwc"}
BF16, FP16 = ({"precision": value} for value in ("bf16", "fp16"))
INDUCTOR, OVERHEAD, AUTOTUNE = (
    {"compile_mode": value} for value in ("inductor", "reduce-overhead", "max-autotune")
)  # fmt: skip
PIL, WORKERS = ({"loader": value} for value in ("notebook", "workers"))
FUSED: Change = {"optimizer": "fused"}
STEPWISE: Change = {"sync": "step"}
CUDNN_BENCHMARK: Change = {"cudnn_benchmark": "on"}
NOT_ALONE = {
    kind.name: ("cudnn_benchmark", "allocator") if kind.accelerates else ("cudnn_benchmark",) for kind in KINDS.values()
}
"""By kind of device, the axes whose values `full` does not measure one by one: they change nothing there, or only
together with others."""


def one_by_one(kind: str) -> list[Change]:
    """One change per named value that is no default. A value that a baseline shares is no change."""
    return [
        {name: value}
        for name, axis in AXES.items()
        for value in axis.values
        if name not in NOT_ALONE[kind] and not axis.in_baseline and value != axis.default
    ]


def changes_of_kind(kind: Kind, name: str, cores: int) -> tuple[list[Change], list[Change]]:
    """What a preset measures on a kind of device in rounds, and what in the pilot alone.

    On other devices than the CPU and CUDA it is what CUDA has, without what only CUDA has.
    """
    if kind is CPU:
        return cpu_changes(name, cores)
    rounds, pilot = cuda_changes(name)
    if kind is CUDA:
        return rounds, pilot
    return [change for change in rounds if not of_cuda(change)], pilot


def of_cuda(change: Change) -> bool:
    """Whether one of its values runs on CUDA devices alone."""
    values: list[Value] = [AXES[name].value(str(value)) for name, value in change.items()]
    return any(value.needs_cuda for value in values)


def cpu_changes(name: str, cores: int) -> tuple[list[Change], list[Change]]:
    """What a preset measures on a CPU in rounds, and what in the pilot alone."""
    best = NHWC | KEPT
    half = best | BF16  # fast if the CPU has instructions for it
    if name == "look":
        return [{}, NOTEBOOK, best], []
    if name == "quick":
        return [{}, NOTEBOOK, KEPT, NHWC, best, best | INDUCTOR, HUGE, BF16, half], [PIL, WORKERS]
    pairs = [best, NHWC | INDUCTOR, best | INDUCTOR, best | FUSED, NHWC | HUGE, NHWC | TCMALLOC, half, half | INDUCTOR]
    threads = [{"threads": count} for count in thread_counts(cores)]
    batches = [change | {"batch_size": size} for size in (8, 16, 64, 128) for change in ({}, best)]
    batches.append(NOTEBOOK | {"batch_size": 128})  # the notebook's own size
    rounds = [{}, NOTEBOOK, *one_by_one("cpu"), *pairs, *threads, *batches]
    return rounds, [{"batch_size": LARGEST}]


def cuda_changes(name: str) -> tuple[list[Change], list[Change]]:
    """What a preset measures on a CUDA device in rounds, and what in the pilot alone."""
    half = NHWC | BF16
    if name == "look":
        return [{}, NOTEBOOK, half], []
    if name == "quick":
        return [{}, NOTEBOOK, NHWC, BF16, CUDNN_BENCHMARK, half, NHWC | FP16, half | INDUCTOR, half | OVERHEAD], [
            PIL,
            WORKERS,
        ]
    pairs = [half, NHWC | FP16, BF16 | INDUCTOR, half | INDUCTOR, half | OVERHEAD, half | AUTOTUNE]
    pairs += [half | FUSED, half | INDUCTOR | FUSED, half | WORKERS, half | STEPWISE, half | CUDNN_BENCHMARK]
    batches = [change | {"batch_size": size} for size in (32, 64, 256, 512, 1024) for change in ({}, half)]
    rounds = [{}, NOTEBOOK, *one_by_one("cuda"), *pairs, *batches]
    return rounds, [{"batch_size": LARGEST}, half | {"batch_size": LARGEST}]


def thread_counts(cores: int) -> list[int]:
    """Powers of two up to the number of cores, and that number: the points of a curve over threads."""
    return sorted({min(2**power, cores) for power in range(cores.bit_length() + 1)})
