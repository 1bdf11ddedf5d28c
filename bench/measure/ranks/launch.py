"""Starts the ranks of a trial, and makes one reply of theirs. torch's own launcher watches over them.

If one rank fails, the launcher ends the others, and the trial ends as that rank did. A rank that hangs keeps the others
waiting: they give up after `peers.STALLED_S`. The trial's time limit ends all in any case (bench/process).
"""

import os
import signal
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path

import torch
from msgspec.structs import replace
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from bench.core.exchange.cause import MOST_LETTERS, Cause
from bench.core.exchange.messages import Reply, Request, encoded, reply_of
from bench.core.exchange.probe import Probe
from bench.core.variants import Variant, from_row
from bench.measure import failures
from bench.measure.ranks import files
from bench.measure.ranks.merged import merged
from bench.measure.ranks.peers import STALLED_S
from bench.measure.samples import Samples
from bench.process import child
from bench.process.python import python

RANK = python("bench.measure.ranks.rank")
MEASURED = (Probe.STEPS, Probe.LAYERS, Probe.MEMORY)
"""What is measured of several ranks."""
NOT_GATED = "the numerics gate judges one process, and this variant has several"
LOOKS_EVERY_S = 0.25
"""How often the launcher looks after the ranks. Each time it takes a core from them for a moment."""


def answer(request: Request, folder: Path) -> Reply:
    """The reply of a trial of several ranks, whose files are in a new folder."""
    variant = from_row(request.variant)
    folder.mkdir()
    files.request(folder).write_bytes(encoded(of_ranks(request)))
    share_cores(variant)
    try:
        launched(folder, variant.world_size)
        reply = merged([reply_of(files.reply(folder, rank).read_bytes()) for rank in range(variant.world_size)])
    except ChildFailedError as error:
        return of_failed(folder, {rank: failure.exitcode for rank, failure in error.failures.items()})
    except Exception as error:  # noqa: BLE001 - every failure of a trial is a row
        traceback.print_exc()
        fault = failures.fault_of(error)
        return Reply(cause=fault.cause, reason=fault.reason)
    return ungated(reply) if Probe.NUMERICS in request.probes else reply


def of_ranks(request: Request) -> Request:
    """The request as each rank gets it: they decide together, take no turns, and are not gated."""
    probes = tuple(probe for probe in request.probes if probe in MEASURED)
    return replace(request, probes=probes, hopeless_s=None, turns=None, references=None)


def share_cores(variant: Variant) -> None:
    """Gives each rank its share of the threads that one process would take, unless the variant says how many.

    So several ranks compute with as many threads together as one process does.
    """
    if variant.threads is None:
        os.environ["OMP_NUM_THREADS"] = str(max(1, torch.get_num_threads() // variant.world_size))


def launched(folder: Path, size: int) -> None:
    """Runs the ranks until all have ended. Raises ChildFailedError if one failed.

    They find each other at a free port of this machine, which the launcher holds until it ends.
    """
    config = LaunchConfig(
        min_nodes=1, max_nodes=1, nproc_per_node=size, run_id="trial", max_restarts=0,
        rdzv_backend="c10d", rdzv_endpoint="localhost:0", local_addr="localhost", monitor_interval=LOOKS_EVERY_S,
        logs_specs=DefaultLogsSpecs(log_dir=str(folder), redirects=Std.ALL),
    )  # fmt: skip
    elastic_launch(config, sys.executable)(*RANK[1:], str(folder))


def ungated(reply: Reply) -> Reply:
    """The reply, marked as not gated."""
    samples = Samples("numerics")
    samples.add("not_gated", 1)
    return replace(reply, cause=Cause.NOT_GATED, reason=NOT_GATED, samples=(*reply.samples, *samples.rows))


def of_failed(folder: Path, codes: Mapping[int, int]) -> Reply:
    """The reply of a trial whose ranks ended with these exit codes: that of the rank which failed first.

    The launcher ends the others by SIGTERM. The first is one that was killed or crashed, or else the one that first
    noted its failure: without it the others soon fail as well. If that one waited in vain, it is the one waited for.
    """
    ended = [rank for rank, code in codes.items() if code == -signal.SIGTERM]
    replied = files.failures(folder)
    silent = [rank for rank in codes if rank not in replied and rank not in ended]
    first = next(iter([*silent, *replied, *ended]))
    own = files.reply(folder, first)
    if first in replied:
        reply = reply_of(own.read_bytes())
    else:
        reply = child.read_reply(own, files.log(folder, first), codes[first])
    if reply.cause is Cause.TIME_LIMIT and ended:
        first, how = ended[0], f"it kept the others waiting for {STALLED_S:.0f} s"
        reply = child.with_log(Cause.TIME_LIMIT, how, files.log(folder, first))
    return Reply(cause=reply.cause, reason=f"rank {first}: {reply.reason}"[:MOST_LETTERS])
