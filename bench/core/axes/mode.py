"""Whether a step trains the model, or only calls it."""

from dataclasses import dataclass

from bench.core.axes.axis import Axis, Value, by_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode(Value):
    """What measuring needs of a kind of work."""

    infers: bool = False
    """Whether a step is one call of the model in eval mode, without loss, backward and optimizer."""


MODE = Axis(
    default="train",
    values=by_name(
        Mode("train"),
        Mode("infer", words="inference", infers=True),
    ),
    in_baseline=True,
)
