"""The search for the largest batch of a variant: sizes are tried, each in a process of its own."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from bench.core.header import Learned
from bench.core.variants import CPU_BATCH, CUDA_BATCH
from bench.plan import fit, schedule
from bench.run.record import Run
from bench.run.trial import take


def find(run: Run, trial: schedule.Planned) -> None:
    """Try batch sizes, a trial each, until the largest that fits is known or the budget ends."""
    variant = trial.arm.variant
    search = fit.Search(
        start=CUDA_BATCH if variant.on_cuda else CPU_BATCH,
        cap=run.header.data.train_images,
        limit_bytes=run.plan.limit_bytes(variant),
        tried=dict(run.learned.tried.get(variant.id, [])),
    )
    while (size := search.next()) is not None:
        if run.left_s() <= 0:
            return
        reply = take(run, trial, None, run.pilot_limit_s(), size)
        if not tells(reply, search):
            return
        search.tried[size] = peak_bytes(reply) if reply["status"] == "ok" else None
        run.save(tried(run.learned, variant.id, search, beyond=size if reply["status"] == "too_large" else None))
    if search.fits:
        run.save(replace(run.learned, largest=run.learned.largest | {variant.id: search.fits}))


def tells(reply: Mapping[str, Any], search: fit.Search) -> bool:
    """Whether the end of a trial says that its batch fits, or is too large; a time limit says nothing of memory."""
    if reply["status"] in ("ok", "oom", "too_large") or "SIGKILL" in reply["reason"]:
        return True
    # Near the limit libraries fail in words of their own: if something fitted, any error is the upper end.
    return reply["status"] == "error" and bool(search.fits)


def peak_bytes(reply: Mapping[str, Any]) -> int:
    """The peak of memory that a batch took; 0 if it is not known."""
    return max((int(s["value"]) for s in reply["samples"] if s["metric"] == "fit_peak"), default=0)


def tried(learned: Learned, variant_id: str, search: fit.Search, beyond: int | None) -> Learned:
    """What was learned, with what a search has tried; `beyond` is a size whose indices are too large for torch."""
    sizes = learned.tried | {variant_id: list(search.tried.items())}
    by_index = {} if beyond is None else {variant_id: beyond}
    return replace(learned, tried=sizes, beyond_index=learned.beyond_index | by_index)
