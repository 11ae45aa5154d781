"""ONNX graphs of the steps behind an aligner: kernel heads by hand, others by skl2onnx."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from ..aligner._frozen import thawed
from ._graphs import (
    at_opset,
    import_for_onnx,
    joined,
    kernel_graph,
    maps_graph,
    opset_of,
    with_distinct_opsets,
    with_outputs,
)
from ._moves import Move

__all__ = ["steps_of", "with_steps"]


def steps_of(estimator: Any) -> Iterator[Any]:
    """Steps of a Pipeline, those of Pipelines inside it, and what a search has found to be best."""
    estimator = thawed(estimator)
    if hasattr(estimator, "best_estimator_"):
        yield from steps_of(estimator.best_estimator_)
    elif isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            yield from steps_of(step)
    elif estimator not in (None, "passthrough"):
        yield estimator


def with_steps(onnx: Any, move: Move, rest: Pipeline, opset: int) -> Any:
    """ONNX graph of the maps and the fitted steps behind them, with the input "X"."""
    rows = "moved" if move.networks else "X"
    width = move.n_features_out
    names = ", ".join(type(step).__name__ for _, step in rest.steps)
    try:
        head = _graph_of(onnx, rest, rows, width, opset)
        agrees = _agrees(onnx, head, rest, width)
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(
            f"skl2onnx could not convert the steps behind the aligner ({names}). Use steps that it "
            f"supports, or export the aligner alone and keep the others in scikit-learn. {error}"
        ) from error
    if not agrees:
        raise ValueError(
            f"The graph of the steps behind the aligner ({names}) is wrong: its results on random rows "
            "are not those of scikit-learn. Use another classifier, such as LogisticRegression, or "
            "export the aligner alone."
        )
    if not move.networks:
        return head
    maps = maps_graph(onnx, move, opset_of(head), out=rows)
    return joined(onnx, maps, head, {rows: rows})


def _graph_of(onnx: Any, rest: Pipeline, rows: str, width: int, opset: int) -> Any:
    """ONNX graph of the steps, whose input has the name `rows`."""
    if not hasattr(rest[-1], "kernel_expansion"):
        return _converted(rest, rows, width, opset)
    expansion = rest[-1].kernel_expansion()
    if len(rest) == 1:
        return kernel_graph(onnx, expansion, opset, rows)
    before = at_opset(_converted(rest[:-1], rows, width, opset), opset)
    return joined(onnx, before, kernel_graph(onnx, expansion, opset, "Z"), {"Z": "Z"})


def _converted(rest: Pipeline, rows: str, width: int, opset: int) -> Any:
    """ONNX graph of the steps by skl2onnx."""
    skl2onnx = import_for_onnx("skl2onnx")
    kind = import_for_onnx("skl2onnx.common.data_types").FloatTensorType([None, width])
    answer = _answer(rest)
    outputs = ["Z" if answer == "transform" else "prediction"]
    if is_classifier(rest):
        outputs = ["label", "probabilities"]
    # skl2onnx fails on LinearSVC in a Pipeline unless the last step has an entry.
    options: dict[Any, Any] = {id(rest[-1]): {}}
    if answer == "predict_proba":
        options = {"zipmap": False}
    with warnings.catch_warnings():
        # skl2onnx 1.20 reads attributes of SVC that are deprecated in scikit-learn 1.9.
        warnings.filterwarnings("ignore", "Attribute `prob[AB]_` was", FutureWarning)
        head = skl2onnx.convert_sklearn(
            rest,
            initial_types=[(rows, kind)],
            final_types=[(output, None) for output in outputs],
            options=options,
            target_opset=opset,
        )
    if outputs[0] == "label" and answer != "predict_proba":
        # The form of the scores depends on the classifier.
        head = with_outputs(head, ["label"])
    return with_distinct_opsets(head)


def _answer(rest: Pipeline) -> str:
    """Method that a graph of the steps stands for."""
    return next(a for a in ("predict_proba", "predict", "transform") if hasattr(rest, a))


def _agrees(onnx: Any, head: Any, rest: Pipeline, width: int) -> bool:
    """Whether the graph of the steps gives the results of scikit-learn on random rows."""
    # Rows of many lengths, as probabilities of long rows are 0 and 1 in any case.
    lengths = np.geomspace(0.01, 10 * width**0.5, 32)[:, None]
    rows = np.random.default_rng(0).normal(size=(32, width)) * lengths / width**0.5
    rows = rows.astype(np.float32)
    evaluator = import_for_onnx("onnx.reference").ReferenceEvaluator(head)
    with np.errstate(over="ignore", invalid="ignore"):  # logistic functions of long rows
        got = evaluator.run(None, {head.graph.input[0].name: rows})[-1]
    with warnings.catch_warnings():
        # The steps may have been fitted on data frames.
        warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
        answer = _answer(rest)
        expected = np.asarray(getattr(rest, answer)(rows))
    got = np.reshape(got, expected.shape)
    if answer == "predict" and is_classifier(rest):
        return np.array_equal(got, expected)
    return np.allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
