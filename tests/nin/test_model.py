"""The network is the notebook's: shapes, parameters, keys."""

import torch

from nin.model import GlobalAvgPool2d, NiN


def test_shapes_behind_each_block_are_the_notebooks() -> None:
    # The table that the notebook prints for one image.
    expected = [
        (1, 96, 54, 54), (1, 96, 26, 26), (1, 256, 26, 26), (1, 256, 12, 12), (1, 384, 12, 12),
        (1, 384, 5, 5), (1, 384, 5, 5), (1, 10, 5, 5), (1, 10, 1, 1), (1, 10),
    ]  # fmt: skip
    x, shapes = torch.rand(1, 1, 224, 224), []
    for block in NiN().children():
        x = block(x)
        shapes.append(tuple(x.shape))

    assert expected == shapes


def test_parameters_and_keys_are_the_notebooks() -> None:
    model = NiN()
    keys = [f"{b}.{c}.{kind}" for b in (0, 2, 4, 7) for c in (0, 2, 4) for kind in ("weight", "bias")]

    assert keys == list(model.state_dict())
    assert 1_992_166 == sum(p.numel() for p in model.parameters())


def test_global_average_pool_is_the_mean_of_each_plane() -> None:
    x = torch.rand(2, 3, 5, 7)

    torch.testing.assert_close(GlobalAvgPool2d()(x), x.mean(dim=(2, 3), keepdim=True))


def test_channels_and_classes_can_be_chosen() -> None:
    assert (2, 7) == tuple(NiN(in_channels=3, num_classes=7)(torch.rand(2, 3, 224, 224)).shape)
