"""Which of torch's implementations of Adam updates the weights."""

from dataclasses import dataclass

from bench.core.axes.axis import Axis, SetBy, Value, by_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer(Value):
    """What measuring needs of an implementation."""

    waits_for_scaler: bool = True
    """Whether the host waits until the GradScaler has looked for overflow; otherwise the device alone acts on it."""


OPTIMIZER = Axis(
    default="default",
    values=by_name(
        Optimizer("default"),
        Optimizer("foreach", python=("optimizer = Adam(model.parameters(), lr, foreach=True)",)),
        Optimizer(
            "fused",
            waits_for_scaler=False,
            python=("optimizer = Adam(model.parameters(), lr, fused=True)",),
        ),
    ),
    set_by=SetBy.TRAINER,
    of_training="inference has no optimizer",
)
