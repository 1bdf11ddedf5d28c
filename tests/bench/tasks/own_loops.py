"""Tasks whose code has a loop and no step."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

Done = Callable[..., None]


class Loop:
    """A trainer that makes all by itself."""

    unit = "rows"

    def train(self, step_done: Done, steps: int, device: torch.device, batch_size: int) -> None:
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1)).to(device)
        optimizer = torch.optim.Adam(model.parameters())
        loader = DataLoader(TensorDataset(torch.rand(3 * batch_size, 4)), batch_size=batch_size)
        taken = 0
        while taken < steps:
            for (x,) in loader:
                loss = model(x.to(device)).square().mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                taken += 1
                step_done(loss=loss, items=len(x), model=model, optimizer=optimizer)


class Uncounted(Loop):
    def train(self, step_done: Done, steps: int, device: torch.device, batch_size: int) -> None:
        super().train(lambda **given: step_done(model=given["model"]), steps, device, batch_size)


class Short:
    def train(self, step_done: Done) -> None:
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(2):
            model(torch.ones(1, 2)).sum().backward()
            optimizer.step()
            step_done(model=model)


class NoModel:
    def train(self, step_done: Done, steps: int) -> None:
        for _ in range(steps):
            step_done(loss=1.0)


class Fails:
    def train(self, step_done: Done) -> None:
        step_done(model=nn.Linear(2, 1))
        msg = "no more data"
        raise ValueError(msg)


class OtherArguments:
    def train(self, callback: Any) -> None:  # noqa: ANN401
        pass
