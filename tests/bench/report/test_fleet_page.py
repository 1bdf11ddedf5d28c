"""The page of `bench fleet`, its figure, and how the verb ends."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from typer.testing import CliRunner

from bench.analyse.fleet.gather import gather
from bench.analyse.fleet.groups import Group
from bench.analyse.fleet.verdicts import fleet
from bench.cli.app import app
from bench.report.fleet import page as fleet_page
from bench.report.fleet import words
from bench.report.page import FleetPage
from benchmarks.made_fleet import Kind, write
from benchmarks.made_histories import normal

pytestmark = pytest.mark.rendered

KINDS = (
    Kind(name="big", gpu="Some GPU", machines=10, drivers=(("570", 1.0), ("580", 1.0)), planted={4: 1.3}),
    Kind(name="few", machines=3),
)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored") / "fleet"
    write(folder, KINDS, runs=1, noise=normal(0.01))
    broken = folder / "few-000" / "broken"
    shutil.copytree(folder / "few-000" / "run-0", broken)
    (broken / "run.json").write_text("{")
    return folder


@pytest.fixture(scope="module")
def page(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> FleetPage:
    return fleet_page.write(fleet(gather([runs])), [runs], tmp_path_factory.mktemp("out"))


def test_the_page_says_first_which_machine_stands_out_and_by_how_much(page: FleetPage) -> None:
    text = page.path.read_text()
    first = text.split("## ")[0]

    assert text.startswith(
        "# Fleet of 13 machines: 1 outlier (1 of 2 kinds could be judged)\n\n- `big-004`: **SLOWER**, 0.7"
    )
    assert "times as fast as the median of Some GPU, with driver `570`" in first
    assert "(5 of its 5 variants are marked)" in first
    assert "Too few machines for a verdict: AMD EPYC, 2 cores (3). It takes 6 of one kind" in first
    assert "that measured the same variant: add 3 more machines of this kind." in first
    assert "counts as a machine" not in first
    assert "13 runs of 13 machines from 2026-03-01 to 2026-03-01, in 2 kinds of machine" in text
    assert "5.0 % of such kinds have any marked machine, at most" in text
    assert "## Left out: 1 run\n\n- `few-000/broken`: " in text


def test_a_damaged_run_does_not_count(page: FleetPage) -> None:
    machines = pd.read_csv(page.folder / "tables" / "machines.csv")

    assert len(machines) == 13 * 5
    assert set(machines.machine[machines.verdict.notna()]) == {"big-004"}
    assert set(machines.why) == {"marked", "alike", "too few machines"}


def test_the_speed_in_the_table_is_that_of_the_run(page: FleetPage) -> None:
    machines = pd.read_csv(page.folder / "tables" / "machines.csv")
    of_variant = machines[(machines.model == "Some GPU") & (machines.variant_id == machines.variant_id[0])]

    np.testing.assert_allclose(of_variant.ratio, of_variant.items_per_s / np.median(of_variant.items_per_s), rtol=0.001)
    assert (of_variant.ratio_lo < of_variant.ratio).all()
    assert (of_variant.ratio < of_variant.ratio_hi).all()


def test_machines_are_counted_by_model_and_driver(page: FleetPage) -> None:
    models = pd.read_csv(page.folder / "tables" / "models.csv").fillna({"driver": 0, "outliers": -1})

    assert list(zip(models.model, models.driver.astype(int), models.machines, models.outliers, strict=True)) == [
        ("Some GPU", 570, 5, 1), ("Some GPU", 580, 5, 0), ("AMD EPYC", 0, 3, -1),
    ]  # fmt: skip


def test_the_figure_has_a_dot_a_machine_and_names_the_outlier(page: FleetPage) -> None:
    [figure] = page.document.figures
    panels = figure.draw().axes
    dots = [
        [len(np.asarray(c.get_offsets())) for c in axes.collections if isinstance(c, PathCollection)] for axes in panels
    ]

    assert [sum(of_panel) for of_panel in dots] == [10, 3]
    [name] = [text.get_text() for text in panels[0].texts]
    assert name.startswith("big-004 -2")
    assert "<title>big-004: 0.7" in figure.svg


def test_many_outliers_are_listed_in_part_and_each_is_in_the_table(tmp_path: Path) -> None:
    kind = Kind(name="m", machines=70, planted=dict.fromkeys(range(0, 69, 3), 2.0))
    write(tmp_path / "fleet", [kind], runs=1)
    page = fleet_page.write(fleet(gather([tmp_path / "fleet"])), [tmp_path / "fleet"], tmp_path)
    text = page.path.read_text()

    assert text.startswith("# Fleet of 70 machines: 23 outliers")
    assert "and 3 more, in the table below" in text
    assert sum(line.startswith("| m-") and "SLOWER" in line for line in text.splitlines()) == 23


def test_a_name_that_would_be_markup_is_text(runs: Path, tmp_path: Path) -> None:
    named = tmp_path / "fleet" / "<b>x|`y`_z_"
    for number, machine in enumerate(sorted(runs.glob("big-*"))):
        shutil.copytree(machine, named if number == 4 else tmp_path / "fleet" / machine.name)
    page = fleet_page.write(fleet(gather([tmp_path / "fleet"])), [tmp_path / "fleet"], tmp_path)

    assert page.path.read_text().splitlines()[2].startswith("- ``<b>x|`y`_z_``: **SLOWER**")
    assert "<b>x" not in (page.folder / "report.html").read_text()


def call(*arguments: object) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["fleet", *map(str, arguments)])
    return ended.exit_code, ended.output


def test_the_verb_prints_the_outliers_and_ends_as_asked(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = call(runs)

    assert (code, "big-004: SLOWER" in output, "report: reports/fleet-fleet/report.md" in output) == (0, True, True)
    assert call(runs, "--fail-on-outlier")[0] == 1
    assert call(runs, "--fail-on-outlier", "--delta", "0.6")[0] == 0
    assert call(runs, "--heavy-tails", "--error", "0.01")[0] == 0
    assert "fleet --heavy-tails" not in Path("reports/fleet-fleet/report.md").read_text()
    assert "--error 0.01 --heavy-tails" in Path("reports/fleet-fleet/report.md").read_text()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz", "Intel Xeon Platinum 8370C, 2 cores"),
        ("AMD EPYC 7763 64-Core Processor", "AMD EPYC 7763 64-Core, 2 cores"),
        ("Processor", "Processor, 2 cores"),
        ("", "an unknown processor, 2 cores"),
    ],
)
def test_the_name_of_a_processor_is_short(model: str, name: str) -> None:
    group = Group(
        setting=(("cores", "2"),), variant_id="v", name="v", device="cpu", unit="images", model=model, members=()
    )

    assert words.model_words(group) == name


def copies(fleet: Path, kind: Kind, count: int) -> Path:
    """Machines of a kind: `count` that hold copies of one run, and the odd one, which is far from them."""
    write(fleet, [kind], runs=1, noise=normal(0.01))
    one = fleet / kind.machine(0)
    for number in range(1, count):
        shutil.copytree(one, fleet / kind.machine(100 + number))
    return fleet


def test_copies_of_one_run_have_no_verdict_and_that_is_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    copies(tmp_path / "fleet", Kind(name="m", machines=2, planted={1: 1 / 2.769}), 6)
    code, output = call("fleet", "--fail-on-outlier")
    told = " ".join(output.split())

    assert code == 0
    assert "Fleet of 7 machines: no verdict" in told
    assert "judged: most runs of a kind have the same times to the last digit: they are copies." in told
    assert "no outlier" not in told
    assert "stands out" not in told


def test_a_kind_of_copies_is_named_beside_the_answer_of_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "fleet", [Kind(name="gpu", gpu="Some GPU", machines=8)], runs=1, noise=normal(0.01))
    copies(tmp_path / "fleet", Kind(name="m", machines=2), 6)
    code, output = call("fleet", "--fail-on-outlier")
    told = " ".join(output.split())

    assert code == 0
    assert "Fleet of 15 machines: no outlier (1 of 2 kinds could be judged)" in told
    assert "No machine stands out (1 of 2 kinds could be judged)." in told
    assert "No verdict on AMD EPYC, 2 cores, where most machines have the same times to the last digit" in told


def test_too_few_machines_of_several_kinds_are_told_how_many_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "fleet", [Kind(name="a", gpu="Some GPU", machines=4), Kind(name="b", machines=1)], runs=1)
    code, output = call("fleet", "--fail-on-outlier")
    told = " ".join(output.split())

    assert code == 0
    assert "Fleet of 5 machines: no verdict" in told
    assert "No machine could be judged: fewer than 6 of any kind measured the same variant." in told
    assert "Some GPU (4, add 2 more), AMD EPYC, 2 cores (1, add 5 more). It takes 6 of one kind" in told


def test_runs_without_a_machine_s_name_are_said_to_count_each(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for machine in runs.glob("big-*"):
        shutil.copytree(machine / "run-0", tmp_path / "flat" / machine.name)
    code, output = call("flat")

    assert code == 0
    assert "Fleet of 10 machines: 1 outlier" in output
    assert "Each run counts as a machine of its own" in " ".join(output.split())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("nothing",), 4, "nothing: no run, and no folder of runs"),
        (("a/a", "a/a"), 2, "fleet needs each run named once"),
        ((), 2, "RUN..."),
        (("a", "--error", "2"), 2, "--error"),
    ],
)
def test_a_wrong_call_ends_with_a_line(
    words: tuple[str, ...], code: int, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ended, output = call(*words)

    assert (ended, told in output) == (code, True), output
