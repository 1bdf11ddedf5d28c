"""Takes one trial of a run and writes it down."""

import time
from collections.abc import Sequence
from pathlib import Path

from msgspec.structs import asdict, replace

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Reply, Request, Trace
from bench.core.exchange.probe import as_text
from bench.core.header import Counts
from bench.core.home import without_home
from bench.core.variants import as_row
from bench.plan import schedule
from bench.process import child
from bench.run import learn
from bench.run.record import Run, Trial, now


def take(
    run: Run,
    trial: schedule.Planned,
    counts: Counts | None,
    limit_s: float,
    batch: int | None = None,
    trace: Trace | None = None,
) -> Reply:
    """Takes one trial and writes it down, whatever its outcome. Returns the worker's reply.

    Without `counts` the trial itself decides how many steps it takes. `batch` is the batch size to use if the
    variant's is `max`.
    """
    variant = trial.arm.variant
    size = {} if batch is None else {"batch_size": str(batch)}
    request = Request(
        variant=as_row(variant) | size,
        inputs=run.header.inputs,
        seed=run.header.seed,
        probes=trial.probes,
        counts=counts,
        pilot_counts=run.plan.pilot_counts,
        memory_limit_bytes=run.plan.limit_bytes(variant),
        trace=trace,
    )
    variables = child.environment_of(variant, run.libraries, run.cache)
    started_at, began = now(), time.monotonic()
    reply = ask_in_tree(request, variables, limit_s, run.trees.get(trial.arm.tree), run.worker)
    duration_s = round(time.monotonic() - began, 3)
    if trial.stage == "pilot" and reply.cause is Cause.TIME_LIMIT and run.left_s() <= 0:
        reply = replace(reply, cause=Cause.BUDGET_ENDED, reason=f"{reply.reason}, when the budget ended")
    if batch is not None and not reply.ok:
        reply = replace(reply, reason=f"batch {batch}: {reply.reason}")
    row = {
        "trial_id": f"t{run.next_trial:05d}",
        "round": trial.round,
        "order": trial.order,
        "arm": trial.arm.name,
        "stage": trial.stage,
        "variant_id": variant.id,
        "probes": as_text(trial.probes),
        "tree": trial.arm.tree,
        "started_at": started_at.isoformat(),
        "duration_s": duration_s,
    }
    run.next_trial += 1
    try:
        # run.json first: once a pilot's row is written, run.json must have what the rounds need from it.
        if trial.stage == "pilot" and reply.ok:
            run.save(learn.from_pilot(run.learned, trial, reply, duration_s))
        row = _record(run, trial, row, reply)
    except ValueError as error:
        reply = child.failed(Cause.BAD_REPLY, f"the worker's reply is not what was asked: {error}")
        row = _record(run, trial, row, reply)
    run.trials.append(Trial.of(row))
    if not reply.ok:
        name = f"{variant.id} ({trial.arm.tree})" if trial.arm.tree else variant.id
        run.progress.say(f"{name}: {reply.status}: {reply.reason}")
    return reply


def ask_in_tree(
    request: Request,
    variables: dict[str, str],
    limit_s: float,
    tree: Path | None,
    worker: Sequence[str] = child.WORKER,
) -> Reply:
    """The reply of a worker that measures the code of a tree in the tree's folder; without a tree, the code here."""
    if tree is None:
        return child.ask(request, variables, limit_s, worker)
    inputs = request.inputs
    if inputs.folder:
        inputs = replace(inputs, folder=str(Path(inputs.folder).expanduser().resolve()))
    whole = replace(request, tree=str(tree), caller=str(Path.cwd()), inputs=inputs)
    reply = child.ask(whole, child.of_tree(variables), limit_s, worker, tree)
    return replace(reply, reason=reply.reason.replace(without_home(str(tree)), tree.name).replace(str(tree), tree.name))


def _record(run: Run, trial: schedule.Planned, row: dict[str, object], reply: Reply) -> dict[str, object]:
    """Writes a trial with its samples. Returns its row. Raises ValueError if the reply's rows do not fit the files."""
    whole = row | {"status": reply.status, "cause": reply.cause or "", "reason": reply.reason} | asdict(reply.state)
    trial_id = {"trial_id": row["trial_id"]}
    # The layers do not change from round to round: the pilot's rows hold for all.
    facts = reply.layers if trial.stage == "pilot" else ()
    run.folder.append_trial(
        whole,
        [trial_id | asdict(sample) for sample in reply.samples],
        [trial_id | {"variant_id": row["variant_id"]} | asdict(layer) for layer in facts],
    )
    return whole
