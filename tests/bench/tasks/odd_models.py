"""Factories whose models can't be measured as they are."""

import torch
from torch import Tensor, nn


def plain(in_channels: int, num_classes: int) -> nn.Sequential:
    """Nothing is wrong with it."""
    return nn.Sequential(nn.Conv2d(in_channels, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, num_classes))


def compiled(in_channels: int, num_classes: int) -> object:
    """Compiled already."""
    return torch.compile(plain(in_channels, num_classes), backend="eager")


def partly_compiled(in_channels: int, num_classes: int) -> nn.Module:
    """A layer of it is compiled in place."""
    model = plain(in_channels, num_classes)
    model[0].compile(backend="eager")
    return model


def evaluated(in_channels: int, num_classes: int) -> nn.Module:
    """In eval mode."""
    return plain(in_channels, num_classes).eval()


def partly_frozen(in_channels: int, num_classes: int) -> nn.Module:
    """A layer of it is in eval mode, as where a backbone is frozen."""
    model = plain(in_channels, num_classes)
    model[0].eval()
    return model


def lazy(in_channels: int, num_classes: int) -> nn.Module:  # noqa: ARG001 - a factory's signature
    """Its sizes come with the first batch."""
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))


class Head(nn.Module):
    """A layer that torch.jit can script."""

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        return x


def untrained(in_channels: int, num_classes: int) -> nn.Module:  # noqa: ARG001 - a factory's signature
    """It has nothing to train."""
    return Head()


def without_arguments() -> nn.Module:
    """It takes nothing, and is called so."""
    return plain(1, 10)


def of_classes(num_classes: int, depth: int = 1) -> nn.Module:  # noqa: ARG001 - a factory's signature
    """It takes one of the two, by name."""
    return plain(1, num_classes)


def of_sizes(width: int, depth: int, heads: int) -> nn.Module:  # noqa: ARG001
    """It takes what nobody gives."""
    return plain(1, 10)


def nothing(in_channels: int, num_classes: int) -> None:
    """It returns none."""
    plain(in_channels, num_classes)


MODEL = plain(1, 10)


class Pair(nn.Module):
    """Scores and something else."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Two tensors."""
        return self.inner(x), x


def pair(in_channels: int, num_classes: int) -> nn.Module:
    """Its output is no tensor."""
    return Pair(plain(in_channels, num_classes))


def three_classes(in_channels: int, num_classes: int) -> nn.Module:  # noqa: ARG001 - a factory's signature
    """It has its own idea of the classes."""
    return plain(in_channels, 3)


def large_images(in_channels: int, num_classes: int) -> nn.Module:
    """It takes no small image."""
    return nn.Sequential(nn.Conv2d(in_channels, 4, 99), plain(4, num_classes))


def forward_compiled(in_channels: int, num_classes: int) -> nn.Module:
    """Its forward alone is compiled."""
    model = plain(in_channels, num_classes)
    model.forward = torch.compile(model.forward, backend="eager")  # type: ignore[method-assign]
    return model


def meta(in_channels: int, num_classes: int) -> nn.Module:
    """It holds no numbers."""
    return plain(in_channels, num_classes).to("meta")


class Detached(nn.Module):
    """Scores without a gradient."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """The inner's scores."""
        return self.inner(x)  # type: ignore[no-any-return]


def detached(in_channels: int, num_classes: int) -> nn.Module:
    """It can't be trained."""
    return Detached(plain(in_channels, num_classes))


class Detector(nn.Module):
    """Answers as torchvision.models.detection does: losses in training with targets, else boxes of each image."""

    def __init__(self, inner: nn.Module, *, losses: bool) -> None:
        super().__init__()
        self.inner, self.losses = inner, losses

    def forward(self, x: Tensor) -> dict[str, Tensor] | list[dict[str, Tensor]]:
        """A dict of losses, or a dict of boxes and scores for each image."""
        scores = self.inner(x)
        if self.losses:
            return {"loss_classifier": scores.logsumexp(1).mean(), "loss_box_reg": scores.square().mean()}
        return [{"boxes": torch.zeros(1, 4), "scores": row} for row in scores]


def detections(in_channels: int, num_classes: int) -> nn.Module:
    """Boxes for each image."""
    return Detector(plain(in_channels, num_classes), losses=False)


def losses(in_channels: int, num_classes: int) -> nn.Module:
    """A dict of losses."""
    return Detector(plain(in_channels, num_classes), losses=True)


class Targets(nn.Module):
    """It takes targets too."""

    def forward(self, x: Tensor, targets: list[dict[str, Tensor]]) -> Tensor:
        """The images, for so many targets."""
        return x * len(targets)


def needs_targets(in_channels: int, num_classes: int) -> nn.Module:
    """Its forward can't be called with images alone."""
    return nn.Sequential(plain(in_channels, num_classes), Targets())


class OneWay(torch.autograd.Function):
    """Hands on its input, and has no backward."""

    @staticmethod
    def forward(_context: object, x: Tensor) -> Tensor:
        """The input."""
        return x.clone()

    @staticmethod
    def backward(_context: object, _gradient: Tensor) -> Tensor:
        """Not written yet."""
        raise NotImplementedError("not written yet")


class Forwards(nn.Module):
    """A layer without a backward."""

    def forward(self, x: Tensor) -> Tensor:
        """The input."""
        return OneWay.apply(x)  # type: ignore[no-any-return]


def no_backward(in_channels: int, num_classes: int) -> nn.Module:
    """Its scores look trainable."""
    return nn.Sequential(plain(in_channels, num_classes), Forwards())


class Unmoved(nn.Module):
    """Scores that depend on the images alone."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        """The inner's scores without a way back to its weights."""
        with torch.no_grad():
            scores = self.inner(x)
        return scores.requires_grad_()  # type: ignore[no-any-return]


def unmoved(in_channels: int, num_classes: int) -> nn.Module:
    """No gradient reaches a weight."""
    return Unmoved(plain(in_channels, num_classes))
