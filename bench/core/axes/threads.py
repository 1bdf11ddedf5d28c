"""How many threads torch computes with on the CPU."""

from bench.core.axes.axis import UNSET, Axis, Value


def _value(text: str) -> Value:
    if text == UNSET:
        return Value(text)
    return Value(
        text,
        words=f"{text} thread" if text == "1" else f"{text} threads",
        variables={"OMP_NUM_THREADS": text, "MKL_NUM_THREADS": text},
        exports=(f"OMP_NUM_THREADS={text}",),
    )


def _parsed(text: str) -> int | None:
    return None if text == UNSET else int(text)


THREADS = Axis(
    default=UNSET,
    pattern=rf"{UNSET}|[1-9]\d*",
    pattern_words=f"{UNSET} or a whole number of at least 1",
    of=_value,
    parse=_parsed,
    mark="t{}",
)
