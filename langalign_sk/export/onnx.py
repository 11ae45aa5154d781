"""Export of aligners, pipelines behind one, and cross-lingual classifiers as ONNX graphs."""

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
from ..aligner._route import RoutedHead, models_seen
from ._graphs import import_for_onnx, maps_graph
from ._moves import Move, move_of, move_of_head
from ._steps import steps_of, with_steps
from ._views import inputs_of, views_graph

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
    """ONNX graph of an aligner, of a Pipeline that begins with one, or of a cross-lingual classifier.

    The graph begins at embeddings, not at text: its input "X", of shape (n, n_features_in) and
    dtype float32, takes rows of the multilingual encoder, with the settings that the estimator was
    fitted with. All rows pass the same map: the graph does not distinguish languages. A
    CrossLingualClassifier of several multilingual encoders has one input for each, "X0", "X1" and
    so on in the order of the encoders, with the same texts in the same rows.

    Parameters
    ----------
    estimator : aligner, Pipeline or CrossLingualClassifier
        A fitted CrossLingualAligner, LinearAligner or AdapterAligner, frozen or not; a fitted
        Pipeline that begins with one and continues with scikit-learn steps that skl2onnx can
        convert, the last of which may be a KernelRidgeClassifier; or a fitted
        CrossLingualClassifier, with all its views.
    path : str or path, default=None
        File to write the graph to. A file that exists is replaced all at once, and stays as it is
        if anything fails.
    target_lang : str, default=None
        Language of the map; required if several languages were declared.
    side : {"target", "english"}, default=None
        Side of the rows in "X": target rows, which are X of an array-level aligner, or English
        rows, its y. None is, for an aligner, the side that moves: English rows if
        ``output_space="target"``, else target rows; for a Pipeline or a classifier it is "target"
        in any case. English rows of a CrossLingualClassifier are of the multilingual encoder, and
        pass the bridge alone.
    opset : int, default=17
        Version of the ONNX operators that the runtime supports, at least 13. skl2onnx uses an
        older one if the steps do not need a newer one.

    Returns
    -------
    onnx.ModelProto
        The graph. Its output is "Z", the moved rows, of shape (n, n_features_out), float32. A
        classifier, or a Pipeline with one, has the outputs "label" of shape (n,), text or int64,
        and, if there is a ``predict_proba``, "probabilities" of shape (n, n_classes), float32, in
        the order of ``classes_``; a Pipeline with a regressor has "prediction" of shape (n, 1),
        with a transformer at its end "Z". The metadata hold the package version and, for text,
        under "languages" the language of the rows and under "encoder" its identity, if it is
        known; with several inputs under "encoder0", "encoder1" and so on.

    Raises
    ------
    ImportError
        If onnx is missing, or skl2onnx for steps other than a KernelRidgeClassifier.
    FileNotFoundError
        If the folder of `path` does not exist.
    TypeError
        If `estimator` is not an aligner, a Pipeline that begins with one, or a
        CrossLingualClassifier.
    ValueError
        If a step or a head cannot be converted, or its graph gives other results, if the rows of
        `side` pass the aligner unchanged, if `target_lang` was not declared, or if `opset` is out
        of its range.

    Notes
    -----
    Steps and heads are converted by skl2onnx, a KernelRidgeClassifier by this package. Their results
    are compared with those of scikit-learn on random rows.

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
    first, rest = _parts(estimator)
    if rest is None and hasattr(first, "routed_heads"):
        heads = first.routed_heads()
        moves = [move_of_head(head, target_lang, side or "target") for head in heads]
        model = views_graph(onnx, heads, moves, first.classes_, int(opset))
        properties = _properties_of_views(heads, moves[0].language)
    elif rest is None:
        move = move_of(first, target_lang, side)
        model = maps_graph(onnx, move, int(opset))
        properties = _properties(first, move)
    else:
        check_is_fitted(rest)
        move = move_of(first, target_lang, side or "target", passing=True)
        model = with_steps(onnx, move, rest, int(opset))
        properties = _properties(first, move)
    onnx.helper.set_model_props(model, properties)
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
    """The aligner or the classifier, and a Pipeline of the steps behind it, if there are any."""
    if not isinstance(estimator, Pipeline):
        return thawed(estimator), None
    first, *rest = steps_of(estimator)
    after = [(f"step{i}", step) for i, step in enumerate(rest)]
    return first, Pipeline(after) if after else None


def _properties(aligner: Any, move: Move) -> dict[str, str]:
    """Metadata: the release, and the language and encoder of the rows where they are known."""
    properties = {"langalign_sk_version": __version__}
    if not isinstance(aligner, CrossLingualAligner) or move.language is None:
        return properties
    of_system = move.side == "english" and aligner.output_space != "target"
    encoder = _encoder_of(aligner, of_system)
    return properties | {"languages": move.language} | ({"encoder": encoder} if encoder else {})


def _properties_of_views(heads: list[RoutedHead], language: str | None) -> dict[str, str]:
    """Metadata as of an aligner, with an encoder per input."""
    properties = {"langalign_sk_version": __version__, "languages": str(language)}
    for head, name in zip(heads, inputs_of(heads), strict=True):
        encoder = None if head.aligner is None else _encoder_of(head.aligner)
        if encoder is not None:
            properties[name.replace("X", "encoder")] = encoder
    return properties


def _encoder_of(aligner: CrossLingualAligner, of_system: bool = False) -> str | None:
    """Identity of an encoder of the fit, or the class of an object; None where it is unknown."""
    seen = models_seen(aligner)[of_system]
    if seen is not None:
        return str(seen[1])
    if hasattr(aligner, "n_features_in_"):  # of rows that came as arrays
        return None
    own = aligner.english_encoder if of_system else None
    return type(aligner.encoder if own is None else own).__name__
