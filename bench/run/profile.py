"""The parent of `bench profile`: one trial per variant, apart from all timed ones. The run keeps its trace."""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.core import traces
from bench.core.exchange.messages import Trace
from bench.core.exchange.probe import Probe
from bench.core.records import ArmName
from bench.core.variants import LARGEST, UsageError, Variant
from bench.plan.schedule import UNSEEN_TRIAL_S, Arm, Planned
from bench.run.record import Run, now
from bench.run.session import set_status
from bench.run.trial import take

ARM: ArmName = "T"


def execute(run: Run, ids: Sequence[str], steps: int) -> None:
    """Traces some steps of each variant in a process of its own, and keeps the trace in the run's folder.

    It replaces an earlier trace. Raises UsageError if a variant is not the run's, KeyboardInterrupt on Ctrl-C,
    RecordError or OSError if a file can't be written. What was traced until then is kept.
    """
    own = run.header.kind == "profile"
    finished = run.state.status == "complete"  # nobody resumes it, so its compiled code is not needed again
    try:
        for order, variant in enumerate(variants := chosen(run, ids)):
            left_s = (len(variants) - order) * UNSEEN_TRIAL_S
            run.progress.before(f"trace {variant.id}", order, len(variants), left_s)
            trace(run, order, variant, steps)
        if own:
            set_status(run, "complete", "rounds", now())
    except BaseException:
        if own and not finished:
            set_status(run, "interrupted", "interrupted")
        raise
    finally:
        run.progress.end()
        run.folder.close()
        if own or finished:
            shutil.rmtree(run.cache, ignore_errors=True)


def chosen(run: Run, ids: Sequence[str]) -> list[Variant]:
    """The variants with these ids. Raises UsageError if the run lacks one, or did not find its largest batch."""
    known = {entry.variant.id: entry.variant for entry in run.entries}
    if unknown := [variant_id for variant_id in ids if variant_id not in known]:
        msg = f"{unknown[0]} is no variant that this run could measure: it has {', '.join(known)}"
        raise UsageError(msg)
    if unsized := [v for v in ids if known[v].batch_size == LARGEST and v not in run.learned.largest]:
        msg = f"{unsized[0]}: its run did not find the largest batch that fits"
        raise UsageError(msg)
    return [known[variant_id] for variant_id in ids]


def trace(run: Run, order: int, variant: Variant, steps: int) -> None:
    """Takes the traced trial of one variant. If it is ok, its files go to the run's folder."""
    planned = Planned(
        round=0, order=order, arm=Arm(name=ARM, variant=variant), stage=traces.STAGE, probes=(Probe.TRACE,)
    )
    largest = run.learned.largest.get(variant.id)
    with tempfile.TemporaryDirectory(prefix="nin-bench-") as scratch:
        reply = take(run, planned, None, run.full_limit_s(), largest, Trace(steps=steps, folder=scratch))
        if reply.ok:
            keep(Path(scratch), traces.folder_of(run.folder.folder, variant.id))


def keep(scratch: Path, target: Path) -> None:
    """Replaces the target folder with the files of another, in one step."""
    fresh = target.with_name(target.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)  # not copytree, which would make it as private as the scratch folder
    for file in scratch.iterdir():
        shutil.copyfile(file, fresh / file.name)
    old = target.with_name(target.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
