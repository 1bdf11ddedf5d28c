"""The model that is trained."""

from bench.core.axes.axis import Axis, Value

MODEL = Axis(
    default="nin",
    pattern=r"nin|[A-Za-z_][\w.]*:[A-Za-z_]\w*",
    pattern_words="nin, torchvision.models:NAME or package.module:factory",
    of=Value,
    in_baseline=True,
)
