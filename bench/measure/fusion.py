"""The layers that each kernel of a compiled model covers, by inductor's own records.

A pass over the last graph notes the module that each node came from; inductor's provenance notes the nodes of each
kernel. Neither is a public interface of torch: if they are gone or disagree, no kernel gets layers.
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
"""By phase, the kernels in the order of the generated code: the name, and the layers that it covers."""

ROOT = re.compile(r"^L\['\w+'\]\.?")


class Watch:
    """Makes inductor name its kernels in a profile and note their nodes; made before anything compiles."""

    def __init__(self) -> None:
        from torch._inductor import config  # noqa: PLC0415 - slow, and eager does without
        from torch._inductor.custom_graph_pass import CustomGraphPass  # noqa: PLC0415
        from torch._inductor.debug import get_kernel_information_jsons  # noqa: PLC0415

        module_by_node: list[dict[str, str]] = []  # of each graph

        class Note(CustomGraphPass):
            """Notes each node's module, and changes nothing."""

            def __call__(self, graph: Any) -> None:  # noqa: ANN401 - torch.fx's
                """Note the innermost module of each node that has one, but of no constant: it is no layer's work."""
                nodes = [node for node in graph.nodes if node.target is not torch.ops.aten.full.default]
                modules = {node.name: module_of(node.meta) for node in nodes}
                module_by_node.append({node: path for node, path in modules.items() if path})

            def uuid(self) -> None:
                """None, so that no code comes from a cache: its nodes would not be noted."""

        self.module_by_node, self.kernel_information = module_by_node, get_kernel_information_jsons
        config.trace.provenance_tracking_to_timeline = True  # first: an older torch lacks it and raises
        config.cpp.enable_kernel_profile = True
        config.post_grad_custom_post_pass = Note()

    def kernels(self, model: nn.Module) -> Kernels:
        """The kernels of everything compiled since; empty if inductor's notes don't match the graphs."""
        graphs = self.kernel_information()
        if len(graphs) != len(self.module_by_node):
            return {}
        by_phase = Kernels()
        layers = {path: named(names[0]) for names in paths(model).values() for path in names}
        for (graph, kernels), modules in zip(graphs.items(), self.module_by_node, strict=True):
            # A graph's key is the text of a pair: its region, and whether it is the backward graph.
            rows = by_phase.setdefault("backward" if str(graph).endswith("True)") else "forward", [])
            for name, kernel in sorted(kernels.items(), key=lambda item: int(item[0].rpartition(":")[2])):
                covered = {layers.get(modules.get(node, "")) for node in kernel["post_grad_nodes"]}
                rows.append(
                    (name.rpartition(":")[0], [layer for layer in dict.fromkeys(layers.values()) if layer in covered])
                )
        return by_phase


def module_of(meta: dict[str, Any]) -> str:
    """The path of the module that a node of a graph came from, forward or backward; empty if unknown."""
    stack = meta.get("nn_module_stack") or meta.get("fwd_nn_module_stack") or {}
    return ROOT.sub("", str([path for path, _ in stack.values()][-1])) if stack else ""


def watch() -> Watch | None:
    """A watch, or None if this torch lacks what it needs."""
    try:
        return Watch()
    except Exception:  # noqa: BLE001 - no public interface
        traceback.print_exc()
        return None


def write(watch: Watch, model: nn.Module, folder: Path) -> None:
    """Write the kernels beside a trace, if they are known."""
    try:
        by_phase = watch.kernels(model)
    except Exception:  # noqa: BLE001 - no public interface: whatever it raises, the trace stands without it
        traceback.print_exc()
        return
    if by_phase:
        (folder / FUSION).write_text(json.dumps(by_phase), encoding="utf-8")
