"""A percentile of single calls counts only if every trial of a variant could show it."""

import pandas as pd

from bench.analyse.values import whole_percentiles


def rows(variant_id: str, stage: str, *trials: dict[str, float]) -> list[dict[str, object]]:
    """A row for each value of each trial."""
    return [
        {"trial_id": f"{variant_id}{stage}{number}", "variant_id": variant_id, "stage": stage, "metric": metric,
         "value": value}
        for number, trial in enumerate(trials)
        for metric, value in trial.items()
    ]  # fmt: skip


def test_a_percentile_that_only_the_fast_trials_have_is_left_out() -> None:
    fast, slow = {"wall": 1.0, "latency_calls": 300, "latency_p99": 2.0}, {"wall": 9.0, "latency_calls": 40}
    values = pd.DataFrame(
        [*rows("a", "pilot", slow), *rows("a", "measure", fast, fast), *rows("b", "measure", fast, slow)]
    )
    kept = whole_percentiles(values)

    assert set(kept[kept.metric == "latency_p99"].trial_id) == {"ameasure0", "ameasure1"}
    assert list(kept[kept.metric != "latency_p99"].index) == list(values[values.metric != "latency_p99"].index)


def test_values_without_calls_stay_as_they_are() -> None:
    values = pd.DataFrame(rows("a", "measure", {"wall": 1.0}, {"wall": 2.0}))

    pd.testing.assert_frame_equal(whole_percentiles(values), values)
