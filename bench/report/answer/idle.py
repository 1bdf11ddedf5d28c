"""The memory format of a variant, if nothing in its step has one."""

from bench.analyse.labels import DEFAULT_WORDS
from bench.analyse.load import RunData, variant_axes
from bench.core.partial import WEIGHTS_OF


def axes_that_act(data: RunData, variant_id: str) -> dict[str, str]:
    """The axes of a variant; the memory format at its default if nothing in the step has one."""
    axes = variant_axes(data, variant_id)
    return axes if has_formats(data, variant_id) else axes | {"memory_format": DEFAULT_WORDS["memory_format"]}


def has_formats(data: RunData, variant_id: str) -> bool:
    """Whether a weight or the output of a layer has a memory format: tensors of four dimensions have one."""
    outputs = data.layers.loc[data.layers.variant_id == variant_id, "memory_format"]
    weights = data.spread(variant_id, WEIGHTS_OF, "process").estimate
    return bool((outputs != "").any()) or weights != 0


def words(data: RunData, variant_id: str) -> list[str]:
    """A sentence that a variant's memory format changes nothing, if so."""
    if has_formats(data, variant_id) or data.variants[variant_id].memory_format == DEFAULT_WORDS["memory_format"]:
        return []
    return [
        f"{data.variants[variant_id].memory_format} is part of its name, but changes nothing here: no weight and no "
        "output of a layer has four dimensions."
    ]
