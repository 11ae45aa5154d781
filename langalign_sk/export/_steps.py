"""ONNX graphs of the scikit-learn steps behind an aligner, by skl2onnx."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from ._graphs import import_for_onnx, maps_graph
from ._moves import Move

__all__ = ["with_steps"]


def with_steps(onnx: Any, move: Move, rest: Pipeline, opset: int) -> Any:
    """ONNX graph of the maps and the steps behind them."""
    skl2onnx = import_for_onnx("skl2onnx")
    rows = "moved" if move.networks else "X"
    answer = next(a for a in ("predict_proba", "predict", "transform") if hasattr(rest, a))
    outputs = ["Z" if answer == "transform" else "prediction"]
    if is_classifier(rest):
        outputs = ["label", "probabilities"]
    kind = import_for_onnx("skl2onnx.common.data_types").FloatTensorType(
        [None, move.n_features_out]
    )
    # skl2onnx fails on LinearSVC in a Pipeline unless the last step has an entry.
    options: dict[Any, Any] = {id(rest[-1]): {}}
    if answer == "predict_proba":
        options = {"zipmap": False}
    names = ", ".join(type(step).__name__ for _, step in rest.steps)
    try:
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
            head = import_for_onnx("onnx.utils").Extractor(head).extract_model([rows], ["label"])
        agrees = _agrees(onnx, head, rest, answer, move.n_features_out)
    except Exception as error:
        raise ValueError(
            f"skl2onnx could not convert the steps behind the aligner ({names}). Use steps that it "
            f"supports, or export the aligner alone and keep the others in scikit-learn. {error}"
        ) from error
    if not agrees:
        raise ValueError(
            f"skl2onnx converts the steps behind the aligner ({names}) wrongly: its results on random "
            "rows are not those of scikit-learn. Use another classifier, such as "
            "LogisticRegression, or export the aligner alone."
        )
    if not move.networks:
        return head
    used = next(opset.version for opset in head.opset_import if opset.domain == "")
    maps = maps_graph(onnx, move, used, out=rows)
    maps.ir_version = head.ir_version
    return onnx.compose.merge_models(maps, head, io_map=[(rows, rows)])


def _agrees(onnx: Any, head: Any, rest: Pipeline, answer: str, width: int) -> bool:
    """Whether the converted steps give the results of scikit-learn on random rows."""
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
        expected = np.asarray(getattr(rest, answer)(rows))
    got = np.reshape(got, expected.shape)
    if answer == "predict" and is_classifier(rest):
        return np.array_equal(got, expected)
    return np.allclose(got, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
