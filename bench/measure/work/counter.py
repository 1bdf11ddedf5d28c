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
PARTLY_READ = ("embedding", "index", "index_select", "gather")
"""Operators that read no more of their first argument than they return."""
NOT_READ = ("empty_like", "zeros_like", "ones_like", "full_like", "rand_like", "randn_like", "new_empty", "new_zeros")
"""Operators that take only the shape of their argument."""


Way = tuple[int, str]
"""A storage, and whether it comes `in` or goes `out`."""


class Piece(NamedTuple):
    """What an operator touches of a storage."""

    storage: int
    view: tuple[object, ...]
    size: int
    whole: int
    """The bytes of the storage."""


@dataclass(slots=True)
class Call:
    """One call of an operator."""

    turn: int
    """Of the owner whose code ran."""
    flops: int | None
    half: bool
    reads: list[Piece]
    writes: list[Piece]
    changes: bool
    """Whether it writes into what was there before."""


@dataclass(slots=True)
class Work:
    """What an owner has to do in a step."""

    flops: int | None = 0
    """None if an operator of another library ran, whose operations nobody knows."""
    half_flops: int = 0
    """Those of them in bfloat16 or float16."""
    moved: dict[Way, dict[tuple[object, ...], int]] = field(default_factory=lambda: defaultdict(dict))
    """Bytes by storage and way, and by view."""
    whole: dict[Way, int] = field(default_factory=dict)

    @property
    def least_bytes(self) -> int:
        """The bytes that must move at least."""
        return sum(min(sum(views.values()), self.whole[way]) for way, views in self.moved.items())

    def move(self, piece: Piece, way: str) -> None:
        """Count a piece, once each way."""
        self.moved[piece.storage, way][piece.view] = piece.size
        self.whole[piece.storage, way] = piece.whole


class Counter(Turns):
    """Within it, every operator is counted."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self._known: dict[int, StorageWeakRef] = {}  # keeps the address of a storage its own

    def after(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: object) -> None:  # noqa: ANN401
        """Count an operator, unless it only shows its argument under another shape."""
        if is_view(func):
            return
        name, taken = func.overloadpacket.__name__, list(tensors((args, kwargs)))
        reads = [] if name in NOT_READ else self._pieces(taken)
        writes = self._pieces(tensors(result))
        if name in PARTLY_READ and reads:
            reads[0] = reads[0]._replace(size=min(reads[0].size, sum(piece.size for piece in writes)))
        half = next((x.dtype in HALVES for x in taken if x.is_floating_point()), False)
        done, changes = flops(func, args, kwargs, result), func._schema.is_mutable  # noqa: SLF001
        self.calls.append(Call(self.turn, done, half, reads, writes, changes))

    def _pieces(self, of: Iterable[torch.Tensor]) -> list[Piece]:
        return [piece for x in of if (piece := self._piece(x)) is not None]

    def _piece(self, x: torch.Tensor) -> Piece | None:
        reference = storage_of(x)
        if reference is None:
            return None
        self._known.setdefault(reference.cdata, reference)
        view = (x.storage_offset(), tuple(x.shape), x.stride())
        return Piece(reference.cdata, view, x.numel() * x.element_size(), x.untyped_storage().nbytes())

    def work(self) -> dict[Owner, Work]:
        """What each owner had to do."""
        total: dict[Owner, Work] = defaultdict(Work, {owner: Work() for owner in self.owners})
        made_by: dict[int, Owner] = {}
        for call in self.calls:
            owner = self.owners[call.turn]
            own = total[owner]
            own.flops = None if own.flops is None or call.flops is None else own.flops + call.flops
            own.half_flops += (call.flops or 0) if call.half else 0
            for piece in call.reads:
                maker = made_by.get(piece.storage)
                if maker != owner:
                    own.move(piece, "in")
                    if maker is not None:
                        total[maker].move(piece, "out")
            for piece in call.writes:
                if call.changes and made_by.get(piece.storage) != owner:
                    own.move(piece, "out")
                made_by[piece.storage] = owner
        return dict(total)


def is_view(func: Any) -> bool:  # noqa: ANN401
    """Whether an operator only returns its argument under another shape: it moves nothing."""
    return any(
        returned.alias_info is not None and not returned.alias_info.is_write
        for returned in func._schema.returns  # noqa: SLF001
    )
