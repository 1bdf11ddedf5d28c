"""The parent of `bench micro`: it runs the suite of layers alone, in a process with the variant's environment."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec.structs import replace
from rich.console import Console

from bench.core.header import read_run
from bench.core.progress import RunProgress
from bench.core.reading import read_variants
from bench.core.variants import LARGEST, UsageError, Variant, runnable_variants
from bench.plan.choices import Choices
from bench.process import child
from bench.process.kept import call
from bench.process.python import python
from bench.run.folder import RunFolder, refuse_links
from bench.run.prepare.dry import DryRun
from bench.run.prepare.reopen import check_models, check_same, inputs_again
from bench.run.prepare.scratch import scratch_of

MICRO = "micro"
"""The name of the suite's folder, and of its results' folder in a run."""
SUITE = Path(__file__).parents[1] / MICRO


def measure(choices: Choices, run: Path, variant_id: str | None, options: Sequence[str]) -> int:
    """Runs the suite for a run, with this call's model and data and pytest's `options`. Returns its exit code.

    Raises UsageError if the variant is not the run's or has no layers to take out, RecordError if the folder is no
    run, is in use, or has links in it.
    """
    if missing := [name for name in ("pytest", "pytest_benchmark") if find_spec(name) is None]:
        msg = f"{missing[0]} is not installed: pip install 'nin-bench[micro]', or use nox -s micro"
        raise UsageError(msg)
    header = read_run(run)
    if header.kind != "run":
        msg = f"{run}: layers alone are compared with a run of bench run, this is one of bench {header.kind}"
        raise UsageError(msg)
    progress = RunProgress(Console())
    here = check_same(header, run, progress)
    variant = chosen(run, variant_id)
    check_models([variant], {choices.trained})
    header = replace(header, inputs=inputs_again(choices, header, progress))
    variables = child.environment_of(variant, here.libraries, scratch_of(run))
    # The suite has settings of its own: those of the rootdir are for the project's tests.
    arguments = ["-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE), str(SUITE)]
    inputs = msgspec.json.encode(header.inputs).decode()
    arguments += [f"--run={run}", f"--variant={variant.id}", f"--inputs={inputs}", *options]
    with RunFolder(run):  # so that nobody else writes there meanwhile
        refuse_links(run / MICRO, (run / MICRO).rglob("*"))
        DryRun.of(header, scratch_of(run)).check_models([variant], progress)
        return call([*python("pytest"), *arguments], variables)


def chosen(run: Path, variant_id: str | None) -> Variant:
    """The variant with this id, or else the run's first baseline. Raises UsageError if the suite can't use it."""
    variants = runnable_variants(read_variants(run))
    if variant_id is None:
        variants = [v for v in variants if v.is_baseline and v.batch_size != LARGEST]
    variant = next((v for v in variants if variant_id in (None, v.id)), None)
    if variant is None:
        msg = f"{variant_id or 'a baseline'} is no variant of {run}, which has {', '.join(v.id for v in variants)}"
        raise UsageError(msg)
    if variant.compiled or variant.batch_size == LARGEST or variant.infers or variant.world_size > 1:
        msg = f"{variant.id}: layers are taken out of eager variants that train in one process, with a fixed batch"
        raise UsageError(msg)
    return variant
