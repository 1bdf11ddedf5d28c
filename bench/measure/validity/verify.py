"""Whether a variant took effect: what each layer really saw, and what the process really has set."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.core import partial
from bench.core.variants import Variant
from bench.measure.leaves import block_of, leaves, named, paths, tensors, type_of
from bench.measure.probes.layers import computed_anew
from bench.measure.samples import Samples
from bench.measure.validity.effects import compile_counters
from bench.measure.workload import Workload
from nin.train import MEMORY_FORMATS

KEPT_VARIABLES = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
OTHER_ALLOCATORS = ("libjemalloc", "libtcmalloc", "libmimalloc")
HUGE_PAGE_KIBIBYTES = 2048
KEPT_FAULTED_SHARE = 0.12
"""`kept` must have a step that maps less of the process anew: the heap still grows in the first steps (up to
5 % of NiN's process at batch 32), while the default maps about 30 % in every one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """What a leaf is and what it gave in the first step: a row of layers.csv."""

    layer: str
    block: str
    type: str
    output_shape: str
    parameters: int
    memory_format: str
    """nchw, nhwc, both (the shape makes them one), other, or empty for what is not an image."""
    dtype: str
    gradient_format: str = ""
    """The format of the gradient that came back to its output; empty without one."""
    kernel: str = ""
    """What took most of its forward: the operator on the CPU, the kernel on CUDA; empty where not looked at."""
    calls: int = 1
    """How often the step called it; 0 where it never did, and then nothing is known of an output."""
    paths: str = ""
    """Its attribute paths, by commas, where it has more than one; it is named by the first."""


@contextmanager
def observed(model: nn.Module) -> Iterator[list[LayerFacts]]:
    """Within, the calls of each leaf are counted, and the first output noted; complete behind the context."""
    facts = {fact.layer: fact for fact in unobserved(model)}
    gradient_formats: dict[str, str] = {}

    def note_gradient(path: str, gradient: torch.Tensor) -> None:
        gradient_formats[path] = format_of(gradient)

    def note(path: str, output: object) -> None:
        if computed_anew():
            return
        fact, y = facts[path], next(tensors(output), None)
        facts[path] = replace(fact, calls=fact.calls + 1)
        if y is not None and not fact.dtype:
            facts[path] = replace(
                facts[path],
                output_shape="x".join(map(str, y.shape)),
                memory_format=format_of(y),
                dtype=str(y.dtype).removeprefix("torch."),
            )
            if y.requires_grad:
                y.register_hook(lambda gradient: note_gradient(path, gradient))

    handles = [
        leaf.register_forward_hook(lambda _m, _x, y, path=path: note(path, y)) for path, leaf in leaves(model).items()
    ]
    found: list[LayerFacts] = []
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
        found += [replace(fact, gradient_format=gradient_formats.get(path, "")) for path, fact in facts.items()]


def unobserved(model: nn.Module) -> list[LayerFacts]:
    """What is known of the leaves of a model before it is called."""
    return [
        LayerFacts(
            layer=named(own[0]),
            block=block_of(own[0]),
            type=type_of(leaf),
            output_shape="",
            parameters=sum(p.numel() for p in leaf.parameters()),
            memory_format="",
            dtype="",
            calls=0,
            paths=", ".join(own) if len(own) > 1 else "",
        )
        for leaf, own in paths(model).items()
    ]


def format_of(tensor: torch.Tensor) -> str:
    """The memory format of an activation (N, C, H, W)."""
    if tensor.dim() != 4:
        return ""
    held = [n for n, f in MEMORY_FORMATS.items() if tensor.is_contiguous(memory_format=f)]
    return "both" if len(held) == len(MEMORY_FORMATS) else held[0] if held else "other"


def as_rows(facts: list[LayerFacts]) -> list[dict[str, Any]]:
    """The facts as rows of layers.csv, without trial and variant."""
    return [asdict(fact) for fact in facts]


def before_steps(work: Workload) -> str:
    """Why the settings of this process are not the variant's; empty where they are."""
    return (
        _precision_flags(work.variant.precision)
        or _cudnn_benchmark(work.variant)
        or _scaler(work)
        or _allocator_settings(work.variant.allocator)
        or _threads(work.variant)
        or _weights(work)
    )


def after_steps(variant: Variant, facts: list[LayerFacts], samples: Samples) -> str:
    """Why what the layers saw and the step cost does not fit the variant; empty where it does."""
    facts = [fact for fact in facts if fact.dtype]  # those that gave a tensor
    return (
        _layers(variant, facts)
        or _compiled(variant.compile_mode)
        or _cudnn_benchmark(variant)  # a model's own code may have set it in a step
        or _allocator_effect(variant, samples)
    )


def _compiled(compile_mode: str) -> str:
    if compile_mode != "eager" and not compile_counters()["stats"]["unique_graphs"]:
        return "nothing was compiled"
    return ""


def _precision_flags(precision: str) -> str:
    expected = {"fp32": "ieee", "tf32": "tf32"}.get(precision)
    flags = {
        "matrix products": torch.backends.cuda.matmul.fp32_precision,
        "convolutions": torch.backends.cudnn.conv.fp32_precision,  # type: ignore[attr-defined] # missing in torch's stubs
    }
    if precision == "fp32":  # oneDNN has switches of its own, and nothing of TF32
        flags["oneDNN's matrix products"] = torch.backends.mkldnn.matmul.fp32_precision  # type: ignore[attr-defined]
        flags["oneDNN's convolutions"] = torch.backends.mkldnn.conv.fp32_precision  # type: ignore[attr-defined]
    if expected:
        for what, flag in flags.items():
            if flag != expected:
                return f"{precision} asks for {expected} {what}, torch has {flag}"
    return ""


def _cudnn_benchmark(variant: Variant) -> str:
    has = "on" if torch.backends.cudnn.benchmark else "off"
    if variant.on_cuda and has != variant.cudnn_benchmark:
        return f"cudnn_benchmark {variant.cudnn_benchmark} asked, torch has it {has}"
    return ""


def _scaler(work: Workload) -> str:
    """GradScaler and autocast switch themselves off, with a warning, on a device that they do not find."""
    if work.variant.precision == "fp16" and work.scaler is None:
        return "the GradScaler switched itself off"
    return ""


def _threads(variant: Variant) -> str:
    has = torch.get_num_threads()
    if variant.threads is not None and has != variant.threads:
        return f"{variant.threads} threads asked, torch has {has}"
    return ""


def weights(work: Workload) -> partial.Share:
    """How many parameters lie as the variant asks: filters of one channel or of 1x1 fit either format."""
    formats = (format_of(parameter) for parameter in work.trainer.model.parameters())
    return partial.lying(partial.What.WEIGHTS, work.variant.memory_format, formats)


def weights_samples(work: Workload) -> Samples:
    """The same as samples: what lies as asked, of those that tell."""
    samples, share = Samples("steps"), weights(work)
    samples.add(partial.WEIGHTS_GOT, share.got)
    samples.add(partial.WEIGHTS_OF, share.of)
    return samples


def _weights(work: Workload) -> str:
    share = weights(work)
    return share.words if share.none else ""


def _allocator_settings(allocator: str) -> str:
    if allocator == "kept" and not all(v in os.environ for v in KEPT_VARIABLES):
        return f"kept needs {' and '.join(KEPT_VARIABLES)} in the environment"
    maps = _read("/proc/self/maps")
    if allocator == "tcmalloc":
        return "" if "libtcmalloc" in maps else "tcmalloc is not loaded"
    if other := next((name for name in OTHER_ALLOCATORS if name in maps), ""):
        return f"{other} is loaded in place of glibc's allocator (LD_PRELOAD)"
    return ""


def _allocator_effect(variant: Variant, samples: Samples) -> str:
    huge = _kibibytes("/proc/self/smaps_rollup", "AnonHugePages")
    if variant.allocator == "hugepages" and huge is not None and huge < HUGE_PAGE_KIBIBYTES:
        return "no huge page was used"
    resident = _kibibytes("/proc/self/status", "VmRSS")
    faults = samples.of("page_faults")
    if variant.allocator == "kept" and faults and resident:
        mapped_share = min(faults) * os.sysconf("SC_PAGE_SIZE") / (1024 * resident)
        if mapped_share > KEPT_FAULTED_SHARE:
            return f"kept took no effect: every step maps {mapped_share:.0%} of the process anew"
    return ""


def _layers(variant: Variant, facts: list[LayerFacts]) -> str:
    """What took effect in part is measured, and told by the report."""
    found = partial.shares(variant, as_rows(facts))
    return next((share.words for share in found if share.none), "")


def _kibibytes(path: str, name: str) -> int | None:
    """A field of a file in /proc; None where the system does not tell."""
    line = next((s for s in _read(path).splitlines() if s.startswith(name + ":")), None)
    return None if line is None else int(line.split()[1])


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
