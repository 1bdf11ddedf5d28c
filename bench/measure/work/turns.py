"""Whose code runs, for what observes operators: it takes turns as a `clock.Timeline` does, and has no clock."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch._ops import HigherOrderOperator
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from bench.core.axes.kind import KINDS
from bench.core.traces import Owner


class Turns(TorchDispatchMode):
    """Within it, each operator belongs to the owner whose turn it is: a layer and a phase."""

    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # torch's
        self.owners: list[Any] = [("", "data")]

    def begin(self, phase: str) -> None:
        """From now on the step is in a phase, outside of every layer."""
        self.enter(("", phase))

    def enter(self, owner: Owner) -> None:
        """From now on what runs is `owner`'s."""
        self.owners.append(owner)

    def give(self, turn: int, owner: Owner) -> None:
        """Give what ran in a turn, by its number among those of `enter`, to another owner."""
        self.owners[turn + 1] = owner

    @property
    def stamps(self) -> int:
        """How many turns were entered."""
        return len(self.owners) - 1

    @property
    def owner(self) -> Owner:
        """Whose turn it is."""
        owner: Owner = self.owners[-1]
        return owner

    @property
    def turn(self) -> int:
        """The turn's index in `owners`."""
        return len(self.owners) - 1

    def __torch_dispatch__(
        self,
        func: Any,  # noqa: ANN401
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """The operator's own result."""
        kwargs = kwargs or {}
        if isinstance(func, HigherOrderOperator):  # such as flex attention: nobody knows what runs within
            result = func(*args, **kwargs)
            self.after(func, args, kwargs, result)
            return result
        if torch.is_inference_mode_enabled():  # there an operator that consists of others comes as one
            with self, autocast_again():
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        self.before(args)
        result = func(*args, **kwargs)
        self.after(func, args, kwargs, result)
        return result

    def before(self, args: tuple[Any, ...]) -> None:
        """Called before each operator."""

    def after(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: object) -> None:  # noqa: ANN401
        """Called after each operator."""
        raise NotImplementedError


@contextmanager
def autocast_again() -> Iterator[None]:
    """Within, autocast acts on operators again, which it does not where a mode has one in its hands."""
    keys = [getattr(torch._C.DispatchKey, f"Autocast{name.upper()}") for name in KINDS]  # noqa: SLF001
    with ExitStack() as stack:
        for key in keys:
            stack.enter_context(torch._C._SetExcludeDispatchKeyGuard(key, False))  # noqa: SLF001, FBT003 - torch's
        yield


def storage_of(x: torch.Tensor) -> StorageWeakRef | None:
    """A weak reference to a tensor's storage, whose `cdata` is unique while it is kept; None if it has no storage."""
    if x.layout is not torch.strided or x.is_nested or not x.numel():
        return None
    try:
        return StorageWeakRef(x.untyped_storage())
    except (NotImplementedError, RuntimeError):  # a subclass that only stands for others
        return None
