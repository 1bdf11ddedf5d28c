"""Counts what a step has to do, by the layer and phase whose code runs: operations, and bytes that must move.

Bytes are a lower bound. What a layer reads from elsewhere and what it leaves for others moves once each, as if all that
is used within one layer alone stayed in a cache. What forward keeps for backward is left for others.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from bench.core.traces import Owner
from bench.measure.work.formulas import flops
from bench.measure.work.turns import Turns, storage_of
from bench.tasks.nest import tensors

HALVES = (torch.bfloat16, torch.float16)
PARTLY_READ = (
    "embedding", "index", "index_select", "gather", "take", "nll_loss_forward", "nll_loss2d_forward", "_embedding_bag",
    "_embedding_bag_forward_only",
)  # fmt: skip
"""Operators that read no more of their first argument than they return."""
SHAPE_ONLY = {
    name: {0}
    for name in (
        "empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "randint_like", "new_empty",
        "new_zeros", "new_ones", "new_full", "new_empty_strided", "zero_", "fill_", "copy_", "normal_", "uniform_",
    )
} | {
    name: {1}
    for name in (
        "max_pool2d_with_indices_backward", "max_pool3d_with_indices_backward", "avg_pool2d_backward",
        "avg_pool3d_backward", "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward",
    )
}  # fmt: skip
"""By operator, the arguments of which it takes the shape alone, or which it only overwrites."""
PARTLY_WRITTEN = (
    "index_copy_", "index_put_", "_index_put_impl_", "index_add_", "index_fill_", "scatter_", "scatter_add_",
    "masked_fill_",
)  # fmt: skip
"""Operators that may write only a part of their first argument."""


View = tuple[int, int, tuple[int, ...], tuple[int, ...]]
"""Where a view begins and ends in its storage, in bytes; its shape and its strides."""
Way = tuple[int, str]
"""A storage, and whether it comes `in` or goes `out`."""


class Piece(NamedTuple):
    """What an operator touches of a storage."""

    storage: int
    view: View
    size: int
    whole: int
    """The bytes of the storage."""
    part: bool
    """Whether the storage has more."""


@dataclass(slots=True)
class Border:
    """The begin of a phase."""

    alive: set[int]
    """The storages that are there."""


@dataclass(slots=True)
class Call:
    """One call of an operator."""

    turn: int
    """Of the owner whose code ran."""
    flops: int | None
    half: bool
    reads: list[Piece]
    writes: list[Piece]


@dataclass(slots=True)
class Work:
    """What an owner has to do in a step."""

    flops: int | None = 0
    """None if an operator of another library ran, whose operations nobody knows."""
    half_flops: int = 0
    """Those of them in bfloat16 or float16."""
    moved: dict[Way, dict[View, int]] = field(default_factory=lambda: defaultdict(dict))
    """Bytes by storage and way, and by view."""
    whole: dict[Way, int] = field(default_factory=dict)

    @property
    def least_bytes(self) -> int:
        """The bytes that must move at least: of each storage the views together, but not twice where they meet."""
        return sum(min(sum(views.values()), extent(views), self.whole[way]) for way, views in self.moved.items())

    def move(self, piece: Piece, way: str) -> None:
        """Count a piece, once each way."""
        views = self.moved[piece.storage, way]
        views[piece.view] = max(piece.size, views.get(piece.view, 0))
        self.whole[piece.storage, way] = piece.whole


class Counter(Turns):
    """Within it, every operator is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call | Border] = []
        self._known: dict[int, StorageWeakRef] = {}  # keeps the address of a storage its own

    def begin(self, phase: str) -> None:
        """From now on the step is in a phase. What is alive here leaves the layer that made it."""
        super().begin(phase)
        alive = {key for key, reference in self._known.items() if not reference.expired()}
        self.calls.append(Border(alive))

    def after(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: object) -> None:  # noqa: ANN401
        """Count an operator, unless it only shows its argument under another shape."""
        if is_view(func):
            return
        packet = getattr(func, "overloadpacket", func)
        name = getattr(packet, "__name__", "")
        taken, changed = list(tensors((args, kwargs))), list(tensors(written(func, args, kwargs)))
        unread = {id(x) for place in SHAPE_ONLY.get(name, ()) for x in tensors(args[place : place + 1])}
        unread |= {id(x) for x in tensors(kwargs.get("out"))}
        reads = self._pieces(x for x in taken if id(x) not in unread)
        writes = self._pieces([*tensors(result), *changed])
        if name in PARTLY_READ and reads:
            reads[0] = reads[0]._replace(size=min(reads[0].size, sum(piece.size for piece in writes)))
        if name in PARTLY_WRITTEN and reads:
            most = max((piece.size for piece in reads[1:]), default=0)
            reads = [*([reads[0]._replace(size=min(reads[0].size, most))] if "add" in name else []), *reads[1:]]
            writes = [piece._replace(size=min(piece.size, most), part=True) for piece in writes]
        half = next((x.dtype in HALVES for x in taken if x.is_floating_point()), False)
        done = flops(func, args, kwargs, result)
        self.calls.append(Call(self.turn, done, half, reads, writes))

    def _pieces(self, of: Iterable[torch.Tensor]) -> list[Piece]:
        return [piece for x in of if (piece := self._piece(x)) is not None]

    def _piece(self, x: torch.Tensor) -> Piece | None:
        reference = storage_of(x)
        if reference is None:
            return None
        self._known.setdefault(reference.cdata, reference)
        each = x.element_size()
        first = int(x.storage_offset()) * each
        last = first + each * (1 + sum((n - 1) * step for n, step in zip(x.shape, x.stride(), strict=True)))
        size, whole = x.numel() * each, x.untyped_storage().nbytes()
        return Piece(reference.cdata, (first, last, tuple(x.shape), x.stride()), size, whole, size < whole)

    def work(self) -> dict[Owner, Work]:
        """What each owner had to do."""
        total: dict[Owner, Work] = defaultdict(Work, {owner: Work() for owner in self.owners})
        made: dict[int, tuple[Owner, Piece]] = {}
        for call in self.calls:
            if isinstance(call, Border):
                for storage in call.alive & made.keys():
                    maker, piece = made[storage]
                    total[maker].move(piece, "out")
                continue
            owner = self.owners[call.turn]
            own = total[owner]
            own.flops = None if own.flops is None or call.flops is None else own.flops + call.flops
            own.half_flops += (call.flops or 0) if call.half else 0
            for piece in call.reads:
                known = made.get(piece.storage)
                if known is None or known[0] != owner:
                    own.move(piece, "in")
                    if known is not None:
                        total[known[0]].move(piece, "out")
            for piece in call.writes:
                if piece.part:  # the rest of the storage is still the other's
                    own.move(piece, "out")
                else:
                    made[piece.storage] = owner, piece
        return dict(total)


def is_view(func: Any) -> bool:  # noqa: ANN401
    """Whether an operator only returns its argument under another shape: it moves nothing."""
    schema = getattr(func, "_schema", None)
    return schema is not None and any(
        returned.alias_info is not None and not returned.alias_info.is_write for returned in schema.returns
    )


def written(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:  # noqa: ANN401
    """The arguments that an operator writes into. A fused optimizer writes gradients only if it unscales them."""
    schema = getattr(func, "_schema", None)
    values = []
    for place, argument in enumerate(schema.arguments if schema else ()):
        writes = argument.alias_info is not None and argument.alias_info.is_write
        if writes and not (argument.name == "grads" and kwargs.get("grad_scale") is None):
            values.append(kwargs.get(argument.name, args[place] if place < len(args) else None))
    return values


def extent(views: Iterable[View]) -> int:
    """The bytes of a storage between the begin and the end of any of some views."""
    total, reached = 0, 0
    for first, last, *_ in sorted(views):
        total += max(0, last - max(first, reached))
        reached = max(reached, last)
    return total
