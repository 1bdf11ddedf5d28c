"""A run that is gone on with: what its files say of models, data, libraries and machines is not followed."""

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console
from typer.testing import CliRunner

from bench.analyse.load import load
from bench.cli.app import app
from bench.core.facts import Environment
from bench.core.header import Data, Inputs, read_run
from bench.core.progress import RunProgress
from bench.core.records import RecordError
from bench.core.variants import UsageError
from bench.plan.choices import Choices
from bench.run import alone
from bench.run.prepare import reopen

BASE = "cpu-default-nchw-eager-b32"
OURS = "cpu-default-nchw-eager-b32-ours:net"
STEPS = {(BASE, "A"): [1.0, 1.1], (BASE, "A'"): [1.0, 1.2]}

MakeRun = Callable[..., Path]


def edit(folder: Path, **values: object) -> None:
    """Write other values into run.json, as a stranger might."""
    run = json.loads((folder / "run.json").read_text())
    for key, value in values.items():
        *path, last = key.split("__")
        inner = run
        for name in path:
            inner = inner[name]
        inner[last] = value
    (folder / "run.json").write_text(json.dumps(run))


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what the environment is now."""

    def said(**facts: Any) -> None:  # noqa: ANN401
        usual = {"cpu": "Made-up CPU", "cores": 2, "torch": "2.99.0", "torch_threads": 2}
        monkeypatch.setattr(reopen, "environment", lambda: msgspec.convert(usual | facts, Environment))

    return said


def go_on(folder: Path, **choices: Any) -> tuple[Any, str]:  # noqa: ANN401
    """The run, closed again, and what was said."""
    shown = StringIO()
    run = reopen.go_on(Choices(**choices), folder, RunProgress(Console(file=shown, width=300)))
    run.folder.close()
    return run, shown.getvalue()


def test_a_library_that_a_file_names_is_not_loaded(make_run: MakeRun, here: Callable[..., None]) -> None:
    folder = make_run(STEPS)
    edit(folder, environment__libraries={"tcmalloc": "/home/stranger/evil.so"})
    here(libraries={"tcmalloc": "libtcmalloc_minimal.so.4"})

    assert go_on(folder)[0].libraries == {"tcmalloc": "libtcmalloc_minimal.so.4"}


def test_a_model_that_is_code_is_imported_only_where_the_call_names_it(
    make_run: MakeRun, here: Callable[..., None]
) -> None:
    folder = make_run({(OURS, "A"): [1.0, 1.1]})
    here()
    with pytest.raises(
        UsageError, match=r"the run has the model 'ours:net', which is code: name it again, by --task, --model"
    ):
        go_on(folder)

    assert go_on(folder, model="ours:net")[0].entries[0].variant.id == OURS
    assert go_on(folder, axes=("model=ours:net",))[0].entries[0].variant.id == OURS
    with pytest.raises(UsageError, match="the run has no model other:net: take back --model"):
        go_on(folder, axes=("model=ours:net,other:net",))


def test_the_change_that_matters_stays_as_it_was_declared(make_run: MakeRun, here: Callable[..., None]) -> None:
    """A table in pyproject.toml may say another one by now."""
    here()
    declared, silent = make_run(STEPS, delta=0.05), make_run(STEPS, name="silent")

    assert go_on(declared)[0].header.plan.delta == read_run(declared).plan.delta == 0.05
    assert go_on(declared, delta="7%", configured=("--delta", "7%"))[0].header.plan.delta == 0.05
    assert go_on(silent, delta="7%", configured=("--delta", "7%"))[0].header.plan.delta is None


def test_a_call_that_goes_on_can_t_declare_another_change() -> None:
    result = CliRunner().invoke(app, ["ab", "--resume", "run", "--delta", "7%"])

    assert (result.exit_code, result.output) == (
        2, "bench: --resume can't go with --delta: a run keeps its options from its start\n"
    )  # fmt: skip


@pytest.mark.parametrize("delta", [0, -0.05, 1, 1.5, "5%"])
def test_a_file_whose_change_is_out_of_range_is_damaged(delta: object, make_run: MakeRun) -> None:
    folder = make_run(STEPS)
    edit(folder, plan__delta=delta)
    with pytest.raises(RecordError, match=r"run.json: plan.delta: found"):
        read_run(folder)


@pytest.mark.usefixtures("no_other_data")
def test_a_data_folder_that_a_file_names_is_not_read(make_run: MakeRun, here: Callable[..., None]) -> None:
    folder = make_run(STEPS)
    here()
    edit(folder, inputs__folder="/home/stranger")
    with pytest.raises(UsageError, match=r"the run was begun with 'made-up images'.*name its folder again by --data"):
        go_on(folder)  # 60,000 images then, the subset's 2,000 now

    edit(folder, data__is_subset=True, data__train_images=2000)
    run, told = go_on(folder)
    assert run.header.inputs.folder is None
    assert "data: the subset inside the package" in told


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"torch": "2.100.0"}, "torch was '2.99.0', is '2.100.0'"),
        ({"cores": 64}, "cores was 2, is 64"),
        ({"cpu_quota": 1.5}, "cpu_quota was nothing, is 1.5"),
        ({"memory_limit_bytes": 2**31}, "memory_limit_bytes was nothing, is 2147483648"),
        ({"code": "ffff"}, "code was 'aaaa', is 'ffff'"),
    ],
)
def test_another_machine_software_or_code_is_refused_unless_allowed_and_then_told(
    facts: dict[str, Any], told: str, make_run: MakeRun, here: Callable[..., None]
) -> None:
    folder = make_run(STEPS, environment={"code": "aaaa"})
    edit(folder, inputs__shape=[1, 28, 28])
    here(**{"code": "aaaa"} | facts)
    with pytest.raises(RecordError, match="mix the two by --allow-changed") as refused:
        go_on(folder)
    assert told in str(refused.value)

    run, said = go_on(folder, allow_changed=True)
    assert [told] == run.state.changed
    edit(folder, state__changed=[told])
    assert [f"continued elsewhere: {told}"] == load(folder).warnings
    assert f"warning: the run was begun elsewhere ({told})" in said


def test_a_run_of_before_the_digest_is_told_by_its_commit(make_run: MakeRun, here: Callable[..., None]) -> None:
    folder = make_run(STEPS, environment={"commit": "0123"})
    edit(folder, inputs__shape=[1, 28, 28])
    here(code="aaaa", commit="4567")

    with pytest.raises(RecordError, match="commit was '0123', is '4567'"):
        go_on(folder)


def test_a_run_is_named_as_its_folder_is(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_run(STEPS)
    edit(folder, run_id="../../outside")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outside").mkdir()
    result = CliRunner().invoke(app, ["report", str(folder), "--out", str(tmp_path / "deep" / "reports")])

    assert result.exit_code == 0, result.output
    assert read_run(folder).run_id == "made-up"
    assert "\nRun made-up: " in (tmp_path / "deep" / "reports" / "made-up" / "report.md").read_text()
    assert not list((tmp_path / "outside").iterdir())


@pytest.mark.parametrize("name", ["samples.csv", "traces"])
def test_what_a_link_leads_to_is_not_written(
    name: str, make_run: MakeRun, here: Callable[..., None], tmp_path: Path
) -> None:
    folder = make_run(STEPS)
    edit(folder, inputs__shape=[1, 28, 28])
    here()
    target = tmp_path / "elsewhere"
    if (folder / name).exists():
        (folder / name).rename(target)
    else:
        target.mkdir()
    (folder / name).symlink_to(target)

    with pytest.raises(RecordError, match=f"'{name}' is a link, and bench does not write through links"):
        go_on(folder)


def test_an_axis_that_a_run_has_decided_is_refused_by_name(make_run: MakeRun) -> None:
    with pytest.raises(UsageError, match="take back --axis precision=bf16"):
        go_on(make_run(STEPS), axes=("precision=bf16",))


def test_an_id_that_is_another_variants_is_damage(make_run: MakeRun, here: Callable[..., None]) -> None:
    folder = make_run(STEPS)
    here()
    path = folder / "variants.csv"
    path.write_text(path.read_text().replace(f"\n{BASE},", "\n../../outside,"))

    with pytest.raises(RecordError, match=r"variants.csv: line 2: variant_id: found '../../outside', expected cpu-def"):
        go_on(folder)


def test_traces_need_the_models_of_their_own_variants_alone(make_run: MakeRun, here: Callable[..., None]) -> None:
    theirs = "cpu-default-nchw-eager-b32-theirs:net"
    folder = make_run({(OURS, "A"): [1.0, 1.1], (theirs, "A"): [1.0, 1.1]})
    here()
    shown = RunProgress(Console(file=StringIO()))
    reopen.add_to(Choices(model="ours:net", kind="profile"), folder, shown, [OURS]).folder.close()
    with pytest.raises(UsageError, match="the run has the model 'theirs:net', which is code"):
        reopen.add_to(Choices(model="ours:net", kind="profile"), folder, shown, [OURS, theirs])


@pytest.mark.parametrize("name", ["micro", "micro/here"])
def test_layers_alone_write_through_no_link(
    name: str, make_run: MakeRun, here: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(STEPS)
    here()
    monkeypatch.setattr(alone, "check_same", lambda *_: Environment())
    monkeypatch.setattr(alone, "call", lambda *_: pytest.fail("the suite was called"))
    (tmp_path / "elsewhere").mkdir()
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    edit(folder, inputs__shape=[1, 8, 8])

    with pytest.raises(RecordError, match="is a link, and bench does not write through links"):
        alone.measure(Choices(), folder, None, ())


def test_layers_alone_are_fed_by_what_the_call_finds(
    make_run: MakeRun, here: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_run(STEPS)
    here()
    edit(folder, inputs__folder="/home/stranger")
    called: list[list[str]] = []
    found = Inputs(folder=None, shape=None, classes=10), Data(name="x", is_subset=False, train_images=60_000)
    monkeypatch.setattr(alone, "check_same", lambda *_: Environment())
    monkeypatch.setattr(reopen, "find_inputs", lambda _: found)

    def call(command: list[str], _variables: object) -> int:
        called.append(command)
        return 0

    monkeypatch.setattr(alone, "call", call)
    alone.measure(Choices(), folder, None, ())

    assert '--inputs={"folder":null,"shape":null,"classes":10,"task":false}' in called[0]
