"""What a sweep found: groups of like nodes, and in each what a variant gains and how far nodes differ."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from bench.analyse import ratios
from bench.analyse.history.gather import Setting, setting_of
from bench.analyse.labels import label
from bench.analyse.load import RunData
from bench.analyse.stats import Interval, Values
from bench.analyse.sweep.blocks import Combined, combined, within
from bench.analyse.sweep.gather import Gathered, SweepRun


@dataclass(frozen=True, slots=True, kw_only=True)
class OnBlock:
    """A variant on one block."""

    block: str
    runs: tuple[str, ...]
    rounds: int
    log_s: float
    """The log of seconds per item, the mean over rounds."""
    log_gain: float
    """The log of how many times as fast as the baseline; NaN for the baseline itself, and without common rounds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """A variant over the blocks of a group that measured it in rounds."""

    variant_id: str
    name: str
    is_baseline: bool
    log_s: Combined
    """Of the log of seconds per item."""
    log_gain: Combined
    """Of the log of how many times as fast as the baseline; no blocks for the baseline."""
    by_block: tuple[OnBlock, ...]

    @property
    def gain(self) -> Interval:
        """How many times as fast as the baseline."""
        mean = self.log_gain.mean
        return Interval(estimate=math.exp(mean.estimate), lo=float(np.exp(mean.lo)), hi=float(np.exp(mean.hi)))

    @property
    def rate(self) -> float:
        """Items a second, the geometric mean of blocks."""
        return math.exp(-self.log_s.mean.estimate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Blocks on which one device and its software are alike, so that they can be combined."""

    device: str
    setting: Setting
    unit: str
    blocks: tuple[str, ...]
    variants: tuple[Over, ...]

    @property
    def baseline(self) -> Over | None:
        """The baseline."""
        return next((over for over in self.variants if over.is_baseline), None)

    @property
    def reference(self) -> Over | None:
        """The variant by whose seconds blocks are compared: the baseline, or else the first; None without any."""
        return self.baseline or next(iter(self.variants), None)

    @property
    def fastest(self) -> Over | None:
        """The variant with the largest gain of those that every block measured; None without any."""
        everywhere = [over for over in self.variants if over.log_gain.blocks == len(self.blocks)]
        return max(everywhere, key=lambda over: over.log_gain.mean.estimate, default=None)


def groups(gathered: Gathered) -> list[Group]:
    """The groups of a sweep, those with most blocks first."""
    keys: dict[tuple[str, Setting], list[SweepRun]] = {}
    for run in gathered.runs:
        for device in dict.fromkeys(variant.device for variant in run.data.variants.values()):
            if any(run.data.variants[v].device == device for v in run.data.steps):
                keys.setdefault((device, setting_of(run.data.run, device)), []).append(run)
    found = [group(gathered, device, setting, runs) for (device, setting), runs in keys.items()]
    return sorted(found, key=lambda one: -len(one.blocks))


def group(gathered: Gathered, device: str, setting: Setting, runs: Sequence[SweepRun]) -> Group:
    """The variants of a device over the blocks of some runs."""
    blocks: dict[str, list[SweepRun]] = {}
    for run in runs:
        blocks.setdefault(gathered.block_of(run), []).append(run)
    named = {
        variant_id: label(run.data, variant_id)
        for run in reversed(runs)
        for variant_id, variant in run.data.variants.items()
        if variant.device == device and variant_id in run.data.steps
    }
    return Group(
        device=device,
        setting=setting,
        unit=ratios.unit_of(runs[0].data),
        blocks=tuple(blocks),
        variants=tuple(over(variant_id, name, blocks) for variant_id, name in sorted_names(named, runs)),
    )


def sorted_names(named: dict[str, str], runs: Sequence[SweepRun]) -> list[tuple[str, str]]:
    """The variants in the order of variants.csv of the first run that has them."""
    order = list(dict.fromkeys(variant_id for run in runs for variant_id in run.data.variants))
    return sorted(named.items(), key=lambda pair: order.index(pair[0]))


def over(variant_id: str, name: str, blocks: dict[str, list[SweepRun]]) -> Over:
    """A variant over some blocks."""
    seconds = {block: [log_seconds(run.data, variant_id) for run in runs] for block, runs in blocks.items()}
    gains = {block: [log_gains(run.data, variant_id) for run in runs] for block, runs in blocks.items()}
    names = {block: tuple(run.name for run in runs) for block, runs in blocks.items()}
    on_blocks = tuple(
        OnBlock(
            block=block,
            runs=names[block],
            rounds=sum(map(len, values)),
            log_s=block_mean(values),
            log_gain=block_mean(gains[block]),
        )
        for block, values in seconds.items()
        if any(map(len, values))
    )
    return Over(
        variant_id=variant_id,
        name=name,
        is_baseline=next(run.data.variants[variant_id] for runs in blocks.values() for run in runs
                         if variant_id in run.data.variants).is_baseline,
        log_s=combined_of(seconds),
        log_gain=combined_of(gains),
        by_block=on_blocks,
    )  # fmt: skip


def log_seconds(data: RunData, variant_id: str) -> Values:
    """Logs of seconds per item of a run, one a complete round; the two arms of a baseline count as their mean."""
    if variant_id not in data.steps:
        return np.array([])
    return np.asarray(ratios.log_steps(data, variant_id).mean(axis=1), dtype=np.float64)


def log_gains(data: RunData, variant_id: str) -> Values:
    """Logs of how many times as fast as its baseline a variant is in each round that has both."""
    baseline = ratios.baseline_of(data, variant_id) if variant_id in data.steps else None
    if baseline is None or baseline == variant_id:
        return np.array([])
    reference, own = ratios.log_steps(data, baseline), ratios.log_steps(data, variant_id)
    common = reference.index.intersection(own.index)
    gains = reference.loc[common].mean(axis=1) - own.loc[common].mean(axis=1)
    return np.asarray(gains, dtype=np.float64)


def block_mean(runs: Sequence[Values]) -> float:
    """The mean of the runs' means; NaN without any."""
    return mean_of([mean_of(run) for run in runs if len(run)])


def mean_of(values: ArrayLike) -> float:
    """The mean; NaN without any value."""
    filled = np.asarray(values, dtype=np.float64)
    return float(filled.mean()) if len(filled) else math.nan


def combined_of(blocks: dict[str, list[Values]]) -> Combined:
    """The blocks that have a value, combined."""
    filled = [[run for run in runs if len(run)] for runs in blocks.values() if any(map(len, runs))]
    return combined([block_mean(runs) for runs in filled], within(filled))


def variants_frame(found: Sequence[Group]) -> pd.DataFrame:
    """A row a variant and group."""
    rows = [
        {
            "group": number,
            "device": one.device,
            "variant_id": over.variant_id,
            "variant": over.name,
            "blocks": over.log_s.blocks,
            "items_per_s": over.rate,
            "between_sd": over.log_s.between.estimate,
            "between_sd_lo": over.log_s.between.lo,
            "between_sd_hi": over.log_s.between.hi,
            "within_se": over.log_s.within,
            "ratio": over.gain.estimate,
            "ratio_lo": over.gain.lo,
            "ratio_hi": over.gain.hi,
            "ratio_between_sd": over.log_gain.between.estimate,
            "ratio_within_se": over.log_gain.within,
        }
        for number, one in enumerate(found, start=1)
        for over in one.variants
    ]
    return pd.DataFrame(rows)


def blocks_frame(found: Sequence[Group]) -> pd.DataFrame:
    """A row a variant and block."""
    rows = [
        {
            "group": number,
            "block": on.block,
            "runs": " ".join(on.runs),
            "variant_id": over.variant_id,
            "rounds": on.rounds,
            "items_per_s": math.exp(-on.log_s),
            "ratio": math.exp(on.log_gain) if math.isfinite(on.log_gain) else math.nan,
        }
        for number, one in enumerate(found, start=1)
        for over in one.variants
        for on in over.by_block
    ]
    return pd.DataFrame(rows)
