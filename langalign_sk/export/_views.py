"""ONNX graphs of classifiers with several views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from ..aligner._route import RoutedHead
from ._graphs import at_opset, joined, mean_graph, rows_graph, with_outputs
from ._moves import Move
from ._steps import steps_of, with_steps

__all__ = ["inputs_of", "views_graph"]


def inputs_of(heads: Sequence[RoutedHead]) -> list[str]:
    """Input of every head: "X", or "X0", "X1", ... of several encoders."""
    places = [head.place for head in heads]
    return ["X" if max(places) == 0 else f"X{place}" for place in places]


def views_graph(
    onnx: Any, heads: Sequence[RoutedHead], moves: Sequence[Move], classes: NDArray, opset: int
) -> Any:
    """ONNX graph of heads whose probabilities are averaged.

    Parameters
    ----------
    onnx : module
        The package.
    heads : sequence of RoutedHead
        The heads, one per view.
    moves : sequence of Move
        Maps before each of them.
    classes : ndarray of shape (n_classes,)
        The classes.
    opset : int
        Version of the operators.

    Returns
    -------
    onnx.ModelProto
        The graph, with the outputs "label" and "probabilities".
    """
    names = inputs_of(heads)
    widths = {head.place: move.n_features_in for head, move in zip(heads, moves, strict=True)}
    inputs = {f"X{i}" if len(widths) > 1 else "X": widths[i] for i in sorted(widths)}
    model = rows_graph(onnx, inputs, names, opset)
    links = {}
    for i, (head, move) in enumerate(zip(heads, moves, strict=True)):
        steps = Pipeline([(f"step{j}", step) for j, step in enumerate(steps_of(head.model))])
        view = with_outputs(with_steps(onnx, move, steps, opset), ["probabilities"])
        model = joined(onnx, model, at_opset(view, opset), {f"rows{i}": "X"}, f"view{i}_")
        links[f"view{i}_probabilities"] = f"P{i}"
    mean = mean_graph(onnx, [head.temperature for head in heads], classes, opset)
    return joined(onnx, model, mean, links)
