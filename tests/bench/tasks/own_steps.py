"""Tasks with steps of their own."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

Phase = Callable[[str], AbstractContextManager[None]]


def batches(batch_size: int) -> Iterator[Tensor]:
    chance = torch.Generator().manual_seed(0)
    while True:
        yield torch.rand(batch_size, 4, generator=chance)


class Two:
    """Two models and two optimizers; it names no phase."""

    unit = "rows"

    def models(self) -> dict[str, nn.Module]:
        self.G = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
        self.D = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
        self.optimizers: list[torch.optim.Optimizer] = [
            torch.optim.SGD(net.parameters(), lr=0.01) for net in (self.G, self.D)
        ]
        return {"G": self.G, "D": self.D}

    def batches(self, batch_size: int) -> Iterator[Tensor]:
        return batches(batch_size)

    def step(self, batches: Iterator[Tensor]) -> Tensor:
        of_G, of_D = self.optimizers
        of_D.zero_grad()
        self.D(self.G(next(batches)).detach()).mean().backward()
        of_D.step()
        of_G.zero_grad()
        loss: Tensor = self.D(self.G(next(batches))).mean()
        loss.backward()
        of_G.step()
        return loss


class Named(Two):
    """The same step, which names its phases; one comes twice."""

    def step(self, batches: Iterator[Tensor], phase: Phase) -> Tensor:  # type: ignore[override]
        of_G, of_D = self.optimizers
        with phase("D"):
            of_D.zero_grad()
            self.D(self.G(next(batches)).detach()).mean().backward()
        with phase("update"):
            of_D.step()
        with phase("G"):
            of_G.zero_grad()
            loss: Tensor = self.D(self.G(next(batches))).mean()
            loss.backward()
        with phase("update"):
            of_G.step()
        return loss


class WithState(Two):
    def models(self) -> dict[str, nn.Module]:
        made = super().models()
        self.optimizers = [torch.optim.Adam(net.parameters()) for net in (self.G, self.D)]
        return made


class TwoOfOne(Two):
    """One model with an optimizer for each half."""

    def model(self) -> nn.Module:
        self.net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
        self.optimizers = [torch.optim.SGD(half.parameters(), lr=0.01) for half in self.net]
        return self.net

    models = None  # type: ignore[assignment]

    def step(self, batches: Iterator[Tensor]) -> float:  # type: ignore[override]
        loss = self.net(next(batches)).mean()
        loss.backward()
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        return float(loss.item())


class WarmsUp(Two):
    """Its first step has a learning rate of 0."""

    def step(self, batches: Iterator[Tensor]) -> Tensor:
        loss = super().step(batches)
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = 0.01
        return loss

    def models(self) -> dict[str, nn.Module]:
        made = super().models()
        for optimizer in self.optimizers:
            optimizer.param_groups[0]["lr"] = 0.0
        return made


class Unpulled(Two):
    def step(self, batches: object) -> None:  # type: ignore[override]
        pass


class Still(Two):
    def step(self, batches: Iterator[Tensor]) -> None:  # type: ignore[override]
        next(batches)


class OtherArguments(Two):
    def step(self, data: object, rate: float) -> None:  # type: ignore[override]
        pass


class Fails(Two):
    def step(self, batches: Iterator[Tensor]) -> Tensor:
        loss: Tensor = self.D(next(batches)[:, :2])
        return loss
