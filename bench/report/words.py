"""Numbers as a person reads them: three digits and a unit; an unknown number is an empty string."""

import math


def number(value: float) -> str:
    """Three significant digits, with a comma between thousands: 23.4, 101,000; empty if it is not finite."""
    if not math.isfinite(value):
        return ""
    if value == 0:
        return "0"
    rounded = float(f"{value:.2e}")
    decimals = max(0, 2 - math.floor(math.log10(abs(rounded))))
    return f"{rounded:,.{decimals}f}"


def count(value: float) -> str:
    """A number of things, to three digits: 99, 101,000."""
    return "" if math.isnan(value) else f"{float(f'{value:.2e}'):,.0f}"


def count_of(number: int, what: str) -> str:
    """A number of things with their name: 1 round, 3 rounds."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def seconds(value: float) -> str:
    """Seconds in the unit that fits: 1.38 s, 458 ms, 32.0 us."""
    return _scaled(value, (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)))


def size(value: float) -> str:
    """Bytes in the unit that fits (powers of 1024): 7.6 MiB."""
    return _scaled(value, (("GiB", 2.0**30), ("MiB", 2.0**20), ("KiB", 2.0**10), ("B", 1.0)))


def percent(value: float) -> str:
    """A share in per cent: 12 %, 0.4 %."""
    if math.isnan(value):
        return ""
    return f"{100 * value:.0f} %" if abs(value) >= 0.1 else f"{100 * value:.1f} %"


def interval(estimate: float, lo: float, hi: float, digits: int = 2) -> str:
    """An estimate with its bounds: 1.31 [1.27, 1.36]; alone if there are none."""
    if math.isnan(estimate):
        return ""
    if math.isnan(lo) or math.isnan(hi):
        return f"{estimate:.{digits}f}"
    return f"{estimate:.{digits}f} [{lo:.{digits}f}, {hi:.{digits}f}]"


def spread_seconds(estimate: float, lo: float, hi: float) -> str:
    """Seconds with their bounds, in the estimate's unit: 1.38 [1.35, 1.40] s."""
    if math.isnan(estimate) or math.isnan(lo) or math.isnan(hi):
        return seconds(estimate)
    unit, scale = _unit(estimate, (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)))
    shown = [number(v / scale) for v in (estimate, lo, hi)]
    return f"{shown[0]} [{shown[1]}, {shown[2]}] {unit}"


def _unit(value: float, units: tuple[tuple[str, float], ...]) -> tuple[str, float]:
    return next((u for u in units if abs(value) >= u[1]), units[-1])


def _scaled(value: float, units: tuple[tuple[str, float], ...]) -> str:
    if math.isnan(value):
        return ""
    if value == 0:
        return f"0 {units[0][0] if units[0][0] == 's' else 'B'}"
    unit, scale = _unit(value, units)
    return f"{number(value / scale)} {unit}"
