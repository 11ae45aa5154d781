"""Export of aligners, and of pipelines that begin with one, as ONNX graphs."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._utils.files import replacing
from .._utils.optional import import_extra
from .._version import __version__
from ..aligner import CrossLingualAligner
from ..aligner._frozen import thawed
from ..aligner._route import models_seen
from ..mapping import Network
from ._moves import Move, move_of

if TYPE_CHECKING:
    from onnx import ModelProto

__all__ = ["to_onnx"]


# The first opset whose elementwise operators take rows and offsets of all shapes.
_OLDEST_OPSET = 13


def to_onnx(
    estimator: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    target_lang: str | None = None,
    side: str | None = None,
    opset: int = 17,
) -> ModelProto:
    """ONNX graph of the maps of an aligner and, in a Pipeline, of the steps behind it.

    The graph begins at embeddings, not at text: its input "X", of shape (n, n_features_in) and
    dtype float32, takes rows of the multilingual encoder, with the settings that the aligner was
    fitted with. All rows pass the same map: the graph does not distinguish languages.

    Parameters
    ----------
    estimator : CrossLingualAligner, LinearAligner, AdapterAligner or Pipeline
        The fitted aligner, frozen or not, or a fitted Pipeline that begins with one and continues
        with scikit-learn steps that skl2onnx can convert.
    path : str or path, default=None
        File to write the graph to. A file that exists is replaced all at once, and stays as it is
        if anything fails.
    target_lang : str, default=None
        Language of the map; required if several languages were declared.
    side : {"target", "english"}, default=None
        Side of the rows in "X": target rows, which are X of an array-level aligner, or English
        rows, its y. None is, for an aligner, the side that moves: English rows if
        ``output_space="target"``, else target rows; for a Pipeline it is "target" in any case.
    opset : int, default=17
        Version of the ONNX operators that the runtime supports, at least 13. skl2onnx uses an
        older one if the steps do not need a newer one.

    Returns
    -------
    onnx.ModelProto
        The graph. Its output is "Z", the moved rows, of shape (n, n_features_out), float32. A
        Pipeline with a classifier has the outputs "label" of shape (n,) and, if there is a
        ``predict_proba``, "probabilities" of shape (n, n_classes), float32; with a regressor
        "prediction" of shape (n, 1); with a transformer at its end "Z". The metadata hold the
        package version and, for a CrossLingualAligner, the language of the rows and the encoder,
        if it is known.

    Raises
    ------
    ImportError
        If onnx or, for a Pipeline, skl2onnx is missing.
    FileNotFoundError
        If the folder of `path` does not exist.
    TypeError
        If `estimator` is not an aligner or a Pipeline that begins with one.
    ValueError
        If a step cannot be converted, or the converted steps give other results, if the rows of
        `side` pass the aligner unchanged, if `target_lang` was not declared, or if `opset` is out
        of its range.

    Notes
    -----
    Steps are converted by skl2onnx, and their results are compared with those of scikit-learn on
    random rows.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.export import to_onnx
    >>> from langalign_sk.mapping import LinearAligner
    >>> X = np.random.default_rng(0).normal(size=(50, 3))
    >>> model = to_onnx(LinearAligner("ridge", alpha=0.1).fit(X, 2 * X))
    >>> [node.op_type for node in model.graph.node]
    ['Gemm']
    >>> model.graph.input[0].name, model.graph.output[0].name
    ('X', 'Z')
    """
    onnx = _import_for_onnx("onnx")
    file = None if path is None else _checked_path(path)
    latest = onnx.defs.onnx_opset_version()
    if not isinstance(opset, Integral) or not _OLDEST_OPSET <= opset <= latest:
        raise ValueError(
            f"opset must be an int between {_OLDEST_OPSET} and {latest}, got {opset!r}."
        )
    aligner, rest = _parts(estimator)
    if rest is None:
        move = move_of(aligner, target_lang, side)
        model = _graph(onnx, move, int(opset))
    else:
        check_is_fitted(rest)
        move = move_of(aligner, target_lang, side or "target", passing=True)
        model = _with_head(onnx, move, rest, int(opset))
    onnx.helper.set_model_props(model, _properties(aligner, move))
    model.producer_name, model.producer_version = "langalign_sk", __version__
    onnx.checker.check_model(model)
    if file is not None:
        with replacing(file) as part:
            part.write_bytes(model.SerializeToString())
    return model


def _import_for_onnx(name: str) -> Any:
    return import_extra(name, f"to_onnx needs the package {name}", "export")


def _checked_path(path: str | os.PathLike[str]) -> Path:
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"path {str(file)!r} is a folder. Name a file, such as 'aligner.onnx'.")
    if not file.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(file.parent)!r} to write to. Make it.")
    return file


def _parts(estimator: Any) -> tuple[Any, Pipeline | None]:
    """The aligner, and a Pipeline of the steps behind it, if there are any."""
    if not isinstance(estimator, Pipeline):
        return thawed(estimator), None
    steps = [(name, thawed(step)) for name, step in estimator.steps]
    after = [(name, step) for name, step in steps[1:] if step not in (None, "passthrough")]
    return steps[0][1], Pipeline(after) if after else None


def _graph(onnx: Any, move: Move, opset: int, out: str = "Z") -> Any:
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


def _with_head(onnx: Any, move: Move, rest: Pipeline, opset: int) -> Any:
    """ONNX graph of the maps and the steps behind them."""
    skl2onnx = _import_for_onnx("skl2onnx")
    rows = "moved" if move.networks else "X"
    answer = next(a for a in ("predict_proba", "predict", "transform") if hasattr(rest, a))
    outputs = ["Z" if answer == "transform" else "prediction"]
    if is_classifier(rest):
        outputs = ["label", "probabilities"]
    kind = _import_for_onnx("skl2onnx.common.data_types").FloatTensorType(
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
            head = _import_for_onnx("onnx.utils").Extractor(head).extract_model([rows], ["label"])
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
    maps = _graph(onnx, move, used, out=rows)
    maps.ir_version = head.ir_version
    return onnx.compose.merge_models(maps, head, io_map=[(rows, rows)])


def _agrees(onnx: Any, head: Any, rest: Pipeline, answer: str, width: int) -> bool:
    """Whether the converted steps give the results of scikit-learn on random rows."""
    # Rows of many lengths, as probabilities of long rows are 0 and 1 in any case.
    lengths = np.geomspace(0.01, 10 * width**0.5, 32)[:, None]
    rows = np.random.default_rng(0).normal(size=(32, width)) * lengths / width**0.5
    rows = rows.astype(np.float32)
    evaluator = _import_for_onnx("onnx.reference").ReferenceEvaluator(head)
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


def _properties(aligner: Any, move: Move) -> dict[str, str]:
    """Metadata: the release, and the language and encoder of the rows where they are known."""
    properties = {"langalign_sk_version": __version__}
    if not isinstance(aligner, CrossLingualAligner) or move.language is None:
        return properties
    properties["languages"] = move.language
    of_system = move.side == "english" and aligner.output_space != "target"
    seen = models_seen(aligner)[of_system]
    if seen is not None:
        properties["encoder"] = seen[1]
    elif not hasattr(aligner, "n_features_in_"):  # of text, by an object of the user's own
        own = aligner.english_encoder if of_system else None
        properties["encoder"] = type(aligner.encoder if own is None else own).__name__
    return properties
