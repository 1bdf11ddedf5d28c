"""How the gradients of several ranks are averaged, and what a rank sees of it in a stamped step.

torch's DistributedDataParallel (DDP) puts the gradients into buckets and starts to average a bucket as soon as backward
has filled it. So communication goes on beside the rest of backward. What remains when backward has nothing more to
compute is *exposed*: the phase `communication`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import GradBucket
from torch.autograd import Variable
from torch.nn.parallel import DistributedDataParallel

from bench.core.traces import COMMUNICATION
from bench.measure.ranks.exchange import Exchange, Exchanger, latest, union_s
from bench.measure.ranks.peers import Peers


@dataclass(slots=True)
class Bucket:
    """The averaging of one bucket of gradients."""

    begin_ns: int
    size_bytes: int
    end_ns: int = 0


@dataclass(slots=True)
class Step:
    """What a rank saw of the averaging in one step."""

    buckets: list[Bucket] = field(default_factory=list)
    computed_ns: int = 0
    """When backward had nothing more to compute."""

    @property
    def collective_s(self) -> float:
        """Seconds in which at least one bucket was averaged, the wait for slower ranks included."""
        return union_s((bucket.begin_ns, bucket.end_ns) for bucket in self.buckets)

    def waited_s(self, last_ns: float) -> float:
        """Seconds in which all was computed here, and the slowest rank had not yet begun its last bucket."""
        return max(0.0, last_ns - self.computed_ns) / 1e9


class Averaging(Exchanger[Step]):
    """Averages the gradients of the ranks: DDP calls `average` with each bucket that is full."""

    def __init__(self, peers: Peers, held_bytes: int) -> None:
        super().__init__(peers, Step, held_bytes)

    def average(self, _state: None, bucket: GradBucket) -> torch.futures.Future[torch.Tensor]:
        """The mean of a bucket over the ranks, as DDP's own hook computes it (ddp_comm_hooks.allreduce_hook)."""
        own = bucket.buffer()
        ended = self._begun(bucket, own.nbytes) if self._timeline else None
        work: Any = dist.all_reduce(own.div_(self.peers.size), async_op=True)

        def mean(reduced: Any) -> torch.Tensor:  # noqa: ANN401 - a future of a list
            if ended:
                ended()
            value: torch.Tensor = reduced.value()[0]
            return value

        future: torch.futures.Future[torch.Tensor] = work.get_future().then(mean)
        return future

    def _begun(self, bucket: GradBucket, size_bytes: int) -> Callable[[], None]:
        """Notes that a bucket of a stamped step is full. Returns what notes that it is averaged.

        What is queued here runs when backward has computed everything, and before DDP's own end of it, which waits for
        the buckets: DDP queues that after this call.
        """
        step = self._steps[-1]
        noted = Bucket(time.perf_counter_ns(), size_bytes)
        step.buckets.append(noted)
        if bucket.is_last():
            engine: Any = Variable._execution_engine  # noqa: SLF001 - as torch's FSDP does
            engine.queue_callback(self._computed)

        def ended() -> None:
            noted.end_ns = time.perf_counter_ns()

        return ended

    def _computed(self) -> None:
        """Stamp, as backward has nothing more to compute."""
        if self._timeline:
            self._steps[-1].computed_ns = time.perf_counter_ns()
            self._timeline.begin(COMMUNICATION)

    def exchange(self) -> Exchange | None:
        """The means of the steps that were watched since the last call; None if there was none."""
        steps, self._steps = [step for step in self._steps if step.buckets], []
        if not steps:
            return None
        last_ns = latest(self.peers.gathered([step.buckets[-1].begin_ns for step in steps]))
        return Exchange(
            collective=fmean(step.collective_s for step in steps),
            skew=fmean(step.waited_s(last) for step, last in zip(steps, last_ns, strict=True)),
            exchanged=fmean(sum(bucket.size_bytes for bucket in step.buckets) for step in steps),
        )


def averaged(model: nn.Module, device: torch.device, peers: Peers) -> tuple[nn.Module, Averaging]:
    """The model as a step of several ranks calls it, and what averages its gradients."""
    in_buckets = sum(parameter.nbytes for parameter in model.parameters() if parameter.requires_grad)
    averaging = Averaging(peers, in_buckets)  # DDP's buckets hold a copy of each gradient
    parallel = DistributedDataParallel(model, device_ids=[device.index or 0] if device.type == "cuda" else None)
    parallel.register_comm_hook(None, averaging.average)
    return parallel, averaging
