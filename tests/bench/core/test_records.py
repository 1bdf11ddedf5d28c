"""The files of a run: written whole, read strictly, kept when things go wrong."""

import csv
import errno
import itertools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bench.core.header import Header, read_run
from bench.core.reading import read_rows, read_variants
from bench.core.records import LAYERS, SAMPLES, TRIALS, VARIANTS, RecordError
from bench.core.variants import Variant, runnable_variants
from bench.plan.matrix import Entry
from bench.run import folder as folder_module
from bench.run.folder import RunFolder, variant_rows


@pytest.fixture
def run(make_header: Callable[..., Header]) -> Header:
    """A run.json."""
    return make_header()


def trial(number: int, status: str = "ok") -> dict[str, object]:
    return {
        "trial_id": f"t{number:05d}", "round": 1, "order": number, "arm": "V", "stage": "measure",
        "variant_id": "cpu-default-nchw-eager-b32", "probes": "steps", "status": status,
    }  # fmt: skip


def sample(number: int, value: float = 1.5) -> dict[str, object]:
    return {
        "trial_id": f"t{number:05d}", "probe": "steps", "scope": "step", "metric": "wall", "unit": "s",
        "iterations": 1, "index": 0, "value": value,
    }  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, run: Header) -> Path:
    with RunFolder.create(tmp_path / "r", run, []) as made:
        made.append_trial(trial(1), [sample(1), sample(1, 1.25)])
    return tmp_path / "r"


def test_what_was_written_is_read_back(folder: Path, run: Header) -> None:
    samples, warnings = read_rows(folder, SAMPLES)

    assert read_run(folder) == replace(run, run_id="r")  # its folder's
    assert [1.5, 1.25] == [row["value"] for row in samples]
    assert read_rows(folder, TRIALS)[0][0]["reason"] == ""
    assert warnings == []


def test_files_are_plain_csv_with_their_header_first(folder: Path) -> None:
    text = (folder / "samples.csv").read_bytes().decode()

    assert text.splitlines()[0] == "trial_id,probe,scope,layer,phase,rank,metric,unit,iterations,index,value"
    assert text.splitlines()[1] == "t00001,steps,step,,,,wall,s,1,0,1.5"
    assert "\r" not in text


def test_text_with_commas_quotes_and_lines_survives(folder: Path) -> None:
    reason = 'it said "no",\nand stopped'
    with RunFolder.reopen(folder)[0] as opened:
        opened.append_trial(trial(2, "error") | {"reason": reason}, [])

    assert read_rows(folder, TRIALS)[0][1]["reason"] == reason


def test_a_second_run_into_the_same_folder_is_refused(folder: Path, run: Header) -> None:
    with pytest.raises(RecordError, match="there already; go on with --resume r"):
        RunFolder.create(folder, run, [])


def test_a_folder_in_use_is_refused_until_it_is_free(folder: Path) -> None:
    with RunFolder.reopen(folder)[0], pytest.raises(RecordError, match="in use by another run"):
        RunFolder.reopen(folder)

    RunFolder.reopen(folder)[0].close()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (sample(2) | {"speed": 3}, "samples.csv has no column speed"),
        ({k: v for k, v in sample(2).items() if k != "value"}, "samples.csv: value: found nothing, expected a value"),
    ],
)
def test_a_wrong_row_is_refused_before_anything_is_written(row: dict[str, object], told: str, folder: Path) -> None:
    before = (folder / "samples.csv").read_bytes(), (folder / "trials.csv").read_bytes()
    with RunFolder.reopen(folder)[0] as opened, pytest.raises(ValueError, match=told):
        opened.append_trial(trial(2), [sample(2), row])

    assert before == ((folder / "samples.csv").read_bytes(), (folder / "trials.csv").read_bytes())


def test_a_torn_last_line_is_left_out_with_a_warning_and_cut_off_on_resume(folder: Path) -> None:
    whole = (folder / "samples.csv").read_bytes()
    with (folder / "samples.csv").open("ab") as file:
        file.write(b"t00002,steps,st")

    rows, warnings = read_rows(folder, SAMPLES)
    assert 2 == len(rows)
    assert warnings == ["samples.csv: its last line was torn and is left out"]
    opened, warnings = RunFolder.reopen(folder)
    opened.close()
    assert len(warnings) == 1
    assert whole == (folder / "samples.csv").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("t00001,steps,step", "t00001,step", "line 2: found 10 fields, expected 11"),
        (",1.5\n", ",fast\n", "line 2: value: found 'fast', expected a number"),
        (",1.5\n", ",\n", "line 2: value: found nothing, expected a value"),
        ("trial_id,probe", "trial,probe", "line 1: found .*, expected trial_id,probe"),
    ],
)
def test_any_other_damage_names_file_and_line(old: str, new: str, told: str, folder: Path) -> None:
    path = folder / "samples.csv"
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(RecordError, match=f"samples.csv: {told}"):
        read_rows(folder, SAMPLES)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "no run"), ("{", "damaged"), ('{"schema_version": 99}', "schema version 99"), ("[]", "version nothing")],
)  # fmt: skip
def test_a_missing_damaged_or_foreign_run_is_an_error(content: str | None, told: str, folder: Path) -> None:
    (folder / "run.json").unlink()
    if content is not None:
        (folder / "run.json").write_text(content)

    with pytest.raises(RecordError, match=told):
        read_run(folder)


FACT = "t00001,cpu-default-nchw-eager-b32,0,0,Conv2d,32x10,110,nchw,float32,nchw,aten::mm"
EARLIER = "trial_id,variant_id,layer,block,type,output_shape,parameters,memory_format,dtype,gradient_format,kernel"


def test_a_run_of_schema_3_is_read_and_not_added_to(folder: Path) -> None:
    (folder / "layers.csv").write_text(f"{EARLIER}\n{FACT}\n")
    raw = json.loads((folder / "run.json").read_text())
    learned, state = raw.pop("learned"), raw.pop("state")
    whole = raw | state | {"schema_version": 3, "plan": raw["plan"] | learned}
    (folder / "run.json").write_text(json.dumps(whole))
    [row], warnings = read_rows(folder, LAYERS)

    assert read_run(folder).schema_version == 3
    assert ("Conv2d", "aten::mm") == (row["type"], row["kernel"])
    assert {"calls", "paths"}.isdisjoint(row)
    assert warnings == []
    for _ in range(2):  # the first refusal lets the folder go
        with pytest.raises(RecordError, match=r"layers.csv is of an earlier schema.*begin a new run"):
            RunFolder.reopen(folder)


def test_variants_from_before_there_was_an_axis_are_read_and_not_added_to(
    tmp_path: Path, make_header: Callable[..., Header]
) -> None:
    entry = Entry(variant=Variant(device="cuda", batch_size=128))
    rows = variant_rows([entry], {entry.variant.id: ""})
    RunFolder.create(tmp_path / "r", make_header(entry), rows).close()
    path = tmp_path / "r" / "variants.csv"
    path.write_text(path.read_text().replace("cudnn_benchmark,", "").replace("default,off,", "default,"))

    assert "cudnn" not in path.read_text()
    assert [entry.variant] == runnable_variants(read_variants(tmp_path / "r"))
    with pytest.raises(RecordError, match=r"variants.csv is of an earlier schema.*begin a new run"):
        RunFolder.reopen(tmp_path / "r")


def without(text: str, columns: set[str]) -> str:
    """A CSV file's text without some of its columns."""
    rows = list(csv.reader(text.splitlines()))
    kept = [index for index, name in enumerate(rows[0]) if name not in columns]
    return "".join(",".join(row[index] for index in kept) + "\n" for row in rows)


def test_any_axes_that_an_id_may_leave_out_may_be_missing_from_a_stored_run(tmp_path: Path) -> None:
    variant = Variant(device="cuda", batch_size=128, allocator="kept")
    text = VARIANTS.header() + VARIANTS.text(variant_rows([Entry(variant=variant)], {variant.id: ""}))
    missing = ("loader", "sync", "optimizer", "cudnn_benchmark", "threads", "model")
    for count in range(len(missing) + 1):
        for some in itertools.combinations(missing, count):
            (tmp_path / VARIANTS.name).write_text(without(text, set(some)))
            assert runnable_variants(read_variants(tmp_path)) == [variant], some


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("allocator", "variant_id: found 'cpu-default-nchw-eager-b32-kept', expected cpu-default-nchw-eager-b32"),
        ("precision", "found 'variant_id,device,memory_format,.*, expected variant_id,device,precision,"),
    ],
)
def test_a_missing_axis_that_an_id_names_is_damage(column: str, told: str, tmp_path: Path) -> None:
    variant = Variant(allocator="kept")
    text = VARIANTS.header() + VARIANTS.text(variant_rows([Entry(variant=variant)], {variant.id: ""}))
    (tmp_path / VARIANTS.name).write_text(without(text, {column}))

    with pytest.raises(RecordError, match=told):
        read_variants(tmp_path)


@pytest.mark.parametrize(
    ("header", "fields", "told"),
    [
        (EARLIER, f"{FACT},1,", "line 2: found 13 fields, expected 11"),
        (f"{EARLIER},calls,paths", FACT, "line 2: found 11 fields, expected 13"),
        (f"{EARLIER},calls,paths", f"{FACT},,", "line 2: calls: found nothing, expected a value"),
        (f"{EARLIER},calls,more", f"{FACT},1,", "line 1: found .*, expected trial_id"),
    ],
)
def test_a_row_fits_the_header_of_its_file(header: str, fields: str, told: str, folder: Path) -> None:
    (folder / "layers.csv").write_text(f"{header}\n{fields}\n")

    with pytest.raises(RecordError, match=f"layers.csv: {told}"):
        read_rows(folder, LAYERS)


def test_a_full_disk_ends_with_a_clear_error_and_files_as_they_were(
    folder: Path, run: Header, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p.name: p.read_bytes() for p in folder.iterdir()}

    def full(_file: Any) -> None:  # noqa: ANN401
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with RunFolder.reopen(folder)[0] as opened:
        monkeypatch.setattr(folder_module, "_sync", full)
        with pytest.raises(RecordError, match="No space left on device; what was measured before is kept"):
            opened.append_trial(trial(2), [sample(2)])
        with pytest.raises(RecordError, match="No space left on device"):
            opened.write_run(run)

    assert before == {p.name: p.read_bytes() for p in folder.iterdir()}
