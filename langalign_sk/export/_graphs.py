"""ONNX graphs of fitted maps and kernel expansions, written node by node, and how they are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.optional import import_extra
from ..mapping import Network
from ..mapping.expansion import KernelExpansion
from ._moves import Move

__all__ = [
    "at_opset",
    "import_for_onnx",
    "joined",
    "kernel_graph",
    "maps_graph",
    "mean_graph",
    "opset_of",
    "rows_graph",
    "with_distinct_opsets",
    "with_outputs",
]


# What a probability is at least before its logarithm is taken, here and in the classifier.
_TINY = np.finfo(np.float64).eps


def import_for_onnx(name: str) -> Any:
    """Import a package of the extra for exports."""
    return import_extra(name, f"to_onnx needs the package {name}", "export")


class _Nodes:
    """Nodes and weights of a graph that is being written."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        output: str,
        weights: dict[str, NDArray] | None = None,
        **attributes: Any,
    ) -> str:
        """Add a node, which takes the weights after its inputs, and return its output."""
        names = [f"{output}_{name}" for name in weights or {}]
        self.weights += map(self.onnx.numpy_helper.from_array, (weights or {}).values(), names)
        name = f"{output}_{op}"
        node = self.onnx.helper.make_node(op, [*inputs, *names], [output], name=name, **attributes)
        self.nodes.append(node)
        return output

    def add_float(
        self, op: str, inputs: Sequence[str], output: str, **weights: float | NDArray
    ) -> str:
        """Add a node without attributes, with weights in float32."""
        arrays = {name: np.asarray(value, np.float32) for name, value in weights.items()}
        return self.add(op, inputs, output, arrays)

    def model(self, inputs: dict[str, int], outputs: dict[str, Any], opset: int) -> Any:
        """Model of the nodes, by the widths of its inputs and the types of its outputs."""
        helper, kind = self.onnx.helper, self.onnx.TensorProto.FLOAT
        graph = helper.make_graph(
            self.nodes,
            "langalign_sk",
            [helper.make_tensor_value_info(x, kind, ["n", width]) for x, width in inputs.items()],
            [helper.make_tensor_value_info(name, *of) for name, of in outputs.items()],
            self.weights,
        )
        opsets = [helper.make_opsetid("", opset)]
        # The lowest version of the format that has the operators, for older runtimes.
        version = helper.find_min_ir_version_for(opsets)
        return helper.make_model(graph, opset_imports=opsets, ir_version=version)

    def add_label(self, scores: str, classes: NDArray) -> tuple[Any, list[Any]]:
        """Add the class of the largest score as "label", and return its type and shape."""
        place = self.add("ArgMax", [scores], "label_place", axis=1, keepdims=0)
        is_text = classes.dtype.kind in "OSU"
        names = classes.astype(str).astype(object) if is_text else classes.astype(np.int64)
        weight = self.onnx.numpy_helper.from_array(names, "classes")
        self.weights.append(weight)
        self.add("Gather", ["classes", place], "label")
        return weight.data_type, ["n"]


def maps_graph(onnx: Any, move: Move, opset: int, out: str = "Z") -> Any:
    """ONNX graph of maps, with the input "X"."""
    graph = _Nodes(onnx)
    source = "X"
    for i, network in enumerate(move.networks):
        target = out if i == len(move.networks) - 1 else f"map{i}"
        _add_map(graph, network, f"map{i}_", source, target)
        source = target
    kind = onnx.TensorProto.FLOAT
    outputs = {out: (kind, ["n", move.n_features_out])}
    return graph.model({"X": move.n_features_in}, outputs, opset)


def _add_map(graph: _Nodes, network: Network, prefix: str, source: str, target: str) -> None:
    """Add the nodes of one map."""
    both = network.coef is not None and bool(network.layers)
    if network.coef is not None and network.intercept is not None:
        affine = f"{prefix}affine" if both else target
        weights = {"weight": network.coef, "offset": network.intercept}
        graph.add("Gemm", [source], affine, weights)
    hidden = source
    for i, (weight, bias) in enumerate(network.layers):
        last = i == len(network.layers) - 1
        moved = target if last and not both else f"{prefix}layer{i}"
        graph.add("Gemm", [hidden], moved, {"weight": weight, "offset": bias})
        if not last:
            hidden = graph.add("Relu", [moved], f"{moved}_positive")
    if both:
        graph.add("Add", [affine, moved], target)


def kernel_graph(onnx: Any, expansion: KernelExpansion, opset: int, source: str = "X") -> Any:
    """ONNX graph of a kernel classifier, with the outputs "label" and "probabilities"."""
    graph = _Nodes(onnx)
    kind = onnx.TensorProto
    unit, squared = _add_unit_rows(graph, expansion, source)
    centres = expansion.centres.astype(np.float32)
    lengths = np.einsum("ij,ij->i", centres, centres, dtype=np.float64).astype(np.float32)
    weights = {"centres": centres, "lengths": lengths}
    graph.add("Gemm", [unit], "kernel_products", weights, alpha=-2.0, transB=1)
    graph.add("Add", ["kernel_products", squared], "kernel_differences")
    graph.add("Relu", ["kernel_differences"], "kernel_distances")  # below zero by rounding
    graph.add_float("Mul", ["kernel_distances"], "kernel_exponents", gamma=-expansion.gamma)
    graph.add("Exp", ["kernel_exponents"], "kernel_values")
    graph.add_float(
        "Gemm",
        ["kernel_values"],
        "kernel_scores",
        coef=expansion.coef,
        intercept=expansion.intercept,
    )
    label: tuple[Any, list[Any]]
    n_classes = len(expansion.classes)
    if expansion.multilabel:
        graph.add("Sigmoid", ["kernel_scores"], "probabilities")
        graph.add_float("Greater", ["kernel_scores"], "kernel_label_holds", even=0.0)
        graph.add("Cast", ["kernel_label_holds"], "label", to=kind.INT64)
        label = kind.INT64, ["n", n_classes]
    else:
        graph.add("Softmax", ["kernel_scores"], "probabilities", axis=1)
        label = graph.add_label("kernel_scores", expansion.classes)
    outputs = {"label": label, "probabilities": (kind.FLOAT, ["n", n_classes])}
    return graph.model({source: len(expansion.mean)}, outputs, opset)


def _add_unit_rows(graph: _Nodes, expansion: KernelExpansion, source: str) -> tuple[str, str]:
    """Add centred rows of length one or zero, and return them and their squared lengths."""
    graph.add_float("Sub", [source], "kernel_centred", mean=expansion.mean)
    graph.add("Mul", ["kernel_centred", "kernel_centred"], "kernel_squares")
    graph.add(
        "ReduceSum",
        ["kernel_squares"],
        "kernel_sums",
        {"axis": np.array([1], np.int64)},
        keepdims=1,
    )
    graph.add("Sqrt", ["kernel_sums"], "kernel_norms")
    graph.add_float("Greater", ["kernel_norms"], "kernel_long", rounding=expansion.rounding)
    # No row is divided by zero: some runtimes warn of it.
    graph.add_float("Where", ["kernel_long", "kernel_norms"], "kernel_divisors", one=1.0)
    graph.add("Div", ["kernel_centred", "kernel_divisors"], "kernel_scaled")
    unit = graph.add_float("Where", ["kernel_long", "kernel_scaled"], "kernel_unit", zero=0.0)
    return unit, graph.add(
        "Cast", ["kernel_long"], "kernel_lengths", to=graph.onnx.TensorProto.FLOAT
    )


def rows_graph(onnx: Any, inputs: dict[str, int], views: Sequence[str], opset: int) -> Any:
    """ONNX graph that hands the rows of an encoder to every view.

    Parameters
    ----------
    onnx : module
        The package.
    inputs : dict of str to int
        Names of the inputs, one per encoder, and widths of their rows.
    views : sequence of str
        The input of every view.
    opset : int
        Version of the operators.

    Returns
    -------
    onnx.ModelProto
        The graph, with the outputs "rows0", "rows1", ..., one per view.
    """
    graph = _Nodes(onnx)
    outputs = {}
    for i, name in enumerate(views):
        graph.add("Identity", [name], f"rows{i}")
        outputs[f"rows{i}"] = onnx.TensorProto.FLOAT, ["n", inputs[name]]
    return graph.model(inputs, outputs, opset)


def mean_graph(onnx: Any, temperatures: Sequence[float], classes: NDArray, opset: int) -> Any:
    """ONNX graph of the mean of the probabilities of views, each with its temperature.

    Parameters
    ----------
    onnx : module
        The package.
    temperatures : sequence of float
        Of every view.
    classes : ndarray of shape (n_classes,)
        The classes.
    opset : int
        Version of the operators.

    Returns
    -------
    onnx.ModelProto
        The graph, with the inputs "P0", "P1", ..., one per view.
    """
    graph = _Nodes(onnx)
    calibrated = []
    for i, temperature in enumerate(temperatures):
        source = f"P{i}"
        if temperature != 1:
            graph.add_float("Clip", [source], f"clipped{i}", least=_TINY)
            graph.add("Log", [f"clipped{i}"], f"logs{i}")
            graph.add_float("Div", [f"logs{i}"], f"odds{i}", temperature=temperature)
            source = graph.add("Softmax", [f"odds{i}"], f"tempered{i}", axis=1)
        calibrated.append(source)
    graph.add("Mean", calibrated, "probabilities")
    label = graph.add_label("probabilities", classes)
    n_classes = len(classes)
    outputs = {"label": label, "probabilities": (onnx.TensorProto.FLOAT, ["n", n_classes])}
    return graph.model({f"P{i}": n_classes for i in range(len(temperatures))}, outputs, opset)


def opset_of(model: Any) -> int:
    """Version of the operators of a model."""
    return int(next(opset.version for opset in model.opset_import if opset.domain == ""))


def at_opset(model: Any, opset: int) -> Any:
    """The model, or one with operators of another version."""
    if opset_of(model) == opset:
        return model
    return import_for_onnx("onnx.version_converter").convert_version(model, opset)


def with_outputs(model: Any, outputs: list[str]) -> Any:
    """The part of a model that some of its outputs need."""
    inputs = [x.name for x in model.graph.input]
    part = import_for_onnx("onnx.utils").Extractor(model).extract_model(inputs, outputs)
    part.ir_version = model.ir_version
    return part


def joined(
    onnx: Any, first: Any, second: Any, links: dict[str, str], prefix: str | None = None
) -> Any:
    """One model of two, where outputs of the first are inputs of the second.

    Parameters
    ----------
    onnx : module
        The package.
    first, second : onnx.ModelProto
        Models of one opset.
    links : dict of str to str
        Inputs of the second by outputs of the first.
    prefix : str, default=None
        Put before all names of the second.

    Returns
    -------
    onnx.ModelProto
        The model.
    """
    first.ir_version = second.ir_version = max(first.ir_version, second.ir_version)
    model = onnx.compose.merge_models(first, second, io_map=list(links.items()), prefix2=prefix)
    return with_distinct_opsets(model)


def with_distinct_opsets(model: Any) -> Any:
    """The model, whose opsets are listed once each; those of a merged one may be there twice."""
    distinct = {opset.domain: opset for opset in model.opset_import}
    opsets = [*distinct.values()]
    del model.opset_import[:]
    model.opset_import.extend(opsets)
    return model
