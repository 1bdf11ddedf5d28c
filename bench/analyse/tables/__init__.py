"""The tables of a report, in base units; a value that was not measured is empty (NaN)."""

from bench.analyse.outcomes import not_gated, outcome, rounds_words, spoilt, step_trials
from bench.analyse.ratios import baseline_of, batch_of, controls, items_of, ratio_to, unit_of
from bench.analyse.tables.columns import bounded, phases_of
from bench.analyse.tables.failures_table import failures, stamps
from bench.analyse.tables.layers_table import layers
from bench.analyse.tables.memory_table import memory
from bench.analyse.tables.numerics_table import numerics
from bench.analyse.tables.ranks_table import rank_layers, ranks
from bench.analyse.tables.scaling_table import scaling
from bench.analyse.tables.steps_table import EPOCH_IMAGES, ranked, steps

__all__ = [
    "EPOCH_IMAGES",
    "baseline_of",
    "batch_of",
    "bounded",
    "controls",
    "failures",
    "items_of",
    "layers",
    "memory",
    "not_gated",
    "numerics",
    "outcome",
    "phases_of",
    "rank_layers",
    "ranked",
    "ranks",
    "ratio_to",
    "rounds_words",
    "scaling",
    "spoilt",
    "stamps",
    "step_trials",
    "steps",
    "unit_of",
]
