"""How several ranks share the parameters of a model, and what a rank sees of it in a stamped step.

torch's fully_shard (FSDP2) leaves each rank a part of every parameter, with its gradient and the optimizer's state. A
unit of the model gathers its parameters before its forward and its backward, and scatters its gradients after it. On a
CPU each of these collectives returns when it is done: all of it is *exposed*, the phase `communication`.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.fsdp._fully_shard._fsdp_collectives import DefaultAllGather, DefaultReduceScatter

from bench.core.traces import COMMUNICATION
from bench.measure.ranks.exchange import Exchange, Exchanger, latest, union_s
from bench.measure.ranks.peers import Peers


@dataclass(frozen=True, slots=True)
class Collective:
    """One collective of a rank, which returned when it was done."""

    begin_ns: int
    end_ns: int
    size_bytes: int


class Watched:
    """A collective of fully_shard's own, which notes what it did if a step is watched."""

    def __init__(self, own: Any, note: Callable[..., Any], whole: int) -> None:  # noqa: ANN401 - torch's, private
        self.own, self.note, self.whole = own, note, whole
        self.allocate = own.allocate

    def __call__(self, output_tensor: torch.Tensor, input_tensor: torch.Tensor, *more: Any, **named: Any) -> Any:  # noqa: ANN401
        """What torch's own returns."""
        size_bytes = (output_tensor, input_tensor)[self.whole].nbytes
        return self.note(partial(self.own, output_tensor, input_tensor, *more, **named), size_bytes)


class Sharding(Exchanger[list[Collective]]):
    """Watches what a rank gathers and scatters. It holds nothing: what is gathered is freed again after its use."""

    def __init__(self, peers: Peers) -> None:
        super().__init__(peers, list)

    def note(self, collective: Callable[[], Any], size_bytes: int) -> Any:  # noqa: ANN401 - what torch's own returns
        """What the collective returns; in a watched step its time is the phase `communication`."""
        if self._timeline is None:
            return collective()
        with self._timeline.aside(COMMUNICATION):
            begin_ns = time.perf_counter_ns()
            result = collective()
            self._steps[-1].append(Collective(begin_ns, time.perf_counter_ns(), size_bytes))
        return result

    def exchange(self) -> Exchange | None:
        """The means of the steps that were watched since the last call; None if there was none."""
        steps, self._steps = self._steps, []
        if not steps:
            return None
        begins_ns = [float(each.begin_ns) for step in steps for each in step]
        waits_s = (last - own for own, last in zip(begins_ns, latest(self.peers.gathered(begins_ns)), strict=True))
        return Exchange(
            collective=fmean(union_s((each.begin_ns, each.end_ns) for each in step) for step in steps),
            skew=sum(waits_s) / 1e9 / len(steps),
            exchanged=fmean(sum(each.size_bytes for each in step) for step in steps),
        )


def sharded(model: nn.Module, device: torch.device, peers: Peers) -> Sharding:
    """Shares out the parameters of a model that is on its device. Returns what watches their exchange."""
    sharding = Sharding(peers)
    mesh = init_device_mesh(device.type, (peers.size,))
    for unit in [*units(model), model]:
        shared = fully_shard(unit, mesh=mesh)
        if device.type == "cpu":  # elsewhere the host's time says nothing of a collective
            gather: Any = Watched(DefaultAllGather(), sharding.note, whole=0)
            scatter: Any = Watched(DefaultReduceScatter(), sharding.note, whole=1)
            shared.set_custom_all_gather(gather)
            shared.set_custom_reduce_scatter(scatter)
    return sharding


def units(model: nn.Module) -> Iterator[nn.Module]:
    """The parts of a model whose parameters are gathered together: its children, and those in its lists."""
    for child in model.children():
        if isinstance(child, nn.ModuleList | nn.ModuleDict):
            yield from units(child)
        elif next(child.parameters(), None) is not None:
            yield child
