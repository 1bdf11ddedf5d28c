"""The parent of `bench micro`: the suite of layers alone, in a process under the variant's own variables."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec
from msgspec.structs import replace
from rich.console import Console

from bench.core.header import read_run
from bench.core.progress import RunProgress
from bench.core.reading import read_variants
from bench.core.records import RecordError, found_words
from bench.core.variants import LARGEST, UsageError, Variant, runnable_variants
from bench.plan.choices import Choices
from bench.process import child
from bench.process.kept import call
from bench.run.folder import RunFolder
from bench.run.prepare.dry import Dry
from bench.run.prepare.reopen import check_models, check_same, inputs_again
from bench.run.prepare.scratch import scratch_of

MICRO = "micro"
"""The folder of the suite, and that of its results within a run's."""
SUITE = Path(__file__).parents[1] / MICRO


def measure(choices: Choices, run: Path, variant_id: str | None, options: Sequence[str]) -> int:
    """Run the suite beside a run, on what this call names or finds, pytest's options passed on; its exit code.

    UsageError for a variant that is none of the run's or has no layers, RecordError for a folder that is no run, is
    in use, or has links in it.
    """
    if missing := [name for name in ("pytest", "pytest_benchmark") if find_spec(name) is None]:
        msg = f"{missing[0]} is not installed: pip install 'nin-bench[micro]', or use nox -s micro"
        raise UsageError(msg)
    header = read_run(run)
    if header.kind != "run":
        msg = f"{run}: layers alone are held against a run of bench run, this is one of bench {header.kind}"
        raise UsageError(msg)
    shown = RunProgress(Console())
    here = check_same(header, run, shown)
    variant = chosen(run, variant_id)
    check_models([variant], {choices.model})
    header = replace(header, inputs=inputs_again(choices, header, shown))
    variables = child.environment_of(variant, here.libraries, scratch_of(run))
    # The rootdir's own settings are those of the project's tests, which the suite is none of.
    arguments = ["-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE), str(SUITE)]
    inputs = msgspec.json.encode(header.inputs).decode()
    arguments += [f"--run={run}", f"--variant={variant.id}", f"--inputs={inputs}", *options]
    with RunFolder(run):  # nobody else writes there meanwhile, and nothing leads out of it
        if links := sorted(path.name for path in (run / MICRO).rglob("*") if path.is_symlink()):
            msg = f"{run / MICRO}: {found_words(links[0])} is a link, and what a link leads to is not written to"
            raise RecordError(msg)
        Dry.of(header, scratch_of(run)).check_models([variant], shown)
        return call([sys.executable, "-m", "pytest", *arguments], variables)


def chosen(run: Path, variant_id: str | None) -> Variant:
    """The variant with this id, the run's first baseline where none is given."""
    variants = runnable_variants(read_variants(run))
    if variant_id is None:
        variants = [v for v in variants if v.is_baseline and v.batch_size != LARGEST]
    found = next((v for v in variants if variant_id in (None, v.id)), None)
    if found is None:
        msg = f"{variant_id or 'a baseline'} is no variant of {run}, which has {', '.join(v.id for v in variants)}"
        raise UsageError(msg)
    if found.compiled or found.batch_size == LARGEST:
        msg = f"{found.id}: only eager variants of a fixed batch have layers that can be taken out"
        raise UsageError(msg)
    return found
