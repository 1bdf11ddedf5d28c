"""A made-up run with everything that a report shows, and the variants of it."""

from collections.abc import Callable
from pathlib import Path

BASE = "cpu-default-nchw-eager-b32"
NOTEBOOK = "cpu-default-nchw-eager-b32-notebook-syncstep"
KEPT = "cpu-default-nchw-eager-b32-kept"
BEST = "cpu-default-nhwc-eager-b32-kept"
COMPILED = "cpu-default-nhwc-inductor-b32-kept"
BF16 = "cpu-bf16-nchw-eager-b32"
GPU = "cuda-default-nchw-eager-b128"
LARGEST = "cpu-default-nchw-eager-bmax"
ONE = "cpu-default-nchw-eager-b32-t1"
B64 = "cpu-default-nchw-eager-b64"
GATE = {"loss_error": 1e-7, "score_error": 4e-7, "score_bound": 3e-6, "gradient_error": 1e-3, "gradient_bound": 8e-3,
        "live_logits": 5}  # fmt: skip
MakeRun = Callable[..., Path]


def around(step_s: float, phase: int) -> list[float]:
    """A pilot and nine rounds that swing by 1 %."""
    return [step_s, *(step_s * (1 + 0.01 * ((phase + 4 * i) % 9 - 4) / 4) for i in range(9))]


def full(make_run: MakeRun) -> Path:
    """A run with everything that a report shows."""
    return make_run(
        {
            (BASE, "A"): around(1.6, 0), (BASE, "A'"): around(1.6, 3), (NOTEBOOK, "V"): around(1.7, 1),
            (KEPT, "V"): around(1.2, 5), (BEST, "V"): around(1.0, 2), (COMPILED, "V"): around(0.9, 7),
            (BF16, "V"): [16.0], (LARGEST, "A"): [6.0], (ONE, "V"): around(2.4, 6), (B64, "A"): around(3.1, 4),
            (B64, "A'"): around(3.1, 8),
        },
        metrics={BASE: {"page_faults": 1e5, "cpu_system": 0.5, "cpu_user": 2.5},
                 KEPT: {"page_faults": 20, "cpu_system": 0.01, "cpu_user": 2.3}},
        layers=[("0.0", "Conv2d", 0.2, 0.5), ("0.1", "ReLU", 0.1, 0.17)],
        memory={BASE: {"parameter": 2**23, "gradient": 2**23, "optimizer": 2**24, "saved": 2**27,
                       "allocator_peak": 2**28, "process_peak": 2**30}},
        failed={"cpu-default-nchw-eager-b32-hugepages": ("timeout", "no reply within 900 s")},
        excluded={GPU: "no CUDA device"},
        once={
            BASE: GATE | {"loader_alone": 0.02, "compute_alone": 1.6, "conversions": 0.0, "casts": 0.0},
            NOTEBOOK: GATE | {"loader_alone": 0.1, "compute_alone": 1.6},
            BEST: GATE | {"conversions": 2.0}, COMPILED: GATE | {"graphs": 1, "graph_breaks": 0, "recompiles": 0},
            BF16: GATE | {"score_error": 8e-3, "score_bound": 0.2, "live_logits": 3, "casts": 53.0},
        },
        fits={LARGEST: {32: True, 64: True, 120: True, 128: False}},
        tried={LARGEST: [[32, 10**9], [64, 14 * 10**8], [120, 21 * 10**8], [128, None]]}, largest={LARGEST: 120},
        memory_limit_bytes={"cpu": 2**31, "cuda": None},
    )  # fmt: skip
