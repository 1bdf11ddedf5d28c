"""The probe of memory, in a fresh process of its own: what a step holds, and its peaks."""

import json
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile

from bench.core.axes.parallel import FSDP
from bench.core.exchange.probe import Probe
from bench.core.traces import BETWEEN
from bench.measure.devices.find import backend_of
from bench.measure.leaves import tree
from bench.measure.probe import First, Measured, Subject
from bench.measure.samples import Samples
from bench.measure.timing.steps import take_step
from bench.measure.workload import Workload


def held_and_peaks(work: Workload) -> Samples:
    """Bytes of parameters, gradients, optimizer state, saved activations, and the peaks of a step.

    Inference saves nothing, so it has no saved activations.

    The order matters: a warm-up step, the peak of one step, and then the instruments, so that their own memory is not
    in the peak.
    """
    samples = Samples("memory")

    def add(metric: str, value: int | None, layer: str = "") -> None:
        if value is not None:
            samples.add(metric, value, layer=layer)

    for _ in range(1 if work.eager else 3):  # compiling, and recording CUDA graphs, has peaks of its own
        take_step(work)
    was_reset = reset_peak(work.device)
    take_step(work)
    add("process_peak", process_peak_bytes(work.device) if was_reset else None)
    model, optimizer = work.trainer.model, work.trainer.optimizer
    state = [v for values in optimizer.state.values() for v in values.values()]
    held = {
        "parameter": storage_bytes(model.parameters()),
        "gradient": storage_bytes(p.grad for p in model.parameters()),
        "optimizer": storage_bytes(state),
    }
    for metric, value in held.items():
        add(metric, value)
    if work.kind.accelerates:
        backend = backend_of(work.device)
        if not work.variant.replays:  # a replay allocates nothing: it uses what its recording took
            add("allocator_peak", backend.allocated_peak_bytes(work.device))
        add("reserved", backend.reserved_peak_bytes(work.device))
    elif not work.runs_elsewhere:
        buckets = work.exchanger.held_bytes if work.exchanger else 0
        add("allocator_peak", sum(held.values()) + buckets + allocated_peak_bytes(work))
    if work.eager and not work.runs_elsewhere and not work.variant.infers and work.variant.parallel != FSDP:
        saved = saved_bytes(work)
        add("saved", sum(saved.values()))
        for layer, value in saved.items():
            add("saved", value, layer=layer)
    return samples


def storage_bytes(values: Iterable[object]) -> int:
    """Bytes of the distinct storages of the tensors among `values`; of one that ranks share, those of this rank."""
    own = [v.to_local() if hasattr(v, "to_local") else v for v in values if isinstance(v, torch.Tensor)]
    return sum({v.untyped_storage().data_ptr(): v.untyped_storage().nbytes() for v in own}.values())


def reset_peak(device: torch.device) -> bool:
    """Reset the peaks of memory, and return whether that worked."""
    return backend_of(device).reset_peaks(device)


def process_peak_bytes(device: torch.device) -> int | None:
    """Bytes at the process's peak since the reset; on a GPU what it holds of the device. None if it is not known."""
    return backend_of(device).held_bytes(device)


def saved_bytes(work: Workload) -> dict[str, int]:
    """Bytes that one forward saves for backward, by the layer that saved a storage first.

    Of a task's own step they are those of all its forwards. The bytes are exact: autograd's saved-tensor hooks see
    every storage. Each counts once; those of parameters and buffers don't count. What the loss saves, and code outside
    of all layers, is the row `between`.
    """
    model = work.trainer.model
    own = {t.untyped_storage().data_ptr() for t in (*model.parameters(), *model.buffers())}
    by_layer: dict[str, int] = defaultdict(int, dict.fromkeys(tree(model), 0))
    owners = [BETWEEN]
    seen: dict[int, torch.Tensor] = {}  # holds every tensor, so that no address is used twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        tensor = tensor.detach()  # an output packed as itself would keep its own graph alive
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own and storage.data_ptr() not in seen:
            seen[storage.data_ptr()] = tensor
            by_layer[owners[-1]] += storage.nbytes()
        return tensor

    handles = []
    for path, module in tree(model).items():
        handles.append(module.register_forward_pre_hook(lambda _m, _x, path=path: owners.append(path)))
        handles.append(module.register_forward_hook(lambda _m, _x, _y: drop_last(owners)))
    batch = next(work.batches)
    try:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t), work.trainer.autocast():
            if work.owns_step:
                work.step(batch)
            else:
                work.loss(model, *work.trainer.move(*batch))
    finally:
        for handle in handles:
            handle.remove()
    return dict(by_layer)


def drop_last(owners: list[str]) -> None:
    """Drop the last owner. A hook may not return what `pop` does: it would replace the layer's output."""
    owners.pop()


def allocated_peak_bytes(work: Workload) -> int:
    """The most bytes that one step had allocated on the CPU, without those allocated before it.

    It adds up torch's own records of every allocation and release, in their order (profiler trace).
    """
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        take_step(work)
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text(encoding="utf-8"))["traceEvents"]
    changes = [
        (event["ts"], event["args"]["Bytes"])
        for event in events
        if event.get("name") == "[memory]" and event["args"].get("Device Type") == 0
    ]
    now = peak = 0
    for _, change in sorted(changes, key=lambda item: item[0]):
        now += change
        peak = max(peak, now)
    return peak


def measure(subject: Subject) -> Measured:
    """The bytes that a step holds, and its peaks."""
    return Measured(samples=held_and_peaks(subject.work))


probe = First(name=Probe.MEMORY, measure=measure)
