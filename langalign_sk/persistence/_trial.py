"""Trial of a loaded model: every method answers with finite rows of the right width."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer
from sklearn.pipeline import Pipeline

from .._quality import TextQuality, VectorQuality
from ..aligner import CrossLingualAligner
from ..aligner._frozen import thawed
from ..aligner._plan import check_parameters
from ..aligner._report import AlignmentReport
from ..aligner._route import route_of
from ..classifier import AlignedClassifier, CrossLingualClassifier, KernelRidgeClassifier
from ..languages.codes import languages_of
from ..mapping import AdapterAligner, LinearAligner
from ..mapping._base import PairedMap
from ..retrieval import CrossLingualRetriever

__all__ = ["try_out"]


_HASHES = 1 << 15  # of n-grams in `TextModel`
_TEXTS = ["Good morning.", "a"]
_LETTERS = 1 << 18  # of a text that is tried


def try_out(model: Any) -> None:
    """Raise unless the methods of a model answer with finite numbers in the right shapes.

    Encoders are not loaded: what needs one is not tried. Maps, quality models and heads are.

    Parameters
    ----------
    model : estimator
        A model that was loaded.

    Raises
    ------
    Exception
        Of any kind, if its arrays do not fit each other.
    """
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        _try(thawed(model))


def _try(model: Any) -> None:
    if isinstance(model, PairedMap):
        _try_map(model)
    elif isinstance(model, CrossLingualAligner):
        _try_aligner(model)
    elif isinstance(model, AlignedClassifier):
        _try(thawed(model.aligner_))
        _try_classifier(model, thawed(model.aligner_))
    elif isinstance(model, CrossLingualClassifier):
        _try_views(model)
    elif isinstance(model, KernelRidgeClassifier):
        _try_probabilities(model, _row(model.n_features_in_))
    elif isinstance(model, CrossLingualRetriever):
        _try_retriever(model)
    elif isinstance(model, Pipeline):
        steps = [thawed(step) for _, step in model.steps]
        for step in steps:
            _try(step)
        width = _width(steps[0])
        if width is not None:
            _try_steps(model, _row(width))
        elif _reads_texts(steps[0]):
            _try_steps(model, [_text(steps[0])])


def _reads_texts(first: Any) -> bool:
    """Whether a first step takes texts, and not names of files."""
    return isinstance(first, CountVectorizer | HashingVectorizer) and first.input == "content"


def _try_retriever(model: CrossLingualRetriever) -> None:
    """Search once by rows; text would need the encoders."""
    aligners = model.aligner_ if isinstance(model.aligner_, list) else [model.aligner_]
    rows = []
    for one, view in zip(aligners, model.report_.views, strict=True):
        width = _width(thawed(one)) if one is not None else view.n_features
        if width is None:  # rows alone do not say by which language they go
            return
        rows.append(_row(width))
    distances, positions = model.kneighbors(rows if len(rows) > 1 else rows[0], n_neighbors=1)
    if len(positions) != 1 or not np.isfinite(np.asarray(distances, dtype=float)).all():
        raise ValueError("a search answers with other numbers")


def _width(first: Any) -> int | None:
    """Width of the rows that a first step takes; None where rows alone do not say where to go."""
    if isinstance(first, PairedMap):
        return int(first.n_features_in_)
    if isinstance(first, CrossLingualAligner):
        widths = [one.n_features_in_ for one in route_of(first).maps.values()]
        return int(widths[0]) if len(widths) == 1 else None
    return None


def _try_steps(model: Pipeline, row: Any) -> None:
    if hasattr(model, "predict"):
        _try_probabilities(model, row)
    elif hasattr(model, "transform") and np.shape(model.transform(row))[0] != 1:
        raise ValueError("a step answers with other rows")


def _row(width: Any) -> NDArray[np.float32]:
    """A row that no coefficient leaves out."""
    return np.linspace(0.5, 1.0, width, dtype=np.float32)[None]


def _text(vectorizer: Any) -> str:
    """A text that leaves out no word of a vocabulary, as long as it is not too long."""
    words = vars(vectorizer).get("vocabulary_")
    return " ".join(map(str, words))[:_LETTERS] if words else _TEXTS[0]


def _expect(rows: Any, *shape: int) -> NDArray:
    if not isinstance(rows, np.ndarray) or rows.shape != shape or not np.isfinite(rows).all():
        raise ValueError("a method answers with other numbers or shapes")
    return rows


def _expect_columns(model: Any, widths: list[int]) -> None:
    """Raise unless the columns of the fit, where there are any, are as many as a map takes."""
    width, names = (vars(model).get(name) for name in ("n_features_in_", "feature_names_in_"))
    if width is not None and (type(width) is not int or width not in widths):
        raise ValueError("there are columns of another number")
    if names is not None and np.shape(names) != (width,):
        raise ValueError("there are names of other columns")


def _try_map(model: PairedMap) -> None:
    if not isinstance(model, LinearAligner | AdapterAligner):
        raise TypeError("a map is of another type")
    width, there = model.n_features_in_, model.n_features_out
    _expect_columns(model, [width])
    moved = _expect(model.move(_row(width)), 1, there)
    _expect(model.move_back(moved), 1, width)
    _expect(model.move_counterparts(_row(model.n_targets)), 1, there)
    for network in model.networks().values():
        if not callable(network):
            raise TypeError("a network is of another type")


def _try_aligner(model: CrossLingualAligner) -> None:
    check_parameters(model)
    maps: Any = model.language_map_
    languages = languages_of(model.target_lang)
    if isinstance(model.target_lang, str):
        maps = {model.target_lang: maps}
    if set(maps) != set(languages) or not isinstance(model.alignment_report_, AlignmentReport):
        raise ValueError("the maps are not those of target_lang")
    bridge = model.bridge_map_
    for one in (*maps.values(), *([] if bridge is None else [bridge])):
        if not isinstance(one, PairedMap):
            raise TypeError("a map is of another type")
        _try_map(one)
    route = route_of(model)
    _expect_columns(model, [one.n_features_in_ for one in route.maps.values()])
    for language, one in route.maps.items():
        there = _expect(route.there(_row(one.n_features_in_), language), 1, route.n_features_out)
        _expect(route.back(there, language), 1, one.n_features_in_)
    if bridge is None and len(route.maps) == 1:
        english = one.n_features_out if route.output_space == "target" else one.n_targets
        _expect(route.english(_row(english)), 1, route.n_features_out)
    str(model.alignment_report_)
    _try_quality(model)


def _try_quality(model: CrossLingualAligner) -> None:
    """Try the models behind `quality_score`, which early releases did not have."""
    texts, vectors = (vars(model).get(name, {}) for name in ("_text_quality", "_vector_quality"))
    for one in {**texts}.values():
        if one is not None:
            _expect_type(one, TextQuality)
            odds = (one.model.of_words, one.model.of_letters)
            if any(table.shape != (_HASHES,) or table.dtype != np.uint8 for table in odds):
                raise ValueError("a table of n-grams has another shape")
            _expect(one.score(_TEXTS), len(_TEXTS))
    for one in {**vectors}.values():
        if one is not None:
            _expect_type(one, VectorQuality)
            _expect(one.score(_row(len(one.model.mean))), 1)


def _expect_type(one: Any, cls: type) -> None:
    if type(one) is not cls:
        raise TypeError(f"a {type(one).__name__} in place of a {cls.__name__}")


def _try_classifier(model: AlignedClassifier, aligner: Any) -> None:
    maps = route_of(aligner).maps
    if len(maps) == 1:
        (one,) = maps.values()
        _try_probabilities(model, _row(one.n_features_in_))


def _try_views(model: CrossLingualClassifier) -> None:
    for head in model.routed_heads():
        for language, one in head.route.maps.items():
            _try_map(one)
            rows = head.route.there(_row(one.n_features_in_), language)
            _try_probabilities(head.model, _expect(rows, 1, head.route.n_features_out))


def _try_probabilities(model: Any, rows: Any) -> None:
    """Try what a classifier or a regressor answers to a row."""
    answer = np.asarray(model.predict(rows))
    if len(answer) != 1 or (answer.dtype.kind in "fc" and not np.isfinite(answer).all()):
        raise ValueError("a classifier answers with other rows")
    methods: list[Callable[[NDArray], Any]] = [
        getattr(model, name)
        for name in ("predict_proba", "decision_function")
        if hasattr(model, name)
    ]
    for method in methods:
        answers = method(rows)
        for one in answers if isinstance(answers, list) else [answers]:
            columns: Any = getattr(model, "classes_", None)
            of_classes = isinstance(columns, np.ndarray) and np.ndim(one) == 2
            if of_classes and columns.ndim == 1 and one.shape[1] not in (1, len(columns)):
                raise ValueError("a classifier answers for other classes")
            if len(one) != 1 or not np.isfinite(np.asarray(one, dtype=float)).all():
                raise ValueError("a classifier answers with other numbers")
