"""What is said of an axis in its file is what ids, files, trials, labels and recipes have."""

import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from bench.analyse.labels import name_of
from bench.core.axes.allocator import ALLOCATOR, Allocator
from bench.core.axes.axis import Value, literal
from bench.core.axes.compile_mode import COMPILE_MODE
from bench.core.axes.loader import LOADER
from bench.core.axes.place import Machine
from bench.core.axes.precision import PRECISION
from bench.core.reading import read_variants
from bench.core.records import VARIANTS
from bench.core.variants import AXES, Variant, as_row, from_row, parse_id
from bench.measure.system import environment
from bench.measure.system.flags import set_flags, wrong_flag
from bench.measure.workload import SETTINGS
from bench.plan.matrix import Entry, excluded_reason, preset
from bench.process import child
from bench.report.answer.advice import lines_of
from bench.run.folder import variant_rows
from nin import choices
from nin.loaders import LOADERS

ROOT = Path(__file__).parents[3]
FLAG = "backends.cudnn.deterministic"


@pytest.fixture
def mesh(monkeypatch: pytest.MonkeyPatch) -> Variant:
    """A variant of an allocator that nobody but this fixture knows."""
    value = Allocator(
        "mesh", words="Mesh", variables={"MESH_ARENAS": "1"}, flags={FLAG: True}, preload=("mesh",),
        shared_object="libmesh", package="libmesh1",
    )  # fmt: skip
    monkeypatch.setitem(ALLOCATOR.values, "mesh", value)
    return Variant(memory_format="nhwc", allocator="mesh")


def test_a_new_value_is_in_ids_files_labels_recipes_and_the_full_preset(mesh: Variant, tmp_path: Path) -> None:
    (tmp_path / VARIANTS.name).write_text(
        VARIANTS.header() + VARIANTS.text(variant_rows([Entry(variant=mesh)], {mesh.id: ""}))
    )

    assert mesh.id == "cpu-default-nhwc-eager-b32-mesh"
    assert parse_id(mesh.id) == mesh
    assert [from_row(row) for row in read_variants(tmp_path)] == [mesh]
    assert name_of(as_row(mesh), []) == "nhwc + Mesh"
    python, shell = lines_of(as_row(mesh))
    assert python[-1] == f"torch.{FLAG} = True"
    assert shell == ["MESH_ARENAS=1"]
    assert Variant(allocator="mesh") in [entry.variant for entry in preset("full", "cpu")]


def test_a_new_value_is_set_in_its_process_alone(mesh: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_ARENAS", "9")
    monkeypatch.setenv("LD_PRELOAD", "libown.so")
    variables, other = (child.environment_of(v, {"mesh": "libmesh.so.1"}, Path()) for v in (mesh, Variant()))

    assert (variables["MESH_ARENAS"], variables["LD_PRELOAD"]) == ("1", "libmesh.so.1 libown.so")
    assert ("MESH_ARENAS" in other, other["LD_PRELOAD"]) == (False, "libown.so")


def test_a_new_value_needs_what_it_says(mesh: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.util.find_library", {"mesh": "libmesh.so.1"}.get)

    assert environment.libraries() == {"mesh": "libmesh.so.1"}
    assert excluded_reason(mesh, Machine()) == "mesh is not installed (Debian: libmesh1)"
    assert excluded_reason(mesh, Machine(libraries=environment.libraries())) == ""


def test_a_flag_of_torch_is_set_and_read_again(mesh: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    before = wrong_flag(mesh)
    set_flags(mesh)

    assert before == f"allocator mesh asks for True in torch.{FLAG}, which is False"
    assert torch.backends.cudnn.deterministic
    assert wrong_flag(mesh) == ""


def test_a_flag_that_nin_sets_is_left_to_it() -> None:
    set_flags(Variant(device="cuda", cudnn_benchmark="on"))

    assert not torch.backends.cudnn.benchmark


def test_a_value_of_a_flag_reads_as_python() -> None:
    assert [literal(value) for value in (True, 4, "ieee")] == ["True", "4", '"ieee"']


def test_an_id_leads_back_whatever_two_axes_have() -> None:
    """So no value's mark may read as another axis's."""
    texts = {
        name: list(axis.values) or [axis.default, *{"device": ["cuda:1"], "batch_size": ["8", "max"],
                                                    "threads": ["2"], "world_size": ["2"], "model": ["a.b:c"]}[name]]
        for name, axis in AXES.items()
    }  # fmt: skip
    changes = [(name, text) for name, mine in texts.items() for text in mine]
    for first, second in itertools.combinations(changes, 2):
        variant = from_row(dict([first, second]))
        assert parse_id(variant.id) == variant


def test_every_default_is_a_value_that_sets_nothing_in_the_process() -> None:
    for axis in AXES.values():
        value: Value = axis.value(axis.default)
        assert (value.name, dict(value.variables), value.preload) == (axis.default, {}, ())


def test_nin_has_the_values_that_its_trainer_is_asked_for() -> None:
    assert {name: list(AXES[name].values) for name in SETTINGS} == {
        name: list(values) for name, values in choices.CHOICES.items()
    }
    assert set(LOADER.values) == set(LOADERS)
    for name, precision in PRECISION.values.items():
        asked = choices.PRECISIONS[name]
        assert (precision.autocast, precision.scaled) == (asked.autocast, asked.scaled)
        assert set(precision.flags.values()) == ({asked.flag} if asked.flag else set())
    for name, mode in COMPILE_MODE.values.items():
        assert (mode.compiles, mode.graphs) == (
            choices.COMPILE_MODES[name].compiles,
            choices.COMPILE_MODES[name].graphs,
        )


ARENAS = '''
"""How many arenas glibc's allocator has."""

from bench.core.axes.axis import Axis, Value, by_name

ARENAS = Axis(
    default="many",
    values=by_name(Value("many"), Value("one", words="one arena", variables={"MALLOC_ARENA_MAX": "1"})),
    mark="arenas{}",
)
'''
SEEN = """
import json, sys
from pathlib import Path
from bench.analyse.labels import name_of
from bench.analyse.load import load, variant_axes
from bench.core.records import VARIANTS
from bench.core.variants import Variant, as_row, parse_id
from bench.plan.matrix import Entry, matrix
from bench.process import child
from bench.report.answer.advice import lines_of, nin_command
from bench.run.folder import variant_rows

one = Variant(arenas="one")
data = load(Path(sys.argv[1]))
print(json.dumps({
    "id": one.id,
    "again": parse_id(one.id) == one,
    "file": VARIANTS.text(variant_rows([Entry(variant=one)], {one.id: ""})),
    "columns": list(VARIANTS.columns),
    "child": child.environment_of(one, {}, Path()).get("MALLOC_ARENA_MAX"),
    "baseline": child.environment_of(one.baseline, {}, Path()).get("MALLOC_ARENA_MAX"),
    "label": name_of(as_row(one), []),
    "recipe": lines_of(as_row(one)),
    "command": nin_command(data.run, as_row(one)),
    "asked": [entry.variant.id for entry in matrix("look", ["cpu"], ["arenas=one"])][:2],
    "stored": sorted({variant_axes(data, v)["arenas"] for v in data.variants}),
    "rounds": len(data.rounds),
}))
"""


@pytest.fixture
def with_an_axis(tmp_path: Path) -> Path:
    """A copy of the code with one more axis: a file of its own, and a field of Variant with its import."""
    for package in ("bench", "nin"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "bench/core/axes/arenas.py").write_text(ARENAS)
    variants = tmp_path / "bench/core/variants.py"
    allocator = "from bench.core.axes.allocator import ALLOCATOR\n"
    model = "    model: str = of(MODEL)\n"
    variants.write_text(
        variants.read_text()
        .replace(allocator, f"{allocator}from bench.core.axes.arenas import ARENAS\n")
        .replace(model, f"    arenas: str = of(ARENAS)\n{model}")
    )
    return tmp_path


def test_an_axis_takes_a_file_and_a_field_and_stored_runs_read(with_an_axis: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SEEN, str(ROOT / "results" / "example")],
        cwd=with_an_axis, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(with_an_axis), "MALLOC_ARENA_MAX": "7"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)

    assert (seen["id"], seen["again"]) == ("cpu-default-nchw-eager-b32-arenasone", True)
    assert seen["columns"][-4:] == ["arenas", "model", "baseline", "excluded_reason"]
    assert seen["file"].endswith(",default,one,nin,False,\n")
    assert (seen["child"], seen["baseline"]) == ("1", None)  # the user's own is no trial's
    assert seen["label"] == "one arena"
    assert seen["recipe"] == [[], ["MALLOC_ARENA_MAX=1"]]
    assert seen["command"].startswith("MALLOC_ARENA_MAX=1 ")
    assert seen["asked"] == ["cpu-default-nchw-eager-b32", "cpu-default-nchw-eager-b32-arenasone"]
    assert seen["stored"] == ["many"]
    assert seen["rounds"] > 0
