"""Short names of variants for sentences and figures: what differs from the baseline."""

from bench.analyse.load import RunData, variant_axes
from bench.variants import DEFAULTS, from_row

ALWAYS_TOLD = ("device", "batch_size", "model")
"""Axes that a label tells only where a run has more than one value of them."""


def label(data: RunData, variant_id: str, but: str = "") -> str:
    """`baseline`, `notebook's loop`, or what was changed: `nhwc + inductor + kept`; the axis `but` untold."""
    axes = variant_axes(data, variant_id)
    variant = from_row(axes)
    if variant.is_baseline:
        name = "baseline"
    elif variant.is_notebook:
        name = "notebook's loop"
    else:
        name = " + ".join(_changes(axes))
    told = [f"batch {axes[n]}" if n == "batch_size" else axes[n] for n in ALWAYS_TOLD if n != but and _several(data, n)]
    return f"{name} ({', '.join(told)})" if told else name


def _changes(axes: dict[str, str]) -> list[str]:
    words = {"threads": "{} threads", "sync": "sync {}", "loader": "{}"}
    loaders = {"notebook": "PIL images", "workers": "PIL images in workers"}
    return [
        words.get(name, "{}").format(loaders.get(value, value))
        for name, value in axes.items()
        if name not in ALWAYS_TOLD and value != ("unset" if DEFAULTS[name] is None else DEFAULTS[name])
    ]


def _several(data: RunData, axis: str) -> bool:
    ran = data.variants[data.variants.excluded_reason == ""]
    return bool(ran[axis].nunique() > 1)
