"""Short names of variants for sentences and figures: what differs from the baseline."""

from collections.abc import Sequence

from bench.analyse.load import StepData, variant_axes
from bench.core.text import marked
from bench.core.variants import AXES, from_row

DEFAULT_WORDS = {name: axis.default for name, axis in AXES.items()}
SHARED_AXES = tuple(name for name, axis in AXES.items() if axis.in_baseline)
"""Axes whose values a variant shares with its baseline. A label names one only if a run has several of its values."""
MOST_LETTERS = 120
"""Letters of a label in a sentence."""


def label(data: StepData, variant_id: str, but: str = "") -> str:
    """`baseline`, `notebook's loop`, or what was changed: `nhwc + inductor + kept`; without the axis `but`.

    Names a batch size only if it is not the run's usual one.
    """
    axes = variant_axes(data, variant_id)
    names = [name for name in SHARED_AXES if name != but and _several(data, name)]
    if "batch_size" in names and axes["batch_size"] == _usual_batch(data, axes["device"]):
        names.remove("batch_size")
    return name_of(axes | ({but: DEFAULT_WORDS[but]} if but else {}), names)


def named(data: StepData, variant_id: str, but: str = "") -> str:
    """The label as Markdown."""
    return marked(label(data, variant_id, but), MOST_LETTERS)


def name_of(axes: dict[str, str], shared_axes: Sequence[str]) -> str:
    """The short name of a variant, with its values of these `shared_axes` in brackets."""
    variant = from_row(axes)
    if variant.is_baseline:
        name = "baseline"
    elif variant.is_notebook:
        name = "notebook's loop"
    else:
        name = " + ".join(_changes(axes))
    more = [AXES[axis].value(axes[axis]).label for axis in shared_axes]
    return f"{name} ({', '.join(more)})" if more else name


def _changes(axes: dict[str, str]) -> list[str]:
    """The labels of the values that are not the default, without the axes that a baseline shares."""
    return [
        AXES[name].value(value).label
        for name, value in axes.items()
        if name not in SHARED_AXES and value != DEFAULT_WORDS[name]
    ]


def _usual_batch(data: StepData, device: str) -> str:
    """The batch size of a device's first variant."""
    return next(str(variant.batch_size) for variant in data.variants.values() if variant.device == device)


def _several(data: StepData, axis: str) -> bool:
    return len({variant_axes(data, variant_id)[axis] for variant_id in data.runnable}) > 1
