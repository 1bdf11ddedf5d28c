"""Tasks: a plain one, and others that can't be measured as they are."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.tasks import task


class Plain:
    """Nothing is wrong with it."""

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def batches(self, batch_size: int) -> Iterator[dict[str, Tensor]]:
        chance = torch.Generator().manual_seed(0)
        while True:
            x = torch.rand(batch_size, 4, generator=chance)
            yield {"x": x, "y": x.sum(dim=1, keepdim=True)}

    def loss(self, model: Any, batch: dict[str, Tensor]) -> Tensor:  # noqa: ANN401
        return nn.functional.mse_loss(model(batch["x"]), batch["y"])


class Child(task.Task, Plain):
    """A subclass, whose own parts come before those of Task."""

    unit = "rows"
    model, batches, loss = Plain.model, Plain.batches, Plain.loss


class Sized(Plain):
    def __init__(self, width: int, kind: str = "deep") -> None:
        self.width, self.kind = width, kind

    def model(self) -> nn.Module:
        return nn.Sequential(nn.Linear(4, self.width), nn.Tanh(), nn.Linear(self.width, 1))


def sized(width: int = 8, kind: str = "deep") -> Sized:
    return Sized(width, kind)


class Unfinished(task.Task):
    def model(self) -> nn.Module:
        return nn.Linear(4, 1)


class NoLoss:
    model, batches = Plain.model, Plain.batches


class HoldsModel(Plain):
    def __init__(self) -> None:
        self.model = nn.Linear(4, 1)  # type: ignore[method-assign]


class Pair(Plain):
    def loss(self, model: Any, batch: dict[str, Tensor]) -> Tensor:  # noqa: ANN401
        return super().loss(model, batch), 0  # type: ignore[return-value]


class Rows(Plain):
    def loss(self, model: Any, batch: dict[str, Tensor]) -> Tensor:  # noqa: ANN401
        return model(batch["x"]) - batch["y"]  # type: ignore[no-any-return]


class Detached(Plain):
    def loss(self, model: Any, batch: dict[str, Tensor]) -> Tensor:  # noqa: ANN401
        return super().loss(model, batch).detach()


class OtherModel(Plain):
    def loss(self, model: Any, batch: dict[str, Tensor]) -> Tensor:  # noqa: ANN401, ARG002
        return super().loss(nn.Linear(4, 1), batch)


class Empty(Plain):
    def batches(self, batch_size: int) -> Any:  # noqa: ANN401, ARG002
        return []


class Words(Plain):
    def batches(self, batch_size: int) -> Any:  # noqa: ANN401
        return [["a"] * batch_size]


class CountsNothing(Plain):
    def items(self, batch: object) -> int:  # noqa: ARG002
        return 0


class NoOptimizer(Plain):
    def optimizer(self, parameters: object) -> object:
        return parameters


class OptimizesAnother(Plain):
    def optimizer(self, parameters: object) -> torch.optim.Optimizer:  # noqa: ARG002
        return torch.optim.SGD(self.model().parameters(), lr=0.1)


class TakesModel(Plain):
    def optimizer(self, parameters: object, model: nn.Module) -> torch.optim.Optimizer:  # noqa: ARG002
        return torch.optim.SGD(model.parameters(), lr=0.1)


class TwoWords(Plain):
    unit = "many words"


class HalfBatches(Plain):
    accumulate = 0.5


class ClipsAll(Plain):
    clip = 0


class Fails(Plain):
    def loss(self, model: Any, batch: dict[str, Tensor]) -> Tensor:  # noqa: ANN401
        return super().loss(model, {"x": batch["x"].flatten(), "y": batch["y"]})


def needs(width: int) -> Plain:  # noqa: ARG001
    return Plain()


A_MODEL = nn.Linear(4, 1)
AN_OBJECT = Plain()


class Evaluates(Plain):
    """It leaves the model in eval mode, as an evaluation may."""

    def periodic(self, model: nn.Module) -> dict[str, Any]:
        return {"evaluation": (1000, model.eval), "a schedule": (1, lambda: None)}


class EvaluatesWrongly(Plain):
    def periodic(self, model: nn.Module) -> Any:  # noqa: ANN401, ARG002
        return {"evaluation": 1000}


class EvaluationFails(Plain):
    def periodic(self, model: nn.Module) -> Any:  # noqa: ANN401
        return {"evaluation": (1000, lambda: model(1))}
