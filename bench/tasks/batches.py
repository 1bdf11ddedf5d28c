"""The endless stream of batches that the steps of a trial take."""

from collections.abc import Iterable, Iterator
from typing import Any

from torch.utils.data import DataLoader, Sampler

from bench.tasks.find import described
from bench.tasks.nest import tensors
from bench.tasks.task import Task, TaskError


class Batches:
    """What each step of a task takes: as many batches as it accumulates. Batches that end are begun again."""

    def __init__(self, task: Task, batch_size: int, name: str) -> None:
        """Raises TaskError if `batches(batch_size)` gives nothing that can be iterated."""
        self.task, self.batch_size, self.name = task, batch_size, name
        self.source = self._begun()
        """The user's own iterable."""
        self.begun = 1
        """How often the batches were begun."""
        self.counted = 0
        """The items of all batches so far."""
        self._steps = 0
        self._stream = self._endless()

    @property
    def items(self) -> float:
        """The mean items of a step so far."""
        return self.counted / max(1, self._steps)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return self

    def __next__(self) -> tuple[Any, ...]:
        taken = tuple(next(self._stream) for _ in range(self.task.accumulate))
        self.counted += sum(item_count(self.task, batch) for batch in taken)
        self._steps += 1
        return taken

    def _begun(self) -> Iterable[Any]:
        try:
            source = self.task.batches(self.batch_size)
            iter(source)
        except Exception as error:
            msg = f"task {self.name}: batches({self.batch_size}) failed: {described(error)}"
            raise TaskError(msg) from error
        return source

    def _endless(self) -> Iterator[Any]:
        if isinstance(self.source, DataLoader) and self.source.num_workers and self.source.batch_sampler is not None:
            yield from endless_loader(self.source, self.source.batch_sampler)
        while True:
            batch_count = 0
            for batch in self.source:
                batch_count += 1
                yield batch
            if not batch_count:
                msg = f"task {self.name}: batches({self.batch_size}) has no batch"
                raise TaskError(msg)
            self.begun += 1
            if isinstance(self.source, Iterator):  # it has ended for good
                self.source = self._begun()


def item_count(task: Task, batch: Any) -> int:  # noqa: ANN401
    """How many units a batch has: as the task says, or the first dimension of its first tensor."""
    count = task.items(batch)
    if count is None:
        first = next(tensors(batch), None)
        count = first.shape[0] if first is not None and first.dim() else 1
    return int(count)


def endless_loader(loader: DataLoader[Any], batches: Iterable[list[int]]) -> DataLoader[Any]:
    """A loader of the same batches, in the same order, in one epoch that never ends.

    A DataLoader's workers stop at the end of an epoch, and the next one begins with an empty queue. That can take a
    tenth of the subset's short epochs, and next to nothing of the epochs of 60,000 images that a report is about.
    """
    return DataLoader(
        loader.dataset,
        batch_sampler=EndlessBatches(batches),
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=loader.generator,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
    )


class EndlessBatches(Sampler[list[int]]):
    """The indices of each batch, epoch after epoch."""

    def __init__(self, batches: Iterable[list[int]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[list[int]]:
        while True:
            yield from self.batches
