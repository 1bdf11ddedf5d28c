"""Whether a variant took effect: what each layer really computed, and which settings the process really has."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from msgspec.structs import asdict, replace
from torch import nn

from bench.core import partial
from bench.core.axes.allocator import ALLOCATOR, LIBRARIES
from bench.core.exchange.cause import Cause, Fault, fault
from bench.core.exchange.messages import LayerFacts
from bench.core.variants import Variant
from bench.measure.leaves import block_of, is_leaf, named, paths, tree, type_of
from bench.measure.samples import Samples
from bench.measure.system.flags import wrong_flag
from bench.measure.timing.layers import recomputes
from bench.measure.validity.effects import compile_counters
from bench.measure.workload import Workload
from bench.tasks.nest import tensors
from nin.train import MEMORY_FORMATS

HUGE_PAGE_KIBIBYTES = 2048


@contextmanager
def observed(model: nn.Module) -> Iterator[list[LayerFacts]]:
    """The facts of each layer, from its calls and its first output within; the list is filled at the end."""
    facts = {fact.layer: fact for fact in unobserved(model)}
    gradient_formats: dict[str, str] = {}

    def note_gradient(path: str, gradient: torch.Tensor) -> None:
        gradient_formats[path] = format_of(gradient)

    def note(path: str, output: object) -> None:
        if recomputes():
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
        module.register_forward_hook(lambda _m, _x, y, path=path: note(path, y)) for path, module in tree(model).items()
    ]
    complete: list[LayerFacts] = []
    try:
        yield complete
    finally:
        for handle in handles:
            handle.remove()
        complete += [replace(fact, gradient_format=gradient_formats.get(path, "")) for path, fact in facts.items()]


def unobserved(model: nn.Module) -> list[LayerFacts]:
    """What is known of the layers of a model before it is called. The parameters of a leaf's children are its own."""
    return [
        LayerFacts(
            layer=named(own[0]),
            block=block_of(own[0]),
            type=type_of(module),
            output_shape="",
            parameters=sum(p.numel() for p in module.parameters(recurse=is_leaf(module))),
            memory_format="",
            dtype="",
            calls=0,
            paths=", ".join(own) if len(own) > 1 else "",
        )
        for module, own in paths(model).items()
    ]


def format_of(tensor: torch.Tensor) -> str:
    """The memory format of an activation (N, C, H, W): nchw, nhwc, both or other; empty for another shape."""
    if tensor.dim() != 4:
        return ""
    formats = [n for n, f in MEMORY_FORMATS.items() if tensor.is_contiguous(memory_format=f)]
    return "both" if len(formats) == len(MEMORY_FORMATS) else formats[0] if formats else "other"


def as_rows(facts: list[LayerFacts]) -> list[dict[str, object]]:
    """The facts as rows of layers.csv, without trial and variant."""
    return [asdict(fact) for fact in facts]


def before_steps(work: Workload) -> str:
    """Why the settings of this process are not the variant's; empty if they are."""
    return (
        wrong_flag(work.variant)
        or _scaler(work)
        or _threads(work.variant)
        or _variables(work.variant)
        or _libraries(work.variant)
        or _weights(work)
    )


def after_steps(variant: Variant, facts: list[LayerFacts], page_faults: Sequence[float] = ()) -> Fault | None:
    """Why the layers' facts and the step's page faults do not fit the variant; None if they do.

    `page_faults` are those of plain steps; empty if they are not counted.
    """
    facts = [fact for fact in facts if fact.dtype]  # those that gave a tensor
    return (
        fault(Cause.LAYERS_DIFFER, _layers(variant, facts))
        or fault(Cause.DID_NOT_COMPILE, _compiled(variant))
        or fault(Cause.SETTINGS_DIFFER, wrong_flag(variant))  # a model's own code may have set one in a step
        or fault(Cause.ALLOCATOR_INEFFECTIVE, _allocator_effect(variant, page_faults))
    )


def _compiled(variant: Variant) -> str:
    if variant.compiled and not compile_counters()["stats"]["unique_graphs"]:
        return "nothing was compiled"
    return ""


def _scaler(work: Workload) -> str:
    """Why the loss is not scaled: GradScaler, like autocast, switches itself off on a device that it does not find."""
    if work.variant.scaled and work.scaler is None:
        return "the GradScaler switched itself off"
    return ""


def _threads(variant: Variant) -> str:
    threads = torch.get_num_threads()
    if variant.threads is not None and threads != variant.threads:
        return f"{variant.threads} threads asked, torch has {threads}"
    return ""


def weights(work: Workload) -> partial.Share:
    """The share of parameters that have the variant's layout; filters of one channel or of 1x1 have either layout."""
    formats = (format_of(parameter) for parameter in work.trainer.model.parameters())
    return partial.format_share(partial.Counted.WEIGHTS, work.variant.memory_format, formats)


def weights_samples(work: Workload) -> Samples:
    """That share as samples: the parameters that have the layout, and all those that show one."""
    samples, share = Samples("steps"), weights(work)
    samples.add(partial.WEIGHTS_GOT, share.got)
    samples.add(partial.WEIGHTS_OF, share.of)
    return samples


def _weights(work: Workload) -> str:
    share = weights(work)
    return share.words if share.none else ""


def _variables(variant: Variant) -> str:
    """Which variables a value of the variant needs and this process lacks."""
    for axis, value in variant.values.items():
        if lacking := [f"{name}={text}" for name, text in value.variables.items() if os.environ.get(name) != text]:
            return f"{axis} {value.name} needs {' and '.join(lacking)} in the environment"
    return ""


def _libraries(variant: Variant) -> str:
    """Which allocator this process lacks, or has and should not have."""
    asked, maps = ALLOCATOR.value(variant.allocator), _read("/proc/self/maps")
    if asked.shared_object not in maps:
        return f"{asked.name} is not loaded"
    if other := next((name for name in LIBRARIES if name in maps and name != asked.shared_object), ""):
        instead_of = asked.shared_object or "glibc's allocator"
        return f"{other} is loaded in place of {instead_of} (LD_PRELOAD)"
    return ""


def _allocator_effect(variant: Variant, page_faults: Sequence[float]) -> str:
    asked = ALLOCATOR.value(variant.allocator)
    huge = _kibibytes("/proc/self/smaps_rollup", "AnonHugePages")
    if asked.huge_pages and huge is not None and huge < HUGE_PAGE_KIBIBYTES:
        return "no huge page was used"
    resident = _kibibytes("/proc/self/status", "VmRSS")
    if asked.keeps and page_faults and resident:
        mapped_share = min(page_faults) * os.sysconf("SC_PAGE_SIZE") / (1024 * resident)
        if mapped_share > asked.most_faulted_share:
            return f"{asked.name} took no effect: every step maps {mapped_share:.0%} of the process again"
    return ""


def _layers(variant: Variant, facts: list[LayerFacts]) -> str:
    """Why no layer has what the variant asks for; empty if some have it, which the report shows."""
    shares = partial.shares(variant, as_rows(facts))
    return next((share.words for share in shares if share.none), "")


def _kibibytes(path: str, name: str) -> int | None:
    """A field of a file in /proc; None if the system has no such field."""
    line = next((s for s in _read(path).splitlines() if s.startswith(name + ":")), None)
    return None if line is None else int(line.split()[1])


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
