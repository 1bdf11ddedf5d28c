"""The three loaders give the same batches."""

import pytest
import torch
from PIL import Image

from nin import data
from nin.loaders import LOADERS, make_loader

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", [n for n in LOADERS if n != "resident"])
def test_pixels_labels_and_order_are_the_same_bit_for_bit(name: str, images: data.Images) -> None:
    few = images.first(70)
    ours, theirs = (make_loader(n, few, 32, device=CPU, seed=5) for n in ("resident", name))

    for _ in range(2):  # epochs
        batches = list(zip(ours, theirs, strict=True))
        assert [32, 32, 6] == [len(y) for (_, y), _ in batches]
        for (x, y), (x_other, y_other) in batches:
            assert torch.equal(x, x_other)
            assert torch.equal(y, y_other)


def test_resident_pixels_are_pils(images: data.Images) -> None:
    x, _ = next(iter(make_loader("resident", images.first(64), 64, device=CPU)))
    resized = [
        torch.frombuffer(
            bytearray(Image.fromarray(p.numpy()).resize((224, 224), Image.Resampling.BILINEAR).tobytes()),
            dtype=torch.uint8,
        ).view(1, 224, 224)
        for p in images.pixels_NCHW[:64, 0]
    ]

    assert torch.equal(torch.stack(resized).float() / 255, x)


@pytest.mark.parametrize("name", LOADERS)
def test_each_epoch_is_shuffled_anew_and_holds_every_image(name: str, images: data.Images) -> None:
    few = data.Images(pixels_NCHW=images.pixels_NCHW[:40], labels_N=torch.arange(40), size=224)
    loader = make_loader(name, few, 16, device=CPU, seed=1)
    orders = [torch.cat([y for _, y in loader]).tolist() for _ in range(2)]

    assert orders[0] != orders[1]
    assert list(range(40)) == sorted(orders[0]) == sorted(orders[1])


@pytest.mark.parametrize("name", LOADERS)
def test_without_a_seed_the_order_is_the_files(name: str, images: data.Images) -> None:
    loader = make_loader(name, images.first(40), 16, device=CPU)

    assert torch.equal(torch.cat([y for _, y in loader]), images.labels_N[:40])


@pytest.mark.parametrize("name", LOADERS)
def test_the_short_last_batch_can_be_dropped(name: str, images: data.Images) -> None:
    loader = make_loader(name, images.first(40), 16, device=CPU, drop_last=True)

    assert 2 == len(loader)
    assert [16, 16] == [len(y) for _, y in loader]


@pytest.mark.parametrize("name", LOADERS)
def test_images_of_other_data_keep_their_shape(name: str) -> None:
    other = data.random_images((3, 32, 32), 10, seed=0, count=8)
    x, _ = next(iter(make_loader(name, other, 8, device=CPU)))

    assert torch.equal(other.pixels_NCHW.float() / 255, x)


def test_unknown_loader_is_an_error_that_lists_them(images: data.Images) -> None:
    with pytest.raises(ValueError, match="resident, notebook, workers, got 'fast'"):
        make_loader("fast", images, 8, device=CPU)


@pytest.mark.gpu
def test_resizing_on_the_gpu_gives_the_same_bits(images: data.Images) -> None:
    here, there = (
        next(iter(make_loader("resident", images.first(200), 200, device=torch.device(d))))[0] for d in ("cpu", "cuda")
    )

    assert torch.equal(here, there.cpu())
