"""The parent of `bench micro`: the suite of layers alone, in a process under the variant's own variables."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from bench import child
from bench.header import read_run
from bench.kept import call
from bench.records import read_variants, runnable_variants
from bench.reopen import check_models, check_same
from bench.setup import progress, scratch_of
from bench.variants import LARGEST, UsageError, Variant

SUITE = Path(__file__).parent / "micro"


def measure(run: Path, variant_id: str | None, model: str, options: Sequence[str]) -> int:
    """Run the suite beside a run, pytest's options passed on; its exit code.

    UsageError for a variant that is none of the run's or has no layers, RecordError for a folder that is no run.
    """
    if missing := [name for name in ("pytest", "pytest_benchmark") if find_spec(name) is None]:
        msg = f"{missing[0]} is not installed: pip install 'nin-bench[micro]', or use nox -s micro"
        raise UsageError(msg)
    header = read_run(run)
    if header.kind != "run":
        msg = f"{run}: layers alone are held against a run of bench run, this is one of bench {header.kind}"
        raise UsageError(msg)
    here = check_same(header, run, progress())
    variant = chosen(run, variant_id)
    check_models([variant], {model})
    variables = child.environment_of(variant, here.tcmalloc or "", scratch_of(run))
    # The rootdir's own settings are those of the project's tests, which the suite is none of.
    arguments = ["-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE), str(SUITE)]
    arguments += [f"--run={run}", f"--variant={variant.id}", *options]
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
    if found.compile_mode != "eager" or found.batch_size == LARGEST:
        msg = f"{found.id}: only eager variants of a fixed batch have layers that can be taken out"
        raise UsageError(msg)
    return found
