"""Images a step."""

from bench.core.axes.axis import Axis, SetBy, Value
from bench.core.axes.kind import CPU

CPU_BATCH = CPU.batch_size
LARGEST = "max"
"""The text for the largest batch size that fits."""


def _value(text: str) -> Value:
    return Value(text, words=f"batch {text}")


def _parsed(text: str) -> str | int:
    return text if text == LARGEST else int(text)


BATCH_SIZE = Axis(
    default=str(CPU_BATCH),
    pattern=rf"[1-9]\d*|{LARGEST}",
    pattern_words=f"a whole number of at least 1, or {LARGEST}",
    of=_value,
    parse=_parsed,
    mark="b{}",
    always_in_id=True,
    in_baseline=True,
    set_by=SetBy.NIN,
)
