"""When loss and hits are read from the device."""

from dataclasses import dataclass

from bench.core.axes.axis import Axis, SetBy, Value, by_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync(Value):
    """What measuring needs of a way to read loss and hits."""

    waits: bool = False
    """Whether every step waits for its device."""


SYNC = Axis(
    default="epoch",
    values=by_name(
        Sync("epoch"),
        Sync("step", words="sync step", waits=True, python=("loss_sum += loss.item()  # at every step",)),
    ),
    mark="sync{}",
    set_by=SetBy.TRAINER,
    of_training="inference has no loss to read",
    overrides=("CUDA_LAUNCH_BLOCKING",),  # the host would wait for each kernel
)
