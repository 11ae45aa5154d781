"""ONNX graphs of fitted maps, written node by node."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from .._utils.optional import import_extra
from ..mapping import Network
from ._moves import Move

__all__ = ["import_for_onnx", "maps_graph"]


def import_for_onnx(name: str) -> Any:
    return import_extra(name, f"to_onnx needs the package {name}", "export")


def maps_graph(onnx: Any, move: Move, opset: int, out: str = "Z") -> Any:
    """ONNX graph of the maps, with the input "X"."""
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes: list[Any] = []
    weights: list[Any] = []
    source = "X"
    for i, network in enumerate(move.networks):
        target = out if i == len(move.networks) - 1 else f"map{i}"
        for op, inputs, output, arrays in _operations(network, f"map{i}_", source, target):
            names = [f"{output}_{part}" for part in ("weight", "offset")[: len(arrays)]]
            weights += map(onnx.numpy_helper.from_array, arrays, names)
            nodes.append(helper.make_node(op, [*inputs, *names], [output], name=f"{output}_{op}"))
        source = target
    graph = helper.make_graph(
        nodes,
        "langalign_sk",
        [helper.make_tensor_value_info("X", kind, ["n", move.n_features_in])],
        [helper.make_tensor_value_info(out, kind, ["n", move.n_features_out])],
        weights,
    )
    opsets = [helper.make_opsetid("", opset)]
    # The lowest version of the format that has the operators, for older runtimes.
    version = helper.find_min_ir_version_for(opsets)
    return helper.make_model(graph, opset_imports=opsets, ir_version=version)


def _operations(
    network: Network, prefix: str, source: str, target: str
) -> Iterator[tuple[str, list[str], str, list[NDArray]]]:
    """Operators of one map, with their inputs, output and weights."""
    both = network.coef is not None and bool(network.layers)
    if network.coef is not None and network.intercept is not None:
        affine = f"{prefix}affine" if both else target
        yield "Gemm", [source], affine, [network.coef, network.intercept]
    hidden = source
    for i, (weight, bias) in enumerate(network.layers):
        last = i == len(network.layers) - 1
        moved = target if last and not both else f"{prefix}layer{i}"
        yield "Gemm", [hidden], moved, [weight, bias]
        if not last:
            hidden = f"{moved}_positive"
            yield "Relu", [moved], hidden, []
    if both:
        yield "Add", [affine, moved], target, []
