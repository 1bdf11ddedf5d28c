"""The model that is trained, or the task that also says how."""

from bench.core.axes.axis import Axis, Value

SETTING = r"[A-Za-z_]\w*=[\w.+-]+"
"""A parameter of the user's own factory, with its value."""
OWN = rf"[A-Za-z_][\w.]*:(?:[A-Za-z_]\w*)?(?:\[{SETTING}(?:,{SETTING})*\])?"

MODEL = Axis(
    default="nin",
    pattern=rf"nin|{OWN}",
    pattern_words="nin, torchvision.models:NAME or package.module:factory",
    of=Value,
    in_baseline=True,
)


def without_settings(model: str) -> str:
    """A model's name as the user gives it, without the settings of a variant."""
    return model.partition("[")[0]


def with_settings(model: str, settings: list[str]) -> str:
    """A model's name with settings of its factory, such as `width=64`."""
    return f"{model}[{','.join(settings)}]" if settings else model
