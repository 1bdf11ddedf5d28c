"""Runs without torch: a worker that answers at once, and run folders made up from numbers."""

import sys
from collections.abc import Callable, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from bench.core.axes.precision import PRECISION
from bench.core.header import Header, Learned, State, decoded
from bench.core.progress import RunProgress
from bench.core.records import SCHEMA_VERSION
from bench.core.variants import Variant, parse_id
from bench.plan.matrix import Entry
from bench.report.figures import saving
from bench.run.folder import RunFolder, variant_rows
from bench.run.record import Run
from tests.bench.made_trace import cuda_events, cuda_trace, make_span  # noqa: F401 - fixtures

SVG = '<svg xmlns="http://www.w3.org/2000/svg"></svg>'
FAKE = (sys.executable, str(Path(__file__).parent / "fake_worker.py"))
BASE = "cpu-default-nchw-eager-b32"
KEPT = "cpu-default-nchw-eager-b32-kept"
NHWC = "cpu-default-nhwc-eager-b32"
NOTEBOOK = "cpu-default-nchw-eager-b32-notebook-syncstep"
COMPILED = "cpu-default-nhwc-inductor-b32-kept"

ENVIRONMENT: dict[str, Any] = {
    "cpu": "Made-up CPU", "cores": 2, "page_bytes": 4096, "tcmalloc": None, "cuda_devices": [],
    "torch": "2.99.0", "torch_threads": 2, "memory_bytes": 2**34, "memory_available_bytes": 2**33,
}  # fmt: skip


@pytest.fixture(autouse=True)
def unrendered(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn, but not rendered, which is slow; a test that is marked `rendered` has them whole."""
    if request.node.get_closest_marker("rendered") is None:
        monkeypatch.setattr(saving, "laid_out", lambda figure: figure)
        monkeypatch.setattr(saving, "png", lambda _: b"")
        monkeypatch.setattr(saving, "svg", lambda _, __: SVG)


def header(entries: Sequence[Entry], **record: Any) -> Header:  # noqa: ANN401
    """A run.json."""
    return decoded(raw_header(entries, **record), Path("run.json"))


def raw_header(entries: Sequence[Entry], **record: Any) -> dict[str, Any]:  # noqa: ANN401
    """The JSON object of a run.json, with what is given of what was declared, what was learned and the state."""
    learned, state = ({k: record.pop(k) for k in part.__struct_fields__ if k in record} for part in (Learned, State))
    return {
        "schema_version": SCHEMA_VERSION, "kind": "run", "run_id": "made-up",
        "command": "python -m bench run --run-id made-up",
        "seed": 0, "preset": "quick", "started_at": "2026-01-01T00:00:00+00:00",
        "data": {"name": "made-up images", "is_subset": False, "train_images": 60_000},
        "inputs": {"folder": None, "shape": None, "classes": 10},
        "plan": {
            "rounds": 2, "budget_s": None, "verdicts": True, "pilot_counts": {"plain": 3, "stamped": 1},
            "pilot_only": [e.variant.id for e in entries if e.pilot_only],
            "memory_limit_bytes": {"cpu": None, "cuda": None},
        } | record,
        "learned": learned,
        "state": {"status": "running"} | state,
        "environment": ENVIRONMENT,
    }  # fmt: skip


@pytest.fixture
def make_header() -> Callable[..., Header]:
    """Make the run.json of some entries."""
    return lambda *entries, **record: header(entries, **record)


@pytest.fixture
def shown() -> StringIO:
    """What a run's progress printed."""
    return StringIO()


@pytest.fixture
def start(tmp_path: Path, shown: StringIO) -> Callable[..., Run]:
    """Make a run of the given variant ids whose worker is the fake one."""

    def made(
        *ids: str,
        pilot_only: Sequence[str] = (),
        trees: dict[str, Path] | None = None,
        **record: Any,  # noqa: ANN401
    ) -> Run:
        entries = [Entry(variant=parse_id(i), pilot_only=i in pilot_only) for i in ids]
        rows = variant_rows(entries, dict.fromkeys(ids, ""))
        folder = RunFolder.create(tmp_path / "results" / "made-up", header(entries, **record), rows)
        progress = RunProgress(Console(file=shown, width=200))
        run = Run(folder, header(entries, **record), entries, progress, tmp_path / "cache", worker=FAKE)
        run.trees = trees or {}
        for tree in run.trees.values():
            tree.mkdir()
        return run

    return made


MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """Write a complete run's folder from numbers: seconds a step by (variant id, arm) and round.

    `metrics` adds samples of scope step to every trial of a variant; `layers` a list of
    (layer, type, forward share, backward share) of its step; `excluded` ids with reasons; `bad` the
    status of single trials by (variant id, arm, round); `canary` seconds by task, in
    every trial of arm A; `once` the samples that the pilot measures once, of scope process, by variant; `fits` which
    batches were tried of a variant; `name` and `environment` those of the run.
    """

    def made(
        steps: dict[tuple[str, str], Sequence[float]],
        *,
        metrics: dict[str, dict[str, float]] | None = None,
        layers: Sequence[tuple[str, str, float, float]] = (),
        excluded: dict[str, str] | None = None,
        memory: dict[str, dict[str, float]] | None = None,
        failed: dict[str, tuple[str, str]] | None = None,
        bad: dict[tuple[str, str, int], str] | None = None,
        canary: dict[str, float] | None = None,
        once: dict[str, dict[str, float]] | None = None,
        fits: dict[str, dict[int, bool]] | None = None,
        name: str = "made-up",
        environment: dict[str, Any] | None = None,
        **record: Any,  # noqa: ANN401
    ) -> Path:
        metrics, memory, failed = metrics or {}, memory or {}, failed or {}
        reasons = dict.fromkeys([v for v, _ in steps] + list(failed), "") | (excluded or {})
        entries = [Entry(variant=parse_id(v)) for v in reasons]
        arms = [list(key) for key in steps if len(steps[key]) > 1]
        counts = {v: {"plain": 1, "iterations": 1, "stamped": 1} for v in reasons}
        run = raw_header(entries, arms=arms, counts=counts, **record)
        run |= {"run_id": name, "environment": ENVIRONMENT | (environment or {})}
        run["state"] |= {"status": "complete", "ended_because": "rounds", "finished_at": "2026-01-01T00:20:00+00:00"}
        writer = TrialWriter(layers, metrics)
        writer.canary = canary or {}
        folder = tmp_path / "results" / name
        with RunFolder.create(folder, decoded(run, folder), variant_rows(entries, reasons)) as opened:
            for variant_id, (status, reason) in failed.items():
                opened.append_trial(writer.trial(variant_id, "V", 0, "steps", status, reason), [])
            for variant_id, told in (once or {}).items():
                trial = writer.trial(variant_id, "V", 0, "steps+numerics")
                trial["cause"] = "not_gated" if "not_gated" in told else ""
                opened.append_trial(trial, writer.process(trial, told))
            for variant_id, tried in (fits or {}).items():
                for size, fitted in tried.items():
                    status, reason = ("ok", "") if fitted else ("oom", f"batch {size}: no memory")
                    trial = writer.trial(variant_id, "A", 0, "fit", status, reason)
                    opened.append_trial(trial, writer.process(trial, {"fit_batch": size}) if fitted else [])
            for variant_id, held in memory.items():
                trial = writer.trial(variant_id, "A", 0, "memory")
                opened.append_trial(trial, writer.memory(trial, held))
            for (variant_id, arm), values in steps.items():
                for number, step_s in enumerate(values):
                    status = (bad or {}).get((variant_id, arm, number), "ok")
                    trial = writer.trial(variant_id, arm, number, writer.probes(variant_id), status)
                    if status != "ok":
                        opened.append_trial(trial, [])
                        continue
                    opened.append_trial(trial, writer.samples(trial, step_s), writer.layer_rows(trial))
        return folder

    return made


Steps = dict[tuple[str, str], list[float]]


@pytest.fixture
def arms() -> Callable[..., Steps]:
    """Steps of 1 s by (variant id, arm) that swing by 1 %, the head's longer by `slower` seconds."""

    def made(rounds: int, slower: float = 0.0, *, variant_id: str = BASE, seed: int = 0, pilot: bool = True) -> Steps:
        rng = np.random.default_rng(seed)
        return {
            (variant_id, arm): list(np.exp(rng.normal(0, 0.01, rounds + pilot)) + (slower if arm == "V" else 0))
            for arm in ("A", "A'", "V")
        }

    return made


@pytest.fixture
def fresh(arms: Callable[..., Steps]) -> Callable[..., Steps]:
    """The fresh rounds of the same, without a pilot."""
    return lambda slower=0.0, rounds=20: arms(rounds, slower, seed=1, pilot=False)


AB_LAYERS = (("0.0", "Conv2d", 0.15, 0.4), ("0.1", "ReLU", 0.1, 0.17), ("1.0", "Conv2d", 0.049, 0.1))


@pytest.fixture
def make_ab(tmp_path: Path) -> MakeRun:
    """Write the folder of an ab: steps by (variant id, arm) and round as in `make_run`, and `confirm`, fresh rounds.

    `extra` are seconds that the head spends more in the forward of a layer, within its steps. `flagged` is what the
    run wrote down before it confirmed (`confirm_extra` the `extra` of those), `failed` the status and reason of pilots
    by (variant id, tree). `faults` are the page faults of a step by arm, which differ by up to 2 between rounds
    and all come in the last of three samples (`confirm_faults` those of fresh rounds).
    """

    def made(
        steps: dict[tuple[str, str], Sequence[float]],
        *,
        confirm: dict[tuple[str, str], Sequence[float]] | None = None,
        extra: dict[str, float] | None = None,
        flagged: Sequence[tuple[str, ...]] | None = None,
        failed: dict[tuple[str, str], tuple[str, str]] | None = None,
        bad: dict[tuple[str, str, int], str] | None = None,
        without: Sequence[tuple[str, str]] = (),
        excluded: dict[str, str] | None = None,
        confirm_extra: dict[str, float] | None = None,
        faults: dict[str, float] | None = None,
        confirm_faults: dict[str, float] | None = None,
        delta: float | None = None,
        name: str = "made-up",
        digests: tuple[str, str] = ("aaaa", "bbbb"),
    ) -> Path:
        ids = list(dict.fromkeys([v for v, _ in steps] + [v for v, _ in failed or {}] + list(excluded or {})))
        entries = [Entry(variant=parse_id(v)) for v in ids]
        counts = {v: {"plain": 3, "iterations": 1, "stamped": 2} for v in ids}
        keys = ("variant_id", "scope", "layer", "phase", "flag", "metric")
        declared = None if flagged is None else [dict(zip(keys, cell, strict=False)) for cell in flagged]
        run = raw_header(entries, arms=[list(key) for key in steps], counts=counts, flagged=declared, delta=delta)
        run |= {"kind": "ab", "preset": None, "command": "python -m bench ab --base main"}
        run["state"] |= {"status": "complete", "ended_because": "rounds", "finished_at": "2026-01-01T00:20:00+00:00"}
        names = (("base", "main"), ("head", "this tree"))
        run["trees"] = {
            tree: {"name": name, "commit": f"{digest}{'0' * 36}", "digest": digest}
            for (tree, name), digest in zip(names, digests, strict=True)
        }
        writer = TrialWriter(AB_LAYERS, {}, extra, without)
        folder = tmp_path / "results" / name
        rows = variant_rows(entries, dict.fromkeys(ids, "") | (excluded or {}))
        with RunFolder.create(folder, decoded(run, folder), rows) as opened:
            for (variant_id, tree), (status, reason) in (failed or {}).items():
                trial = writer.trial(variant_id, "V", 0, "steps+layers", status, reason)
                opened.append_trial(trial | {"tree": tree}, [])
            rounds = max(map(len, steps.values()), default=0)
            for stage, first, values in (("measure", 0, steps), ("confirm", rounds, confirm or {})):
                if stage == "confirm" and confirm_extra is not None:
                    writer.extra = confirm_extra
                writer.faults = (confirm_faults if stage == "confirm" else faults) or {}
                for (variant_id, arm), seconds in values.items():
                    for number, step_s in enumerate(seconds, start=first):
                        status = (bad or {}).get((variant_id, arm, number), "ok")
                        trial = writer.trial(variant_id, arm, number, "steps+layers", status)
                        trial |= {"tree": "head" if arm == "V" else "base"}
                        trial |= {"stage": stage} if number else {}
                        opened.append_trial(trial, writer.samples(trial, step_s) if status == "ok" else [])
        return folder

    return made


class TrialWriter:
    """Makes the rows of made-up trials. Round 0 is the pilot."""

    def __init__(
        self,
        layers: Sequence[tuple[str, str, float, float]],
        metrics: dict[str, dict[str, float]],
        extra: dict[str, float] | None = None,
        without: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.layers, self.metrics, self.count = layers, metrics, 0
        self.extra, self.without = extra or {}, without
        """Seconds that arm V spends more in a layer's forward; (arm, layer) that is not there."""
        self.canary: dict[str, float] = {}
        self.faults: dict[str, float] = {}

    def probes(self, variant_id: str) -> str:
        return "steps+layers" if self._layered(variant_id) else "steps"

    def _layered(self, variant_id: object) -> bool:
        return bool(self.layers) and parse_id(str(variant_id)).compile_mode == Variant().compile_mode

    def trial(
        self, variant_id: str, arm: str, number: int, probes: str, status: str = "ok", reason: str = ""
    ) -> dict[str, Any]:
        self.count += 1
        return {
            "trial_id": f"t{self.count:05d}", "round": number, "order": 0, "arm": arm,
            "stage": "measure" if number else "pilot", "variant_id": variant_id, "probes": probes,
            "status": status, "reason": reason, "duration_s": 2.0, "started_at": "2026-01-01T00:00:00+00:00",
            "load_1min": 1.0, "steal_s": 0.0, "involuntary_switches": 10,
        }  # fmt: skip

    def _row(self, trial: dict[str, Any], metric: str, value: float, unit: str = "s", **where: str) -> dict[str, Any]:
        return {
            "trial_id": trial["trial_id"], "probe": "steps", "scope": "step", "metric": metric, "unit": unit,
            "iterations": 1, "index": 0, "value": value,
        } | where  # fmt: skip

    def memory(self, trial: dict[str, Any], values: dict[str, float]) -> list[dict[str, Any]]:
        return [self._row(trial, name, value, "B", scope="process") for name, value in values.items()]

    def process(self, trial: dict[str, Any], values: dict[str, float]) -> list[dict[str, Any]]:
        scopes = {name: "step" if name.endswith(("_alone", "conversions", "casts")) else "process" for name in values}
        return [self._row(trial, name, value, "1", scope=scopes[name]) for name, value in values.items()]

    def samples(self, trial: dict[str, Any], step_s: float) -> list[dict[str, Any]]:
        variant_id = trial["variant_id"]
        extra = self.extra if trial["arm"] == "V" else {}
        extra_s, step_s = sum(extra.values()), step_s - sum(extra.values())
        whole_s = step_s + extra_s
        rows = [self._row(trial, "wall", whole_s), self._row(trial, "stamped_wall", 1.01 * whole_s)]
        first_s = whole_s * (1.5 if trial["stage"] == "measure" else 3)
        rows.append(self._row(trial, "first_step", first_s, scope="process"))
        shares = {
            "data": 0.01,
            "h2d": 0.0,
            "forward": 0.3,
            "loss": 0.0,
            "backward": 0.67,
            "optimizer": 0.03,
            "read": 0.0,
        }
        rows += [
            self._row(trial, "wall", share * step_s + extra_s * (phase == "forward"), scope="phase", phase=phase)
            for phase, share in shares.items()
        ]
        rows += [self._row(trial, n, v, "1") for n, v in self.metrics.get(variant_id, {}).items()]
        if trial["arm"] in self.faults:
            mean = self.faults[trial["arm"]] + trial["round"] % 3
            bursts = enumerate((0.0, 0.0, 3 * mean))
            rows += [self._row(trial, "page_faults", value, "1") | {"index": index} for index, value in bursts]
        if trial["arm"] == "A":
            rows += [self._row(trial, f"canary_{n}", v, scope="process") for n, v in self.canary.items()]
        if self._layered(variant_id):
            rows.append(self._row(trial, "stamps", 30, "1"))
            rows.append(self._row(trial, "stamp_cost", 1e-5, scope="process"))
            for layer, _, *parts in [*self.layers, ("between", "", 0.0, 0.0)]:
                if (trial["arm"], layer) in self.without:
                    continue
                forward, backward = (part * step_s for part in parts)
                planted = {"forward": forward + extra.get(layer, 0.0), "backward": backward}
                rows += [
                    self._row(trial, "wall", seconds, scope="layer", layer=layer, phase=phase)
                    for phase, seconds in planted.items()
                ]
        return rows

    def layer_rows(self, trial: dict[str, Any]) -> list[dict[str, Any]]:
        if not self._layered(trial["variant_id"]):
            return []
        variant = parse_id(str(trial["variant_id"]))
        return [
            {
                "trial_id": trial["trial_id"], "variant_id": variant.id, "layer": layer,
                "block": layer.partition(".")[0], "type": kind, "output_shape": "32x10", "parameters": 110,
                "memory_format": variant.memory_format, "gradient_format": variant.memory_format,
                "dtype": PRECISION.value(variant.precision).computed_in, "calls": 1,
            }
            for layer, kind, _, _ in self.layers
        ]  # fmt: skip
