"""Fashion-MNIST's images as tensors."""

from dataclasses import dataclass

import torch

from nin.files import CLASSES, IMAGE_SIZE, RANDOM_IMAGES, DataError, Source, find, stored, subset

# A worker that measures another tree imports all of these from that tree's nin.data: older trees have no nin.files.
__all__ = ["CLASSES", "RANDOM_IMAGES", "DataError", "Images", "Source", "find", "load", "random_images", "subset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """Labelled images as they are stored: uint8 pixels (N, C, H, W) and int64 labels (N,)."""

    pixels_NCHW: torch.Tensor
    labels_N: torch.Tensor
    size: int | None = None
    """The side to which a loader resizes them, in pixels; None leaves them as they are."""

    def __len__(self) -> int:
        return len(self.labels_N)

    def first(self, count: int | None) -> "Images":
        """The first `count` images; all of them for None."""
        return Images(pixels_NCHW=self.pixels_NCHW[:count], labels_N=self.labels_N[:count], size=self.size)


def load(source: Source, *, train: bool) -> Images:
    """The train or the test images of a source, to be resized to 224x224.

    Raises DataError if a file is not, byte for byte, Fashion-MNIST's (or the subset's).
    """
    pixels, labels = stored(source, train=train)
    return Images(
        pixels_NCHW=torch.frombuffer(pixels, dtype=torch.uint8).view(-1, 1, 28, 28),
        labels_N=torch.frombuffer(labels, dtype=torch.uint8).long(),
        size=IMAGE_SIZE,
    )


def random_images(shape: tuple[int, int, int], classes: int, seed: int, count: int = RANDOM_IMAGES) -> Images:
    """Seeded noise of shape (C, H, W) with labels below `classes`, in place of other data."""
    generator = torch.Generator().manual_seed(seed)
    return Images(
        pixels_NCHW=torch.randint(0, 256, (count, *shape), dtype=torch.uint8, generator=generator),
        labels_N=torch.randint(0, classes, (count,), generator=generator),
    )
