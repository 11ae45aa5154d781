"""Export of aligners, and of pipelines that begin with one, as ONNX graphs."""

from __future__ import annotations

import os
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._utils.files import replacing
from .._version import __version__
from ..aligner import CrossLingualAligner
from ..aligner._frozen import thawed
from ..aligner._route import models_seen
from ._graphs import import_for_onnx, maps_graph
from ._moves import Move, move_of
from ._steps import with_steps

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
    onnx = import_for_onnx("onnx")
    file = None if path is None else _checked_path(path)
    latest = onnx.defs.onnx_opset_version()
    if not isinstance(opset, Integral) or not _OLDEST_OPSET <= opset <= latest:
        raise ValueError(
            f"opset must be an int between {_OLDEST_OPSET} and {latest}, got {opset!r}."
        )
    aligner, rest = _parts(estimator)
    if rest is None:
        move = move_of(aligner, target_lang, side)
        model = maps_graph(onnx, move, int(opset))
    else:
        check_is_fitted(rest)
        move = move_of(aligner, target_lang, side or "target", passing=True)
        model = with_steps(onnx, move, rest, int(opset))
    onnx.helper.set_model_props(model, _properties(aligner, move))
    model.producer_name, model.producer_version = "langalign_sk", __version__
    onnx.checker.check_model(model)
    if file is not None:
        with replacing(file) as part:
            part.write_bytes(model.SerializeToString())
    return model


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
