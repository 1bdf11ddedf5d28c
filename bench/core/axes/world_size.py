"""How many processes train one model together, each on a batch of its own (data parallel training)."""

from bench.core.axes.axis import Axis, Value
from bench.core.axes.kind import OTHERS
from bench.core.axes.place import Place

ALONE = 1
"""The number of ranks of an ordinary training process."""
NOT_DIVIDED = "the batches of a task are not divided among ranks"
"""Why a task is not trained by several ranks."""


class WorldSize(Value):
    """A number of ranks: processes that average their gradients at every step."""

    __slots__ = ()

    @property
    def ranks(self) -> int:
        """How many there are."""
        return int(self.name)

    def why_not(self, place: Place) -> str:
        """Why so many ranks can't run on a machine, in words; empty if nothing is known against it."""
        if self.ranks != ALONE and place.kind in OTHERS:
            return "several ranks train on the CPU and on CUDA devices only"
        found = len(place.machine.cuda.devices) - place.index
        if self.ranks == ALONE or not place.on_cuda or found >= self.ranks:
            return ""
        return f"{self.name} ranks take {self.name} CUDA devices from {place.device} on, there are {max(0, found)}"


def _value(text: str) -> WorldSize:
    if text == str(ALONE):
        return WorldSize(text)
    return WorldSize(
        text,
        words=f"{text} ranks",
        python=(
            f"# one process a rank: torchrun --nproc-per-node={text} train.py",
            "model = DistributedDataParallel(model)  # after init_process_group, with a part of the data for each rank",
        ),
    )


WORLD_SIZE = Axis(
    default=str(ALONE),
    pattern=r"[1-9]\d*",
    pattern_words="a whole number of at least 1",
    of=_value,
    parse=int,
    mark="w{}",
    of_training="inference has no gradients to average",
)
