"""The JSON that github-action-benchmark reads as the tool `customSmallerIsBetter`.

https://github.com/benchmark-action/github-action-benchmark
"""

import json

from bench.analyse.load import RunData
from bench.report.exports.measures import judged, less_is_better
from bench.report.words import number


def text(data: RunData) -> str:
    """The run, an entry for each measure of a variant that is better if it is smaller."""
    entries = []
    for measure in judged(data):
        if not less_is_better(measure.metric):
            continue
        entry: dict[str, object] = {
            "name": f"{measure.variant_id} {measure.metric.in_table}",
            "unit": measure.metric.kind.unit,
            "value": measure.value,
        }
        if measure.is_bounded:
            entry["range"] = f"{number(measure.lo)} to {number(measure.hi)}"
        entries.append(entry)
    return json.dumps(entries, indent=2, allow_nan=False)
