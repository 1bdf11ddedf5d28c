"""The three loaders: the same batches bit for bit, made in three places."""

from collections.abc import Iterator
from typing import Protocol

import torch
import torch.nn.functional as F
from PIL import Image
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler, SequentialSampler

from nin.cgroup import usable_cores
from nin.data import Images

LOADERS = ("resident", "notebook", "workers")
MAX_WORKERS = 4
PINNED = ("cuda", "xpu")
"""The kinds of device that copy from pinned memory while the host goes on. Of torch's mps, 2.9 pins nothing."""

Batch = tuple[torch.Tensor, torch.Tensor]


class Loader(Protocol):
    """Yields one epoch of batches: float pixels in [0, 1] (N, C, H, W) and int64 labels (N,)."""

    def __iter__(self) -> Iterator[Batch]: ...
    def __len__(self) -> int: ...


def make_loader(
    name: str,
    images: Images,
    batch_size: int,
    *,
    device: torch.device,
    seed: int | None = None,
    drop_last: bool = False,
) -> Loader:
    """A loader of `images`: shuffled again each epoch, from `seed`, or in order if `seed` is None.

    `resident` keeps the stored pixels on the device and resizes there; `notebook` runs PIL's Resize
    and ToTensor image by image in this process; `workers` does so in worker processes with pinned
    memory. Raises ValueError for an unknown name.
    """
    sampler: Sampler[int]
    if seed is None:
        sampler = SequentialSampler(images.labels_N)
    else:
        sampler = RandomSampler(images.labels_N, generator=torch.Generator().manual_seed(seed))
    if name == "resident":
        return ResidentLoader(images, batch_size, sampler, device, drop_last=drop_last)
    if name == "notebook":
        return DataLoader(PilDataset(images), batch_size=batch_size, sampler=sampler, drop_last=drop_last)
    if name == "workers":
        return DataLoader(
            PilDataset(images),
            batch_size=batch_size,
            sampler=sampler,
            drop_last=drop_last,
            num_workers=min(MAX_WORKERS, usable_cores()),
            pin_memory=device.type in PINNED,
            persistent_workers=True,
        )
    msg = f"loader must be one of {', '.join(LOADERS)}, got {name!r}"
    raise ValueError(msg)


class PilDataset(Dataset[tuple[torch.Tensor, int]]):
    """Images as the notebook reads them: PIL, Resize, ToTensor."""

    def __init__(self, images: Images) -> None:
        channels = images.pixels_NCHW.shape[1]
        if channels not in (1, 3):
            msg = f"the loaders notebook and workers need images of 1 or 3 channels, got {channels}; use resident"
            raise ValueError(msg)
        from torchvision import transforms  # noqa: PLC0415 - slow to import, and resident does without

        self.images = images
        steps = [transforms.Resize(images.size)] if images.size else []
        self.transform = transforms.Compose([*steps, transforms.ToTensor()])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        pixels_HWC = self.images.pixels_NCHW[index].permute(1, 2, 0).squeeze(2).numpy()
        return self.transform(Image.fromarray(pixels_HWC)), int(self.images.labels_N[index])


class ResidentLoader:
    """Batches resized on the device from stored pixels that live there."""

    def __init__(
        self,
        images: Images,
        batch_size: int,
        sampler: Sampler[int],
        device: torch.device,
        *,
        drop_last: bool,
    ) -> None:
        self.pixels_NCHW = images.pixels_NCHW.to(device)
        self.labels_N = images.labels_N.to(device)
        self.batch_size = batch_size
        self.sampler = sampler
        self.drop_last = drop_last
        self.resize = BilinearResize(images, device) if images.size else None

    def __len__(self) -> int:
        full, rest = divmod(len(self.labels_N), self.batch_size)
        return full if self.drop_last or not rest else full + 1

    def __iter__(self) -> Iterator[Batch]:
        order_N = unwaited(torch.tensor(list(self.sampler)), self.labels_N.device)
        for index in range(len(self)):
            chosen_B = order_N[index * self.batch_size : (index + 1) * self.batch_size]
            pixels = self.pixels_NCHW[chosen_B].float()
            yield (self.resize(pixels) if self.resize else pixels).div(255), self.labels_N[chosen_B]


def unwaited(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """The values on a device. The host does not wait for a GPU, as it would without pinned memory.

    An epoch may be a single batch, and a step that waits can't queue up behind a backlog on the device.
    """
    return values.pin_memory().to(device, non_blocking=True) if device.type in PINNED else values.to(device)


class BilinearResize:
    """PIL's bilinear enlargement of 8-bit images by whole factors, as two matrix products on any device.

    PIL rounds to 8 bits after each of its two passes. For a factor of 8 the coefficients are
    sixteenths and the pixels 8-bit numbers, so every product is exact, under TF32 too.
    """

    def __init__(self, images: Images, device: torch.device) -> None:
        height, width = images.pixels_NCHW.shape[2:]
        if images.size is None or images.size % height or height != width:
            msg = f"needs square images and a whole factor, got {height}x{width} to {images.size}"
            raise ValueError(msg)
        eye_1HH = torch.eye(height, device=device)[None]
        self.weights_SH = F.interpolate(eye_1HH, size=images.size, mode="linear")[0].T.contiguous()

    def __call__(self, pixels_NCHW: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, C, size, size); both hold whole numbers from 0 to 255."""
        wide_NCHS = (pixels_NCHW @ self.weights_SH.T).add_(0.5).floor_()
        return (self.weights_SH @ wide_NCHS).add_(0.5).floor_()
