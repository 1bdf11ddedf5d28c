"""`python -m bench.measure.worker REQUEST REPLY`: one trial, asked and answered in JSON files.

A reply is written whatever happens, short of the process being killed. What libraries print goes to
the log that the parent gave as standard output.
"""

import ctypes
import json
import os
import signal
import sys
import traceback
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.variants import from_row
from bench.machine.environment import without_home
from bench.measure import sources
from bench.plan import schedule

if TYPE_CHECKING:
    from bench.measure.clock import Clock
    from bench.measure.samples import Samples
    from bench.measure.validity.verify import LayerFacts
    from bench.measure.workload import Workload


def main(request_path: str, reply_path: str) -> None:
    """Answer one request."""
    die_with_parent()
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    if request.get("tree"):
        sources.put_first(Path(request["tree"]))
    reply = environment() if request["task"] == "environment" else trial(request)
    Path(reply_path).write_text(json.dumps(reply), encoding="utf-8")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # the reply is written: taking torch down would cost every trial half a second


def environment() -> dict[str, Any]:
    """The reply to the question what machine and software this is."""
    from bench.machine.environment import describe  # noqa: PLC0415 - imports torch

    return {"status": "ok", "reason": "", "samples": [], "layers": [], "environment": describe()}


def trial(request: dict[str, Any]) -> dict[str, Any]:
    """The reply of a trial: status, reason, samples, layers and the machine's state.

    Whatever goes wrong is a status with a reason; only `ok` has samples.
    """
    import torch  # noqa: PLC0415 - slow, and not for the environment's parent

    from bench.measure import workload  # noqa: PLC0415
    from bench.tasks import factory  # noqa: PLC0415
    from nin.data import DataError  # noqa: PLC0415

    try:
        return measure(request)
    except workload.UnsupportedError as error:
        return failed("unsupported", error)
    except (torch.OutOfMemoryError, MemoryError) as error:
        return failed("oom", error)
    except (DataError, factory.ModelError) as error:
        return failed("error", error)
    except Exception as error:  # noqa: BLE001 - a trial's failure is a row, whatever it is
        traceback.print_exc()
        if type(error).__name__ == "FailOnRecompileLimitHit":  # of torch._dynamo.exc, which eager does not load
            return failed("invalid", "it was compiled anew so often that torch gives up and runs it eagerly")
        return failed(status_of(error), error)


def status_of(error: Exception) -> str:
    """The status of a trial that ended in an error of no class of its own: torch tells what it is in words alone."""
    from bench.measure.probes import fit  # noqa: PLC0415

    if fit.beyond_index(error):
        return "too_large"
    return "oom" if "can't allocate memory" in str(error) or "out of memory" in str(error) else "error"


def measure(request: dict[str, Any]) -> dict[str, Any]:
    """Measure the probes asked for, verified before and after."""
    from bench.measure import clock, workload  # noqa: PLC0415
    from bench.measure.probes import fit  # noqa: PLC0415
    from bench.measure.validity import tryout, verify  # noqa: PLC0415

    variant = from_row(request["variant"])
    shape = request["inputs"]["shape"]
    inputs = workload.Inputs(**request["inputs"] | {"shape": shape and tuple(shape)})
    probes = request["probes"].split("+")
    if "fit" in probes:
        fit.limit(variant.device, request["memory_limit_bytes"])
    work = workload.build(variant, inputs, request["seed"])
    if reason := sources.misplaced(variant.model, request.get("tree"), request.get("caller")):
        return failed("invalid", reason)
    if "build" in probes:
        tryout.try_once(work)
        return answered(None)
    if reason := verify.before_steps(work):
        return failed("invalid", reason)
    ticker = clock.clock_for(work.device)
    if (found := alone(work, ticker, probes)) is not None:
        return answered(found)
    if "trace" in probes:
        return trace_trial(work, ticker, request["trace"])
    return steps_trial(work, ticker, probes, request)


def alone(work: "Workload", ticker: "Clock", probes: list[str]) -> "Samples | None":
    """What has a process of its own; None where steps are asked for."""
    from bench.measure.probes import fit, memory, rates, sustained  # noqa: PLC0415

    if "memory" in probes:
        return memory.measure(work)
    if "fit" in probes:
        return fit.measure(work, ticker)
    if "epoch" in probes:
        return rates.whole_epochs(work, ticker, schedule.WHOLE_EPOCHS)
    if "sustained" in probes:
        return sustained.measure(work, ticker)
    return None


def steps_trial(work: "Workload", ticker: "Clock", probes: list[str], request: dict[str, Any]) -> dict[str, Any]:
    """Time steps, and behind them what the pilot measures once; verified before, meanwhile and after."""
    from bench.measure import sources  # noqa: PLC0415
    from bench.measure.probes import canary, steps  # noqa: PLC0415
    from bench.measure.probes.stamps import stamp_costs  # noqa: PLC0415
    from bench.measure.probes.timed import timed_steps  # noqa: PLC0415
    from bench.measure.samples import Samples  # noqa: PLC0415
    from bench.measure.system.state import State  # noqa: PLC0415
    from bench.measure.validity import paths, verify  # noqa: PLC0415
    from bench.measure.validity.effects import Effects, disturbed, samples_of, settle  # noqa: PLC0415

    samples, state = Samples(request["probes"]), State(work)
    facts, first = first_step(work, ticker)
    compiled = Effects.of(work)
    settle(work)
    if request["counts"]:
        counts = steps.Counts(**request["counts"])
    else:
        counts = steps.calibrate(work, ticker, first.of("first_step")[0], **request["pilot_counts"])
    counts = steps.warm_up(work, ticker, counts)
    before = Effects.of(work)
    state.begin(ticker)
    timed = timed_steps(work, ticker, counts, learns=not request["counts"])
    after = Effects.of(work)
    ended = state.read(ticker, timed.counts.iterations)
    effects = samples_of(work, compiled, before, after)
    samples.add_all([first, timed.plain, timed.stamped, state.throttled, effects, stamp_costs(work, ticker)])
    samples.add_all([verify.weights_samples(work)])
    if "canary" in probes:
        samples.add_all([canary.measure(work.device, ticker)])
    if timed.counts.varied and not request["counts"]:
        facts = paths.completed(work, facts, timed.ran)
    late = sources.misplaced(work.variant.model, request.get("tree"), request.get("caller"))  # imported within a step
    loss_sum = float(work.trainer.loss_sum)
    if (
        reason := disturbed(work.variant, loss_sum, before, after)
        or verify.after_steps(work.variant, facts, timed.plain)
        or late
    ):
        return failed("invalid", reason)
    began = ticker.host_s()
    kernels = once(work, ticker, probes, samples)
    wrong, not_gated = gate(work, samples) if "numerics" in probes else ("", "")
    if wrong:
        return failed("invalid", wrong)
    layers = [row | {"kernel": kernels.get(row["layer"], "")} for row in verify.as_rows(facts)]
    told = {"layers": layers, "state": ended, "counts": asdict(timed.counts), "once_s": ticker.host_s() - began}
    return answered(samples) | told | {"reason": not_gated}


def first_step(work: "Workload", ticker: "Clock") -> "tuple[list[LayerFacts], Samples]":
    """The first step, and what each layer saw in it where layers can be hooked."""
    from bench.measure.probes import steps  # noqa: PLC0415
    from bench.measure.validity import verify  # noqa: PLC0415

    if not work.eager:
        return [], steps.first_step(work, ticker)
    with verify.observed(work.trainer.model) as facts:
        first = steps.first_step(work, ticker)
    return facts, first


def trace_trial(work: "Workload", ticker: "Clock", asked: dict[str, Any]) -> dict[str, Any]:
    """Trace steps into the folder asked for; verified as timed steps are."""
    from bench.measure.probes import fusion, steps, trace  # noqa: PLC0415
    from bench.measure.validity import verify  # noqa: PLC0415
    from bench.measure.validity.effects import Effects, disturbed, settle  # noqa: PLC0415

    watch = None if work.eager else fusion.watch()
    facts, _ = first_step(work, ticker)
    if watch:
        fusion.write(watch, work.trainer.model, Path(asked["folder"]))  # exporting a trace forgets it
    settle(work)
    steps.warm_up(work, ticker, steps.Counts(warmup=1))
    before = Effects.of(work)
    found = trace.measure(work, ticker, asked["steps"], Path(asked["folder"]))
    loss_sum, after = float(work.trainer.loss_sum), Effects.of(work)
    reason = disturbed(work.variant, loss_sum, before, after) or verify.after_steps(work.variant, facts, found)
    return failed("invalid", reason) if reason else answered(found)


def once(work: "Workload", ticker: "Clock", probes: list[str], samples: "Samples") -> dict[str, str]:
    """Measure what the pilot measures once; the kernels by layer."""
    from bench.measure.probes import kernels, rates  # noqa: PLC0415

    found: dict[str, str] = {}
    if "loader" in probes:
        samples.add_all([rates.measure(work, ticker, samples.of("wall")[0])])
    if "kernels" in probes:
        copies, found = kernels.measure(work)
        samples.add_all([copies])
    return found


def gate(work: "Workload", samples: "Samples") -> tuple[str, str]:
    """Hold the variant against float64; why it is invalid, and why the gate can't tell: then the measurement stands."""
    from bench.measure.validity import numerics  # noqa: PLC0415

    try:
        samples.add("live_logits", numerics.live_logits(work))
        errors, wrong = numerics.measure(work)
    except Exception as error:  # noqa: BLE001 - such as a model that has no float64, or no memory for it
        traceback.print_exc()
        samples.add("not_gated", 1)
        return "", str(failed("", error)["reason"])
    samples.add_all([errors])
    return wrong, ""


def answered(samples: "Samples | None") -> dict[str, Any]:
    """A reply with samples, if there are any."""
    rows = [sample.row() for sample in samples.rows] if samples else []
    return {"status": "ok", "reason": "", "samples": rows, "layers": []}


def failed(status: str, reason: object) -> dict[str, Any]:
    """A reply without samples. The reason is one line."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    named = isinstance(reason, Exception) and type(reason).__module__ == "builtins"
    text = without_home(f"{type(reason).__name__}: {text}" if named else text)
    return {"status": status, "reason": text[:500], "samples": [], "layers": []}


def die_with_parent() -> None:
    """Have Linux kill this process when its parent ends, lest it disturb what runs after."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG of prctl(2)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
