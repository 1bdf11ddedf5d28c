"""Numbers as a person reads them: three digits and a unit; an unknown number is an empty string."""

import math
from typing import Self


class Number(str):
    """A number as text, with its value in the base unit: a table is sorted by values."""

    __slots__ = ("value",)
    value: float

    def __new__(cls, text: str, value: float) -> Self:
        """The text with its value."""
        made = super().__new__(cls, text)
        made.value = float(value)
        return made


def number(value: float) -> str:
    """Three significant digits, with a comma between thousands: 23.4, 101,000; empty if it is not finite."""
    if not math.isfinite(value):
        return ""
    if value == 0:
        return Number("0", 0)
    rounded = float(f"{value:.2e}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return Number(f"{rounded:,.{decimals}f}", value)


def count(value: float) -> str:
    """A number of things, to three digits: 99, 101,000."""
    return "" if math.isnan(value) else Number(f"{float(f'{value:.2e}'):,.0f}", value)


def count_of(number: int, what: str) -> str:
    """A number of things with their name: 1 round, 3 rounds."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def seconds(value: float) -> str:
    """Seconds in the unit that fits: 1.38 s, 458 ms, 32.0 \N{MICRO SIGN}s."""
    return _scaled(value, (("s", 1.0), ("ms", 1e-3), ("\N{MICRO SIGN}s", 1e-6)))


def size(value: float) -> str:
    """Bytes in the unit that fits (powers of 1024): 7.6 MiB."""
    return _scaled(value, (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10), ("B", 1.0)))


def percent(value: float) -> str:
    """A share in per cent: 12 %, 0.4 %."""
    if math.isnan(value):
        return ""
    return Number(f"{100 * value:.0f} %" if abs(value) >= 0.1 else f"{100 * value:.1f} %", value)


def interval(estimate: float, lo: float, hi: float, digits: int = 2) -> str:
    """An estimate with its bounds: 1.31 [1.27, 1.36]; alone if there are none."""
    if math.isnan(estimate):
        return ""
    if math.isnan(lo) or math.isnan(hi):
        return Number(f"{estimate:.{digits}f}", estimate)
    return Number(f"{estimate:.{digits}f} [{lo:.{digits}f}, {hi:.{digits}f}]", estimate)


def spread_seconds(estimate: float, lo: float, hi: float) -> str:
    """Seconds with their bounds, in the estimate's unit: 1.38 [1.35, 1.40] s."""
    if math.isnan(estimate) or math.isnan(lo) or math.isnan(hi):
        return seconds(estimate)
    unit, scale = _unit(estimate, (("s", 1.0), ("ms", 1e-3), ("\N{MICRO SIGN}s", 1e-6)))
    shown = [number(v / scale) for v in (estimate, lo, hi)]
    return Number(f"{shown[0]} [{shown[1]}, {shown[2]}] {unit}", estimate)


def _unit(value: float, units: tuple[tuple[str, float], ...]) -> tuple[str, float]:
    return next((u for u in units if abs(value) >= u[1]), units[-1])


def _scaled(value: float, units: tuple[tuple[str, float], ...]) -> str:
    if math.isnan(value):
        return ""
    if value == 0:
        return Number(f"0 {units[0][0] if units[0][0] == 's' else 'B'}", 0)
    unit, scale = _unit(value, units)
    return Number(f"{number(value / scale)} {unit}", value)
