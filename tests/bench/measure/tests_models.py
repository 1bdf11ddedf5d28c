"""Small models for tests, named as `tests_models:factory`."""

import torch
from torch import Tensor, nn


class Square(nn.Module):
    """x * x: saves its input twice, as one storage."""

    def forward(self, x: Tensor) -> Tensor:
        return x * x


class Twice(nn.Module):
    """A ReLU, a square and a head."""

    def __init__(self, pixels: int, num_classes: int) -> None:
        super().__init__()
        self.relu, self.square, self.head = nn.ReLU(), Square(), nn.Linear(pixels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        # The input gets a gradient, so that what the first layers save is saved.
        return self.head(self.square(self.relu(x.requires_grad_())).flatten(1))  # type: ignore[no-any-return]


class Odd(nn.Module):
    """A ReLU called by a keyword twice, by two names; one that is never called; a head whose name is ours."""

    def __init__(self, pixels: int, num_classes: int) -> None:
        super().__init__()
        self.relu, self.unused, self.between = nn.ReLU(), nn.ReLU(), nn.Linear(pixels, num_classes)
        self.again = self.relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.again(input=self.relu(input=x.requires_grad_()))
        return self.between(x.flatten(1))  # type: ignore[no-any-return]


def odd(in_channels: int, num_classes: int) -> nn.Module:
    """For 28x28 images."""
    return Odd(in_channels * 28 * 28, num_classes)


def twice(in_channels: int, num_classes: int) -> nn.Module:
    """For 28x28 images."""
    return Twice(in_channels * 28 * 28, num_classes)


def twice8(in_channels: int, num_classes: int) -> nn.Module:
    """For 8x8 images."""
    return Twice(in_channels * 8 * 8, num_classes)


def no_module(in_channels: int, num_classes: int) -> str:
    """Not a model."""
    return f"{in_channels} {num_classes}"


class Block(nn.Module):
    """A convolution and a ReLU, and a head; `spoil` is done to what the ReLU gives."""

    def __init__(self, in_channels: int, num_classes: int, spoil: nn.Module) -> None:
        super().__init__()
        self.conv, self.relu, self.spoil = nn.Conv2d(in_channels, 8, 3), nn.ReLU(), spoil
        self.conv2, self.pool = nn.Conv2d(8, 8, 3), nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2(self.spoil(self.relu(self.conv(x))))
        return self.head(self.pool(x).flatten(1))  # type: ignore[no-any-return]


class AvgPoolOther(nn.Module):
    """Hands on its input in the default layout."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone(memory_format=torch.contiguous_format)


class NotANumber(nn.Module):
    """Makes the loss one."""

    def forward(self, x: Tensor) -> Tensor:
        return x * float("nan")


class Counting(nn.Module):
    """Its forward depends on how often it ran, which a compiler guards by compiling anew."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x + self.calls


class Noise(nn.Module):
    """Adds to its input what no one can tell beforehand."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.randn_like(x)


def random(in_channels: int, num_classes: int) -> nn.Module:
    """No two calls agree."""
    return Block(in_channels, num_classes, Noise())


def normalised(in_channels: int, num_classes: int) -> nn.Module:
    """Its convolution's bias is taken off again by a batch norm: its gradient is exactly 0."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.BatchNorm2d(16),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, num_classes),
    )  # fmt: skip


def adds_up_many(in_channels: int, num_classes: int) -> nn.Module:
    """Batch norms whose sums have many terms of one sign, and gradients that are alike all over an image."""
    return nn.Sequential(
        nn.Conv2d(in_channels, 16, 3), nn.ReLU(), nn.BatchNorm2d(16), nn.Conv2d(16, 16, 3), nn.ReLU(),
        nn.BatchNorm2d(16), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, num_classes),
    )  # fmt: skip


class WrongInNhwc(nn.Module):
    """Off by a hundredth for images that lie in nhwc."""

    def forward(self, x: Tensor) -> Tensor:
        nhwc = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        return x * 1.01 if nhwc else x * 1.0


def wrong_in_nhwc(in_channels: int, num_classes: int) -> nn.Module:
    """A layer of one's own that is wrong in a layout."""
    return Block(in_channels, num_classes, WrongInNhwc())


class AddsUpTheBatch(nn.Module):
    """Adds to each image what all of the batch come to."""

    def forward(self, x: Tensor) -> Tensor:
        return x + 0.01 * x.sum(dim=0, keepdim=True)


def adds_up_the_batch(in_channels: int, num_classes: int) -> nn.Module:
    """An image's scores depend on how many others there are."""
    return Block(in_channels, num_classes, AddsUpTheBatch())


def honest(in_channels: int, num_classes: int) -> nn.Module:
    """Nothing is wrong with it."""
    return Block(in_channels, num_classes, nn.Identity())


def loses_layout(in_channels: int, num_classes: int) -> nn.Module:
    """Its second layer hands on the default layout."""
    return Block(in_channels, num_classes, AvgPoolOther())


def not_a_number(in_channels: int, num_classes: int) -> nn.Module:
    """Its loss is none."""
    return Block(in_channels, num_classes, NotANumber())


def recompiles(in_channels: int, num_classes: int) -> nn.Module:
    """Every call is another program."""
    return Block(in_channels, num_classes, Counting())


class Residual(nn.Module):
    """A convolution beside a skip, added in code between layers."""

    share = 1.0

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(in_channels, 8, 3), nn.Conv2d(8, 8, 3, padding=1)
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        return self.head(self.pool(x + self.share * self.conv(x)).flatten(1))  # type: ignore[no-any-return]


def residual(in_channels: int, num_classes: int) -> nn.Module:
    """It has a skip."""
    return Residual(in_channels, num_classes)


class Times(nn.Module):
    """Its input times a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class Gated(nn.Module):
    """A branch that does not count before it has learned to, as with a layer scale of 0."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.body, self.branch = Block(in_channels, num_classes, nn.Identity()), nn.Linear(num_classes, num_classes)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(x)
        return x + self.branch(self.gate * x)  # type: ignore[no-any-return]


def half_dead(in_channels: int, num_classes: int) -> nn.Module:
    """A layer of it gets zeros, so no weights give its output a variance."""
    return Gated(in_channels, num_classes)


def explodes(in_channels: int, num_classes: int) -> nn.Module:
    """Its numbers leave the range of float32, whatever its weights."""
    return Block(in_channels, num_classes, nn.Sequential(Times(1e30), Times(1e30)))


class Branching(nn.Module):
    """Even steps take one layer before the head, odd ones another."""

    def __init__(self, pixels: int, num_classes: int) -> None:
        super().__init__()
        self.even, self.odd, self.head = nn.Linear(pixels, 16), nn.Linear(pixels, 16), nn.Linear(16, num_classes)
        self.steps = 0

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        layer = self.odd if self.steps % 2 else self.even
        return self.head(layer(x.flatten(1)))  # type: ignore[no-any-return]


def branching(in_channels: int, num_classes: int) -> nn.Module:
    """For 8x8 images."""
    return Branching(in_channels * 8 * 8, num_classes)


def never_nhwc(in_channels: int, num_classes: int) -> nn.Module:
    """Every layer of images hands on the default layout."""
    model = honest(in_channels, num_classes)
    for module in model.modules():
        if isinstance(module, (nn.Conv2d, nn.ReLU)):
            module.register_forward_hook(lambda _module, _x, y: y.contiguous())
    return model


class Means(nn.Module):
    """The mean of each channel of one convolution, and a head."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(in_channels, 8, 3), nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.conv(x).mean((2, 3)))  # type: ignore[no-any-return]


def means(in_channels: int, num_classes: int) -> nn.Module:
    """The only gradient of an image comes back from a mean."""
    return Means(in_channels, num_classes)


class Autocast(nn.Module):
    """A layer under autocast of its own, switched on or off, that hands on float32."""

    def __init__(self, inner: nn.Module, *, enabled: bool) -> None:
        super().__init__()
        self.inner, self.enabled = inner, enabled

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.enabled):
            return self.inner(x.float()).float()  # type: ignore[no-any-return]


def partly_in_float32(in_channels: int, num_classes: int) -> nn.Module:
    """Its head switches autocast off around itself."""
    model = Block(in_channels, num_classes, nn.Identity())
    model.head = Autocast(model.head, enabled=False)  # type: ignore[assignment]
    return model


def partly_in_half(in_channels: int, num_classes: int) -> nn.Module:
    """Its head computes in bfloat16 unasked."""
    model = Block(in_channels, num_classes, nn.Identity())
    model.head = Autocast(model.head, enabled=True)  # type: ignore[assignment]
    return model


def all_in_half(in_channels: int, num_classes: int) -> nn.Module:
    """Each of its convolutions and its head compute in bfloat16 unasked."""
    return Autocast(honest(in_channels, num_classes), enabled=True)


class Mask(nn.Module):
    """Which elements are above 0: bools."""

    def forward(self, x: Tensor) -> Tensor:
        return x > 0


class Masked(nn.Module):
    """What a layer of bools lets through."""

    def __init__(self) -> None:
        super().__init__()
        self.mask = Mask()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask(x)  # type: ignore[no-any-return]


def counts(in_channels: int, num_classes: int) -> nn.Module:
    """A leaf of it gives bools."""
    return Block(in_channels, num_classes, Masked())


class IgnoresWhatIsReturned(nn.Module):
    """An in-place ReLU whose output is not looked at: it wrote to its input."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv2d(in_channels, 8, 3), nn.ReLU(inplace=True), nn.Linear(8, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x) + 1
        self.relu(x)
        return self.head(x.mean((2, 3)))  # type: ignore[no-any-return]


def ignores_what_is_returned(in_channels: int, num_classes: int) -> nn.Module:
    """Its code goes on with what a layer wrote to."""
    return IgnoresWhatIsReturned(in_channels, num_classes)


class ComplexParameter(nn.Module):
    """A filter in the frequency domain."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(28, 15, dtype=torch.complex64))
        self.body = Block(in_channels, num_classes, nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        return self.body(torch.fft.irfft2(torch.fft.rfft2(x) * self.weight))  # type: ignore[no-any-return]


def complex_parameter(in_channels: int, num_classes: int) -> nn.Module:
    """Its gradients have two parts."""
    return ComplexParameter(in_channels, num_classes)


class Attends(nn.Module):
    """Rows of an image that attend to each other, with torch's own layer and its dropout."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8 * in_channels, 2, 16, batch_first=True)
        self.head = nn.Linear(8 * in_channels, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x.transpose(1, 2).flatten(2)).mean(1))  # type: ignore[no-any-return]


def attends(in_channels: int, num_classes: int) -> nn.Module:
    """A Transformer's layer, for images 8 wide."""
    return Attends(in_channels, num_classes)
