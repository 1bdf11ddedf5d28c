"""The search for the largest batch of a variant."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from bench.core.header import encoded, read_run
from tests.bench.run.runs import LARGEST, Start, execute, resumed, trials


def test_the_largest_batch_is_found_and_running_out_of_memory_is_a_row(start: Start) -> None:
    folder = execute(start(LARGEST, pilot_only=[LARGEST], memory_limit_bytes={"cpu": 100_000_000}))
    found = [(t["probes"], t["status"]) for t in trials(folder)]
    learned = read_run(folder).learned

    assert learned.largest == {LARGEST: 98}
    assert ("fit", "oom") in found
    assert found[-1] == ("steps+layers+kernels+work+loader+roofs+numerics", "ok")
    assert next(t["reason"] for t in trials(folder) if t["status"] == "oom").startswith("batch 1")
    assert [size for size, peak in learned.tried[LARGEST] if peak is not None and size > 98] == []


def test_a_limit_of_the_index_is_told_from_one_of_memory(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_WORKER", json.dumps({"": "index"}))
    folder = execute(start(LARGEST, pilot_only=[LARGEST], memory_limit_bytes={"cpu": 100_000_000}))
    learned = read_run(folder).learned

    assert learned.largest[LARGEST] <= 60 < learned.beyond_index[LARGEST]
    assert learned.beyond_index[LARGEST] - learned.largest[LARGEST] <= 60 // 16
    assert {t["status"] for t in trials(folder) if t["probes"] == "fit"} == {"ok", "too_large"}


def test_where_no_batch_fits_there_are_no_steps(start: Start) -> None:
    folder = execute(start(LARGEST, pilot_only=[LARGEST], memory_limit_bytes={"cpu": 1}))

    assert {("fit", "oom")} == {(t["probes"], t["status"]) for t in trials(folder)}
    assert read_run(folder).learned.largest == {}


def test_a_search_for_the_largest_batch_goes_on_where_it_was_killed(start: Start, tmp_path: Path) -> None:
    run = start(LARGEST, pilot_only=[LARGEST], memory_limit_bytes={"cpu": 100_000_000})
    folder = execute(run)
    header = read_run(folder)
    begun = replace(header.learned, largest={}, tried={LARGEST: header.learned.tried[LARGEST][:2]})
    (folder / "run.json").write_text(encoded(replace(header, learned=begun)))
    execute(resumed(run, tmp_path / "cache"))

    assert read_run(folder).learned.largest == {LARGEST: 98}
