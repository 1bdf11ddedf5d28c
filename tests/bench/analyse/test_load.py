"""The files of a run as they are counted."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.analyse import tables
from bench.analyse.load import load, variant_axes
from bench.core.exchange.cause import Cause
from bench.core.reading import read_rows
from bench.core.records import TRIALS, RecordError
from bench.report.trust import checks
from bench.run.folder import RunFolder

BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
NHWC = "cpu-default-nhwc-eager-b32"
MakeRun = Callable[..., Path]

STEPS = {(BASE, "A"): [9.0, 1.0, 1.2], (BASE, "A'"): [9.0, 1.1, 1.4], (KEPT, "V"): [5.0, 0.5, 0.7]}


def test_a_trials_value_is_the_median_of_its_samples(make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): [9.0]})
    with (folder / "samples.csv").open("a") as file:
        for index, value in enumerate((8.0, 1.0)):
            file.write(f"t00001,steps,step,,,,wall,s,1,{index + 1},{value}\n")

    assert load(folder).spread(BASE, "wall").estimate == 8.0  # of 9, 8 and 1, whose mean is 6


def test_what_is_of_one_rank_is_not_the_trial_s(make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): [9.0]})
    with (folder / "samples.csv").open("a") as file:
        file.writelines(f"t00001,steps,step,,,{rank},wall,s,1,0,1.0\n" for rank in (0, 1))
    data = load(folder)

    assert data.spread(BASE, "wall").estimate == 9.0
    assert "rank" not in data.values


def test_a_stored_run_from_before_there_was_an_axis_has_it_at_its_default() -> None:
    data = load(Path(__file__).parents[3] / "results" / "h100-2026-11-27")
    axes = [variant_axes(data, variant_id) for variant_id in data.variants]

    assert [("cuda", "off")] * 3 == [(a["device"], a["cudnn_benchmark"]) for a in axes if a["device"] == "cuda"]


def test_where_steps_differ_every_variant_of_the_model_has_means(make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): [9.0], (KEPT, "V"): [9.0]}, once={BASE: {"step_paths": 3}})
    with (folder / "samples.csv").open("a") as file:
        for trial in ("t00002", "t00003"):
            file.writelines(
                f"{trial},steps,step,,,,wall,s,1,{index},{value}\n" for index, value in ((1, 8.0), (2, 1.0))
            )
    data = load(folder)

    assert data.paths == {BASE: 3}
    assert data.spread(BASE, "wall").estimate == data.spread(KEPT, "wall").estimate == 6.0  # of 9, 8 and 1


def test_many_samples_of_a_trial_are_one_value_of_its_round(make_run: MakeRun) -> None:
    folder = make_run(STEPS)
    trial = next(t["trial_id"] for t in read_rows(folder, TRIALS)[0] if (t["round"], t["arm"]) == (1, "A"))
    with (folder / "samples.csv").open("a") as file:
        for index, value in enumerate((1.5, 7.0)):
            file.write(f"{trial},steps,step,,,,wall,s,1,{index + 1},{value}\n")
    steps = load(folder).steps[BASE]

    assert steps.to_numpy().tolist() == [[1.5, 1.1], [1.2, 1.4]]  # of 1, 1.5 and 7 in the first round


def test_rounds_give_the_values_and_the_pilot_does_not_count(make_run: MakeRun) -> None:
    data = load(make_run(STEPS))

    assert data.rounds == [1, 2]
    assert data.spread(KEPT, "wall").estimate == pytest.approx(0.6)
    assert data.spread(BASE, "wall").estimate == pytest.approx((1.05 + 1.3) / 2)  # A and A' as one
    assert len(data.measured[data.measured.metric == "stamped_wall"]) == 6


def test_a_round_that_lacks_an_arm_counts_in_nothing(make_run: MakeRun) -> None:
    folder = make_run(STEPS)
    lines = (folder / "trials.csv").read_text().splitlines(keepends=True)
    (folder / "trials.csv").write_text("".join(lines[:-1]))  # the last arm's second round
    data = load(folder)

    assert data.rounds == [1]
    assert data.spread(KEPT, "wall").estimate == 0.5


def test_a_trial_that_stands_twice_is_damage(make_run: MakeRun) -> None:
    folder = make_run(STEPS)
    lines = (folder / "trials.csv").read_text().splitlines(keepends=True)
    (folder / "trials.csv").write_text("".join([*lines, lines[-1]]))
    with pytest.raises(RecordError, match="t00009 is there twice"):
        load(folder)


def test_the_pilot_stands_in_without_bounds(make_run: MakeRun) -> None:
    spread = load(make_run({(BASE, "A"): [9.0]})).spread(BASE, "wall")

    assert spread.estimate == 9.0
    assert not spread.known


def test_samples_without_a_trials_row_or_of_failed_trials_are_left_out(make_run: MakeRun) -> None:
    folder = make_run(STEPS, failed={"cpu-bf16-nchw-eager-b32": ("oom", "no memory")})
    with (folder / "samples.csv").open("a") as file:
        file.write("t09999,steps,step,,,,wall,s,1,0,99.0\nt00001,steps,step,,,,wall,s,1,0,99.0\n")
    data = load(folder)

    assert data.trials.iloc[0].status == "oom"
    assert 99.0 not in set(data.values["value"])


def test_closure_is_the_parts_over_the_plain_step(make_run: MakeRun) -> None:
    layers = [("0", "Conv2d", 0.2, 0.5), ("1", "ReLU", 0.1, 0.17)]
    data = load(make_run(STEPS, layers=layers))

    # Layers 0.97 of the step; data 0.01 and optimizer 0.03 beside them.
    assert data.spread(BASE, "closure").estimate == pytest.approx(1.01)


def test_a_torn_last_line_is_a_warning(make_run: MakeRun) -> None:
    folder = make_run(STEPS)
    with (folder / "samples.csv").open("a") as file:
        file.write("t00001,steps,st")

    assert load(folder).warnings == ["samples.csv: its last line was torn and is left out"]


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("samples.csv", ",wall,s,1,0,9.0", ",wall,s,1,9.0", "line 2: found 10 fields"),
        ("samples.csv", ",wall,s,1,0,9.0", ",wall,s,1,0,9.0,1", "line 2: found 12 fields"),
        ("samples.csv", ",wall,s,1,0,9.0", ",wall,s,1,0,nine", "line 2: value: found 'nine', expected a number"),
        ("samples.csv", ",wall,s,1,0,9.0", ",wall,s,1,0,", "line 2: value: found nothing, expected a value"),
        ("trials.csv", "trial_id,", "id,", "line 1: found "),
        ("variants.csv", BASE, "", "line 2: variant_id: found nothing, expected a value"),
    ],
)
def test_damage_names_file_and_line(name: str, old: str, new: str, told: str, make_run: MakeRun) -> None:
    folder = make_run(STEPS)
    path = folder / name
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(RecordError, match=f"{name}: {told}"):
        load(folder)


def test_a_missing_file_is_an_error_that_names_it(make_run: MakeRun) -> None:
    folder = make_run(STEPS)
    (folder / "trials.csv").unlink()

    with pytest.raises(RecordError, match=r"trials\.csv: No such file"):
        load(folder)


def test_a_variant_that_is_excluded_and_was_measured_is_damage(make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): [1.0, 1.1]})
    path = folder / "variants.csv"
    path.write_text(path.read_text().replace(",True,\n", ",True,no reason\n"))

    with pytest.raises(RecordError, match="is excluded, and was measured"):
        load(folder)


@pytest.mark.parametrize("number", [str(2**80), "inf", "-inf", "1e400", str(2**64)])
def test_a_number_that_no_whole_one_can_be_is_told_with_its_line(number: str, make_run: MakeRun) -> None:
    folder = make_run({(BASE, "A"): [1.0, 1.1]})
    path = folder / "samples.csv"
    lines = path.read_text().splitlines()
    fields = lines[4].split(",")
    fields[lines[0].split(",").index("index")] = number
    path.write_text("\n".join([*lines[:4], ",".join(fields), *lines[5:]]) + "\n")

    with pytest.raises(RecordError, match=f"samples.csv: line 5: index: found '{re.escape(number)}'"):
        load(folder)


def test_trials_of_schema_4_have_their_causes_from_their_reasons(make_run: MakeRun) -> None:
    wrong = "the scores differ from float64 by 1e-1 of their size; rounding explains 1e-3"
    folder = make_run({(BASE, "A"): [1.0, 1.0]}, failed={KEPT: ("invalid", wrong), NHWC: ("error", "who knows")})
    path = folder / "trials.csv"
    path.write_text(without(path.read_text(), "cause"))
    data = load(folder)
    found = dict(zip(data.trials.variant_id, data.trials.cause, strict=True))

    assert "cause" not in path.read_text()
    assert found == {KEPT: Cause.NUMERICS_WRONG, NHWC: "", BASE: ""}
    assert checks.gate_words(tables.numerics(data).set_index("variant_id").loc[KEPT].to_dict()) == "failed"
    with pytest.raises(RecordError, match=r"trials.csv is of an earlier schema.*begin a new run"):
        RunFolder.reopen(folder)


def without(text: str, column: str) -> str:
    """A CSV's text without a column."""
    rows = list(csv.DictReader(io.StringIO(text)))
    names = [name for name in rows[0] if name != column]
    out = io.StringIO()
    writer = csv.DictWriter(out, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
