"""torch's own layers computed in a memory format, while a model's own code sees the default layout.

Kernels of one layer add up in another order in each layout. On the CPU, torch's channels-last batch norm adds the
numbers of a channel one after another in float32. The error of such a sum may grow with the number of its terms
(Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 4.2), and does so if they are alike. It would
grow with the square root if roundings were independent (Higham and Mary, SIAM J. Sci. Comput. 41(5), 2019).
A yardstick must show that error. It must not run a model's own code in that layout: the code may be wrong there.
"""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

SUMMING = (
    F.batch_norm, F.instance_norm, F.group_norm, F.conv2d, F.conv_transpose2d, F.avg_pool2d, F.adaptive_avg_pool2d,
)  # fmt: skip
"""torch's functions that add up over images or pixels, forward or backward."""
IMAGE_DIMS = 4


class InFormat(torch.autograd.Function):
    """A copy in one memory format, whose gradient goes back in another."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, there: torch.memory_format, back: torch.memory_format) -> torch.Tensor:  # noqa: ANN401
        """The copy."""
        ctx.back = back
        return x.clone(memory_format=there)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # noqa: ANN401
        """The gradient, in the layout that the tensor had."""
        return g.contiguous(memory_format=ctx.back), None, None


class TorchLayersIn(TorchFunctionMode):
    """Within, torch's own layers are given images in a memory format, and return them in the default one."""

    def __init__(self, memory_format: torch.memory_format) -> None:
        super().__init__()
        self.format = memory_format

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401
        """What the function returns."""
        affected = func in SUMMING and self.format != torch.contiguous_format
        if not affected or not args or args[0].dim() != IMAGE_DIMS:
            return func(*args, **kwargs or {})
        x, *rest = (self.in_format(arg) for arg in args)
        y = func(x, *rest, **kwargs or {})
        return InFormat.apply(y, torch.contiguous_format, self.format)

    def in_format(self, arg: Any) -> Any:  # noqa: ANN401
        """An argument, in the format if it is images or filters."""
        if isinstance(arg, torch.Tensor) and arg.dim() == IMAGE_DIMS:
            return InFormat.apply(arg, self.format, torch.contiguous_format)
        return arg
