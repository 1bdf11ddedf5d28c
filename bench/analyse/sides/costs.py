"""What an epoch and a million items cost on the machines of stored runs, from the price of an hour on each."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd

from bench.analyse import tables
from bench.analyse.load import variant_axes
from bench.analyse.sides import compare
from bench.analyse.sides.compare import Match, Side
from bench.analyse.tables import roofline
from bench.core.variants import UsageError

HOUR_S = 3600.0
MILLION = 1e6
SAME_WORK = ("model", "mode")
"""The axes that variants share if the machine with the lower cost may take the place of the other."""


def priced(runs: Sequence[Side], texts: Sequence[str]) -> dict[str, float]:
    """The price of an hour by the name of a run, from texts RUN=PRICE, in any currency.

    Raises UsageError if a text is no such pair, names no run or one twice, or if a price is not above 0.
    """
    names = [run.name for run in runs]
    prices: dict[str, float] = {}
    for text in texts:
        name, equals, price = text.rpartition("=")
        if not equals or name not in names:
            msg = f"--price {text}: give RUN=PRICE with one of {', '.join(names)}"
            raise UsageError(msg)
        if name in prices:
            msg = f"--price names {name} twice"
            raise UsageError(msg)
        prices[name] = amount(text, price)
    return prices


def amount(text: str, price: str) -> float:
    """The number in a price. Raises UsageError if it is none, or not above 0."""
    try:
        value = float(price)
    except ValueError:
        value = math.nan
    if not (value > 0 and math.isfinite(value)):
        msg = f"--price {text}: the price of an hour is a number above 0, such as 2.99"
        raise UsageError(msg)
    return value


def table(runs: Sequence[Side], matches: Sequence[Match], prices: Mapping[str, float]) -> pd.DataFrame:
    """costs.csv: a row a run with a price and a variant that its rounds measured; the cheapest first.

    Columns: variant, run, variant_id, price_per_h, items_per_s; `million_h` and `million_cost`, the hours and the price
    of a million items; `epoch_cost` of 60,000 images, empty for a task. Costs have `_lo` and `_hi`, from the 95 %
    interval of the median step over the run's rounds; empty if the step has none. `million_cost_at_roof` is the cost if
    the machine did the step in the least time it could, empty if its roofs or the work are not known. `choice` tells
    whether no other row of the same model and mode is at least as fast and at least as cheap, and better in one of them
    (Pareto).
    """
    rows = [
        cost_row(run, match.name, variant_id, prices[run.name])
        for match in matches
        for run, variant_id in zip(runs, match.ids, strict=True)
        if variant_id is not None and run.name in prices and in_rounds(run, variant_id)
    ]
    if not rows:
        return pd.DataFrame(columns=["variant", "run", "million_cost", "choice"])
    costs = pd.DataFrame(rows)
    of_work = costs.groupby("work")
    costs["choice"] = [not is_beaten(row, of_work.get_group(row.work)) for row in costs.itertuples()]
    ordered = costs.sort_values(["work", "million_cost"], kind="stable")
    return ordered.drop(columns="work").reset_index(drop=True)


def in_rounds(run: Side, variant_id: str) -> bool:
    """Whether rounds measured the variant, and it did what its name says."""
    row = run.steps.set_index("variant_id").loc[variant_id]
    return bool(row.n > 0 and tables.outcome(run.data, variant_id)[0] == "ok")


def cost_row(run: Side, name: str, variant_id: str, price: float) -> dict[str, object]:
    """What a variant costs in one run."""
    row = run.steps.set_index("variant_id").loc[variant_id]
    axes = variant_axes(run.data, variant_id)
    step = compare.bounds_of(row, "step_s")
    million_steps = MILLION / tables.items_of(run.data, variant_id)
    epochs = math.nan if run.data.run.inputs.task else tables.EPOCH_IMAGES / MILLION
    costs = {
        f"{of}_cost{end}": share * million_steps * step_s / HOUR_S * price
        for of, share in (("million", 1.0), ("epoch", epochs))
        for end, step_s in (("", step.estimate), ("_lo", step.lo), ("_hi", step.hi))
    }
    return {
        "work": tuple(axes[axis] for axis in SAME_WORK),
        "variant": name,
        "run": run.name,
        "variant_id": variant_id,
        "price_per_h": price,
        "items_per_s": row.items_per_s,
        "million_h": million_steps * step.estimate / HOUR_S,
        "million_cost_at_roof": costs["million_cost"] * roofline.step_share(run.data, variant_id),
    } | costs


def is_beaten(row: object, others: pd.DataFrame) -> bool:
    """Whether another row is at least as fast and as cheap as this one, and better in one of them."""
    million_h, cost = row.million_h, row.million_cost  # type: ignore[attr-defined] # a row of the costs
    no_worse = (others.million_h <= million_h) & (others.million_cost <= cost)
    better = (others.million_h < million_h) | (others.million_cost < cost)
    return bool((no_worse & better).any())
