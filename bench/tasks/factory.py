"""Models by name: how one is made, and what it must be to be measured layer by layer."""

import sys
from typing import Any

import torch
from torch import nn

from bench.tasks.find import FindError, find, made
from nin.model import NiN


class ModelError(Exception):
    """The model can't be made or can't be measured; the text is one line that says what to do."""


def build_model(name: str, in_channels: int, num_classes: int) -> nn.Module:
    """The model of the axis `model`: nin, torchvision.models:NAME or package.module:factory.

    A factory gets those of in_channels and num_classes that it takes. torchvision's take num_classes and three
    channels: grey images are shown to them on all three. Raises ModelError if the model can't be made, or if its
    layers can't be measured.
    """
    if name == "nin":
        return NiN(in_channels, num_classes)
    try:
        model = (torchvision_model if name.startswith("torchvision.models:") else own_model)(
            name, in_channels, num_classes
        )
    except FindError as error:
        msg = f"model {name}: {error}"
        raise ModelError(msg) from error
    if unfit := why_unfit(model):
        msg = f"model {name}: {unfit}"
        raise ModelError(msg)
    return model


def own_model(name: str, in_channels: int, num_classes: int) -> Any:  # noqa: ANN401 - of the user's code
    """What the user's own factory returns."""
    if isinstance(find(name), nn.Module) or not callable(find(name)):
        msg = "it is not a function: name one that returns the model, factory(in_channels, num_classes)"
        raise FindError(msg)
    return made(name, {"in_channels": in_channels, "num_classes": num_classes})


def torchvision_model(name: str, in_channels: int, num_classes: int) -> nn.Module:
    """A model of torchvision's, with grey images repeated on three channels."""
    if in_channels not in (1, 3):
        msg = f"model {name} takes images of 3 channels (or 1, repeated), got {in_channels}"
        raise ModelError(msg)
    # With auxiliary heads these two return more than class scores in training.
    heads = name.endswith((":googlenet", ":inception_v3"))
    factory, more = find(name), {"aux_logits": False, "init_weights": True} if heads else {}
    try:
        model: nn.Module = factory(num_classes=num_classes, **more)
    except Exception as error:
        msg = f"its factory failed: {type(error).__name__}: {error}"
        raise FindError(msg) from error
    if in_channels == 1:
        model.register_forward_pre_hook(_on_three_channels)
    return model


def why_unfit(model: object) -> str:
    """Why a model of the user's can't be measured, and what to do; empty if it can."""
    if not isinstance(model, nn.Module):
        return f"the factory must return an nn.Module, got {type(model).__name__}"
    return _hidden(model) or _untrained(model)


def _hidden(model: nn.Module) -> str:
    if any(isinstance(module, torch.jit.ScriptModule) for module in model.modules()):
        return "it is scripted, which hides its layers: return the plain model"
    if any(is_compiled(module) for module in model.modules()):
        return "it is compiled already: return the plain model, and compile it by the axis compile_mode"
    return ""


def _untrained(model: nn.Module) -> str:
    if lazy := [key for key, value in model.named_parameters() if isinstance(value, nn.UninitializedParameter)]:
        return f"{lazy[0]} has no shape yet (a lazy layer): show the model a batch in its factory, or give the sizes"
    if any(parameter.is_meta for parameter in model.parameters()):
        return "it is on the device meta, which holds no numbers: make it on the CPU"
    if not any(parameter.requires_grad for parameter in model.parameters()):
        return "it has no parameter to train"
    if still := [path for path, module in model.named_modules() if not module.training]:
        return f"{still[0] or 'it'} is in eval mode, and every layer is measured in training: call .train() on it"
    return ""


def is_compiled(module: nn.Module) -> bool:
    """Whether torch.compile made the module, or compiled it in place."""
    dynamo = sys.modules.get("torch._dynamo.eval_frame")
    made = dynamo is not None and isinstance(module, dynamo.OptimizedModule)
    in_place = getattr(module, "_compiled_call_impl", None) is not None
    return made or in_place or hasattr(module.forward, "_torchdynamo_orig_callable")


def _on_three_channels(
    module: nn.Module,  # noqa: ARG001 - a hook's signature
    arguments: tuple[torch.Tensor, ...],
) -> tuple[torch.Tensor, ...]:
    x_NCHW = arguments[0]
    return (x_NCHW.expand(-1, 3, -1, -1), *arguments[1:])
