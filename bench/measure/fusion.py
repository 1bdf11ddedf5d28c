"""Which layers each kernel of a compiled model covers, as inductor's own book-keeping has it.

A pass over the last graph notes the module that each node came from; inductor's provenance notes the nodes of each
kernel. Neither is a public interface of torch: where they are gone or disagree, nothing is said of any kernel.
"""

import json
import re
import traceback
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bench.core.traces import FUSION
from bench.measure.leaves import named, paths

Kernels = dict[str, list[tuple[str, list[str]]]]
"""By phase, the kernels in the order of the generated code: name, and the layers that they cover."""

ROOT = re.compile(r"^L\['\w+'\]\.?")


class Watch:
    """Has inductor name its kernels in a profile and note what they are made from. Make it before anything compiles."""

    def __init__(self) -> None:
        from torch._inductor import config  # noqa: PLC0415 - slow, and eager does without
        from torch._inductor.custom_graph_pass import CustomGraphPass  # noqa: PLC0415
        from torch._inductor.debug import get_kernel_information_jsons  # noqa: PLC0415

        noted: list[dict[str, str]] = []

        class Note(CustomGraphPass):
            """Notes each node's module, and changes nothing."""

            def __call__(self, graph: Any) -> None:  # noqa: ANN401 - torch.fx's
                """Note the innermost module of every node that has one; a constant is shared, and no layer's work."""
                nodes = [node for node in graph.nodes if node.target is not torch.ops.aten.full.default]
                noted.append({node.name: path for node in nodes if (path := module_of(node.meta))})

            def uuid(self) -> None:
                """None: code from a cache would pass by without being noted."""

        self.noted, self.told = noted, get_kernel_information_jsons
        config.trace.provenance_tracking_to_timeline = True  # first: an older torch has it not, and nothing is changed
        config.cpp.enable_kernel_profile = True
        config.post_grad_custom_post_pass = Note()

    def kernels(self, model: nn.Module) -> Kernels:
        """The kernels of everything compiled since; empty where inductor's notes can't be matched."""
        graphs = self.told()
        if len(graphs) != len(self.noted):
            return {}
        found, layers = Kernels(), {path: named(own[0]) for own in paths(model).values() for path in own}
        for (graph, kernels), noted in zip(graphs.items(), self.noted, strict=True):
            # A graph's key is the text of a pair: its region, and whether it is the backward one.
            mine = found.setdefault("backward" if str(graph).endswith("True)") else "forward", [])
            for name, told in sorted(kernels.items(), key=lambda item: int(item[0].rpartition(":")[2])):
                covered = {layers.get(noted.get(node, "")) for node in told["post_grad_nodes"]}
                mine.append(
                    (name.rpartition(":")[0], [layer for layer in dict.fromkeys(layers.values()) if layer in covered])
                )
        return found


def module_of(meta: dict[str, Any]) -> str:
    """The path of the module that a node of a graph came from, forward or backward; empty where it is unknown."""
    stack = meta.get("nn_module_stack") or meta.get("fwd_nn_module_stack") or {}
    return ROOT.sub("", str([path for path, _ in stack.values()][-1])) if stack else ""


def watch() -> Watch | None:
    """A watch, or None where this torch has not what it needs."""
    try:
        return Watch()
    except Exception:  # noqa: BLE001 - no public interface
        traceback.print_exc()
        return None


def write(watch: Watch, model: nn.Module, folder: Path) -> None:
    """Write the kernels beside a trace, if they are known."""
    try:
        found = watch.kernels(model)
    except Exception:  # noqa: BLE001 - no public interface: whatever it raises, the trace stands without it
        traceback.print_exc()
        return
    if found:
        (folder / FUSION).write_text(json.dumps(found), encoding="utf-8")
