"""The runs of a history: found in folders, loaded one by one, and what each says of its variants."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bench.analyse import ratios
from bench.analyse.labels import label
from bench.analyse.load import RunData, StepData, load
from bench.analyse.sides import compare
from bench.analyse.stats import Interval, inverse, median_interval
from bench.core.axes.kind import kind_of
from bench.core.header import Header
from bench.core.records import RUN_FILE, RecordError

Setting = tuple[tuple[str, str], ...]
"""What a series has in common: facts of machine and software by which speed is told apart, and what was computed."""

TOLD_APART = ("cpu", "cores", "cpu_quota", "architecture", "torch", "torch_threads")
"""The facts of the machine and its software of which each combination has a series of its own."""
NO_FACTS = (
    "cuda",
    "cuda_devices",
    "accelerators",
    "memory_available_bytes",
    "memory_bytes",
    "gpu_processes",
    "commit",
    "code",
)
"""Facts that are told apart on a GPU only, that vary by themselves, or that say what was measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One variant in one run."""

    name: str
    device: str
    unit: str
    """What a step works through; of a run with two trees, the base, since speeds are then relative to its."""
    setting: Setting
    logs: Interval
    """The log of seconds per item over the complete rounds, with its interval within the run."""
    rounds: int
    canary: float
    """The log of the canary's seconds on the device; NaN without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """A run of a history."""

    folder: Path
    header: Header
    commit: str
    """The commit of what was measured, with `+` if files differed from it; empty if it is unknown."""
    measured: dict[str, Measured]
    """By the variant's id, those that have complete rounds."""
    facts: dict[str, object]
    """Facts by which nothing is told apart: if one differs on both sides of a change, it may be the reason."""
    subject: str = ""
    """The first line of the commit's message; empty if it is unknown."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.header.run_id


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A run that a folder has and the history has not."""

    name: str
    reason: str


def gather(named: Sequence[Path]) -> tuple[list[StoredRun], list[LeftOut]]:
    """The runs in some folders, each a run or a folder of runs, and those that were left out.

    A damaged run, or one of another kind, is left out if its folder was not named itself. Raises RecordError if there
    is no run, if a named one can't be used, or if runs of `bench run` and of `bench ab` were named.
    """
    runs, left_out, seen = [], [], set[Path]()
    for folder in named:
        inside = [folder] if (folder / RUN_FILE).is_file() else within(folder)
        for one in inside:
            if one.resolve() in seen:
                continue
            seen.add(one.resolve())
            try:
                runs.append(read(one))
            except RecordError as error:
                if one is folder:
                    raise
                left_out.append(LeftOut(name=one.name, reason=str(error)))
    return of_one_kind(runs, left_out, named)


def within(folder: Path) -> list[Path]:
    """The runs that a folder holds, by name. Raises RecordError if it holds none."""
    inside = sorted(path.parent for path in folder.glob(f"*/{RUN_FILE}"))
    if not inside:
        msg = f"{folder}: no run, and no folder of runs (neither it nor a folder in it has a {RUN_FILE})"
        raise RecordError(msg)
    return inside


def of_one_kind(
    runs: Sequence[StoredRun], left_out: Sequence[LeftOut], named: Sequence[Path]
) -> tuple[list[StoredRun], list[LeftOut]]:
    """The runs of the kind that was named, or else `run`; the others are left out. Raises RecordError for two kinds."""
    themselves = {run.header.kind for run in runs if run.folder in named}
    kinds = themselves or {run.header.kind for run in runs}
    if len(themselves) > 1:
        msg = f"a history holds runs of one kind, and these are of bench {' and bench '.join(sorted(themselves))}"
        raise RecordError(msg)
    kind = "run" if "run" in kinds else next(iter(kinds), "run")
    reason = f"a history of runs of bench {kind} has no place for one of bench"
    others = [LeftOut(name=r.name, reason=f"{reason} {r.header.kind}") for r in runs if r.header.kind != kind]
    if not (kept := [run for run in runs if run.header.kind == kind]):
        msg = f"no run can be used: {left_out[0].reason}" if left_out else "no run is named"
        raise RecordError(msg)
    return kept, [*left_out, *others]


def read(folder: Path) -> StoredRun:
    """What a run's files say. Raises RecordError if they can't be used, or if the run only took traces."""
    data = load(folder)
    if data.run.kind == "profile":
        msg = f"{folder}: a run of bench profile only takes traces; a history takes runs of bench run"
        raise RecordError(msg)
    of_variant = of_trees if data.run.trees else of_run
    return stored(data, {v: one for v in data.runnable if (one := of_variant(data, v)) is not None})


def stored(data: StepData, measured: dict[str, Measured]) -> StoredRun:
    """A run with what it measured."""
    header = data.run
    return StoredRun(
        folder=data.folder, header=header, commit=commit_of(header), measured=measured, facts=facts_of(header)
    )


def of_run(data: RunData, variant_id: str) -> Measured | None:
    """A variant of `bench run` with its canary; None if it has no complete round."""
    one = of_steps(data, variant_id)
    return one and replace(one, canary=canary_of(data, one.device))


def of_steps(data: StepData, variant_id: str) -> Measured | None:
    """A variant of `bench run` without its canary; None if it has no complete round."""
    logs = ratios.log_steps(data, variant_id)
    if logs.empty:
        return None
    device = data.variants[variant_id].device
    return Measured(
        name=label(data, variant_id),
        device=device,
        unit=ratios.unit_of(data),
        setting=setting_of(data.run, device),
        logs=median_interval(logs.mean(axis=1).to_numpy()),
        rounds=len(logs),
        canary=math.nan,
    )


def of_trees(data: RunData, variant_id: str) -> Measured | None:
    """A variant of `bench ab`: the head's seconds over the base's; None if it has no complete round."""
    logs = ratios.log_steps(data, variant_id)
    if logs.empty or not {"A", "A'", "V"} <= set(logs.columns) or data.run.trees is None:
        return None
    device = data.variants[variant_id].device
    ratio = inverse(ratios.shift(data, logs["V"], logs[["A", "A'"]]))
    return Measured(
        name=label(data, variant_id).replace("baseline", "default settings", 1),
        device=device,
        unit="base",
        setting=(*setting_of(data.run, device), ("base", data.run.trees.base.digest)),
        logs=Interval(estimate=math.log(ratio.estimate), lo=float(np.log(ratio.lo)), hi=float(np.log(ratio.hi))),
        rounds=len(logs),
        canary=math.nan,
    )


def canary_of(data: RunData, device: str) -> float:
    """The log of the canary's seconds on a device, the mean of its three pieces of work; NaN if one is unknown."""
    if device.startswith("cuda") and data.run.schema_version < compare.CANARIES_ON_DEVICE:
        return math.nan
    return float(np.mean([math.log(value) for value in compare.canaries_of(data, device).values()]))


def setting_of(header: Header, device: str) -> Setting:
    """What a variant of a device is told apart by."""
    facts = header.environment.facts()
    setting = [(name, str(facts[name])) for name in TOLD_APART if name in facts]
    if device.startswith("cuda"):
        gpus = ", ".join(gpu.name for gpu in header.environment.cuda_devices)
        setting += [("cuda", str(facts.get("cuda", ""))), ("GPU", gpus)]
    elif kind_of(device).accelerates:
        setting.append(("GPU", header.environment.hardware_of(device)))
    if header.inputs.shape and not header.inputs.task:
        shape = "x".join(map(str, header.inputs.shape))
        setting.append(("input", f"{shape}, {header.inputs.classes} classes"))
    return tuple(setting)


def commit_of(header: Header) -> str:
    """The commit of what a run measured; empty if it is unknown."""
    if header.trees:
        return header.trees.head.commit or ""
    return header.folder_commit or header.environment.commit or ""


def facts_of(header: Header) -> dict[str, object]:
    """The facts that may be the reason for a change, and are no code of the user's."""
    known = header.environment.facts()
    facts = {name: value for name, value in known.items() if name not in (*TOLD_APART, *NO_FACTS)}
    measures_itself = header.environment.commit is not None and commit_of(header) == header.environment.commit
    if not measures_itself:
        facts["code that measures"] = header.environment.code
    return facts | {"lockstep": sorted(header.plan.lockstep)}
