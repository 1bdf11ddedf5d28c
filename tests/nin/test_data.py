"""The images are what they say they are."""

import pytest
import torch

from nin import data


def full_or_skip() -> data.Source:
    source = data.find()
    if source.is_subset:
        pytest.skip("the full Fashion-MNIST is not on this machine")
    return source


def test_subset_is_stratified(images: data.Images) -> None:
    test_images = data.load(data.subset(), train=False)

    assert [200] * 10 == torch.bincount(images.labels_N).tolist()
    assert [50] * 10 == torch.bincount(test_images.labels_N).tolist()
    assert (2000, 1, 28, 28) == tuple(images.pixels_NCHW.shape)


@pytest.mark.parametrize("train", [True, False])
def test_subset_is_the_first_images_of_each_class_unchanged(train: bool) -> None:
    full, small = data.load(full_or_skip(), train=train), data.load(data.subset(), train=train)

    for label in range(data.CLASSES):
        mine = small.pixels_NCHW[small.labels_N == label]
        assert torch.equal(full.pixels_NCHW[full.labels_N == label][: len(mine)], mine)


def test_full_set_has_its_published_statistics() -> None:
    source = full_or_skip()
    train, test = data.load(source, train=True), data.load(source, train=False)
    pixels = train.pixels_NCHW.double() / 255

    assert [6000] * 10 == torch.bincount(train.labels_N).tolist()
    assert [1000] * 10 == torch.bincount(test.labels_N).tolist()
    # Mean and deviation of the train pixels as widely published: 0.2860 and 0.3530.
    assert pytest.approx(0.28604, abs=1e-5) == pixels.mean().item()
    assert pytest.approx(0.35302, abs=1e-5) == pixels.std().item()


def test_random_images_come_from_their_seed() -> None:
    one, same, other = (data.random_images((3, 8, 8), 7, seed) for seed in (1, 1, 2))

    assert torch.equal(one.pixels_NCHW, same.pixels_NCHW)
    assert not torch.equal(one.pixels_NCHW, other.pixels_NCHW)
    assert int(one.labels_N.max()) == 6
