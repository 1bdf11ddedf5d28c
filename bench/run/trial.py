"""Takes one trial of a run and writes it down."""

import dataclasses
import math
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import asdict, replace

from bench.core.exchange.cause import Cause
from bench.core.exchange.messages import Reply, Request, Trace
from bench.core.exchange.probe import as_text
from bench.core.header import Counts
from bench.core.home import without_home
from bench.core.variants import as_row
from bench.plan import race, schedule
from bench.process import child, lockstep
from bench.process.child import Question
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
    question = question_of(run, trial, counts, limit_s, batch, trace)
    started_at, began = now(), time.monotonic()
    reply = child.ask(question.request, question.variables, question.limit_s, question.command, question.folder)
    return keep(run, trial, reply, started_at, time.monotonic() - began, batch)


def take_in_lockstep(run: Run, planned: Sequence[schedule.Planned], limits_s: Sequence[float]) -> None:
    """Takes several trials of a round together, whose processes take turns, and then writes them down."""
    learned, started_at = run.learned, now()
    batches = [learned.largest.get(trial.arm.variant.id) for trial in planned]
    questions = [
        question_of(run, trial, counts_of(run, trial), limit_s, batch)
        for trial, limit_s, batch in zip(planned, limits_s, batches, strict=True)
    ]
    answers = lockstep.ask(questions, schedule.chance(run.header.order, planned[0].round))
    for trial, answer, batch in zip(planned, answers, batches, strict=True):
        keep(run, trial, answer.reply, started_at, answer.worked_s, batch, in_lockstep=len(planned))


def counts_of(run: Run, trial: schedule.Planned) -> Counts:
    """How many steps a trial of a round takes."""
    counts = run.learned.counts[trial.arm.variant.id]
    return race.counts(counts) if trial.stage == race.STAGE else counts


def question_of(
    run: Run,
    trial: schedule.Planned,
    counts: Counts | None,
    limit_s: float,
    batch: int | None = None,
    trace: Trace | None = None,
) -> Question:
    """The question to the worker of a trial."""
    variant = trial.arm.variant
    size = {} if batch is None else {"batch_size": str(batch)}
    request = Request(
        variant=as_row(variant) | size,
        inputs=run.header.inputs,
        seed=run.header.seed,
        probes=trial.probes,
        counts=counts,
        pilot_counts=run.plan.pilot_counts,
        hopeless_s=hopeless_s(run, trial),
        memory_limit_bytes=run.plan.limit_bytes(variant),
        trace=trace,
        references=str(run.references / trial.arm.tree),
    )
    variables = child.environment_of(variant, run.libraries, run.cache)
    question = Question(request=request, variables=variables, limit_s=limit_s, command=run.worker)
    return in_tree(question, run.trees.get(trial.arm.tree))


def hopeless_s(run: Run, trial: schedule.Planned) -> float | None:
    """How long the first step of a pilot may take; None for any other trial, and for what the rest is compared with."""
    limit_s = schedule.hopeless_s(trial.arm.variant, run.learned.step_s)
    spared = run.trees or trial.stage != "pilot" or trial.arm.variant.is_baseline or math.isinf(limit_s)
    return None if spared else limit_s


def keep(
    run: Run,
    trial: schedule.Planned,
    reply: Reply,
    started_at: datetime,
    duration_s: float,
    batch: int | None = None,
    in_lockstep: int | None = None,
) -> Reply:
    """Writes a trial down, whatever its outcome. Returns its reply, with the cause and reason as written."""
    variant, duration_s = trial.arm.variant, round(duration_s, 3)
    reply = out_of_tree(reply, run.trees.get(trial.arm.tree))
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
        "in_lockstep": in_lockstep,
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


def ask_in_tree(request: Request, variables: Mapping[str, str], limit_s: float, tree: Path | None) -> Reply:
    """The reply of a worker that measures the code of a tree; without a tree, the code here."""
    question = in_tree(Question(request=request, variables=variables, limit_s=limit_s), tree)
    return out_of_tree(child.ask(question.request, question.variables, limit_s, folder=question.folder), tree)


def in_tree(question: Question, tree: Path | None) -> Question:
    """The same question to a worker that measures the code of a tree in the tree's folder; unchanged without a tree."""
    if tree is None:
        return question
    inputs = question.request.inputs
    if inputs.folder:
        inputs = replace(inputs, folder=str(Path(inputs.folder).expanduser().resolve()))
    request = replace(question.request, tree=str(tree), caller=str(Path.cwd()), inputs=inputs)
    return dataclasses.replace(question, request=request, variables=child.of_tree(question.variables), folder=tree)


def out_of_tree(reply: Reply, tree: Path | None) -> Reply:
    """The reply, with the tree's name for its folder in the reason."""
    if tree is None:
        return reply
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
