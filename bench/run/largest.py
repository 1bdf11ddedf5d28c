"""The search for the largest batch of a variant, which tries each size in a process of its own."""

from msgspec.structs import replace

from bench.core.exchange.cause import Cause, Status
from bench.core.exchange.messages import Reply
from bench.core.header import Learned
from bench.plan import fit, schedule
from bench.run.record import Run
from bench.run.trial import take

MOST_OF_TASK = 2**20
"""The largest batch that is tried of a task, which does not say how much data there is."""
TOO_LARGE = (Cause.OUT_OF_MEMORY, Cause.BEYOND_INDEX, Cause.KILLED)
"""The causes of a batch that does not fit; the kernel kills a process that takes more memory than there is."""


def find(run: Run, trial: schedule.Planned) -> None:
    """Tries batch sizes, one per trial, until the largest that fits is known or the budget ends."""
    variant = trial.arm.variant
    search = fit.Search(
        start=variant.kind.batch_size,
        cap=run.header.data.train_images or MOST_OF_TASK,
        limit_bytes=run.plan.limit_bytes(variant),
        tried=dict(run.learned.tried.get(variant.id, [])),
    )
    while (size := search.next()) is not None:
        if run.left_s() <= 0:
            return
        reply = take(run, trial, None, run.pilot_limit_s(), size)
        if not is_conclusive(reply, search):
            return
        search.tried[size] = peak_bytes(reply) if reply.ok else None
        run.save(tried(run.learned, variant.id, search, beyond=size if reply.cause is Cause.BEYOND_INDEX else None))
    if search.fits:
        run.save(replace(run.learned, largest=run.learned.largest | {variant.id: search.fits}))


def is_conclusive(reply: Reply, search: fit.Search) -> bool:
    """Whether the end of a trial shows that its batch fits, or is too large. A time limit shows neither."""
    if reply.ok or reply.cause in TOO_LARGE:
        return True
    # Near the limit libraries fail with other errors: if something fitted, any error means that this does not.
    return reply.status is Status.ERROR and bool(search.fits)


def peak_bytes(reply: Reply) -> int:
    """The peak memory of a batch in bytes; 0 if it is unknown."""
    return max((int(sample.value) for sample in reply.samples if sample.metric == "fit_peak"), default=0)


def tried(learned: Learned, variant_id: str, search: fit.Search, beyond: int | None) -> Learned:
    """What was learned, with the sizes that a search has tried. `beyond` is a size beyond torch's 32-bit indices."""
    sizes = learned.tried | {variant_id: list(search.tried.items())}
    by_index = {} if beyond is None else {variant_id: beyond}
    return replace(learned, tried=sizes, beyond_index=learned.beyond_index | by_index)
