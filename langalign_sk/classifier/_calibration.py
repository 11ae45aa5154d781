"""How an AlignedClassifier recalibrates a head: what by, and the arithmetic of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import KFold
from sklearn.utils import column_or_1d
from sklearn.utils.validation import check_array, check_is_fitted

from ..aligner._frozen import thawed
from ..aligner._pairs import pairs_of_corpus
from ..aligner._route import route_of, transform_pairs
from ..corpus._inputs import Pairs, pairs_from
from ..languages import LanguageRouter, languages_of
from ..mapping._base import PairedMap, check_counterparts

__all__ = [
    "Change",
    "RecalibrationMixin",
    "choose",
    "fit_labelled",
    "places",
    "scores_of",
    "target_rows",
]


FLOATS = [np.float64, np.float32]
_CHOICES = ("auto", "none", "temperature", "prior_shift", "temperature+prior_shift")
_MIN_ROWS = 10  # labelled rows, or pairs, that a temperature is fitted on
_MAX_PAIRS = 2_000  # a language; one number needs no more, and all of them are encoded
_FOLDS = 5
_LOG_TEMPERATURES = (-10.0, 10.0)
_EM_STEPS = 1_000


class RecalibrationMixin:
    """The private half of an AlignedClassifier."""

    classifier: Any
    aligner: Any
    calibration: str
    class_prior: Any

    def _check_parameters(self) -> tuple[NDArray, NDArray | None]:
        """Classes of the head, and the class prior as frequencies."""
        if self.calibration not in _CHOICES:
            raise ValueError(f"calibration must be one of {_CHOICES}, got {self.calibration!r}.")
        if not hasattr(self.aligner, "transform"):
            raise TypeError(
                f"aligner must be a CrossLingualAligner or a frozen one, got {self.aligner!r}."
            )
        check_is_fitted(
            self.classifier,
            msg="The classifier %(name)s is not fitted. Fit it on English rows first: the head is "
            "never fitted here. In a grid of parameters, pass FrozenEstimator(classifier), which "
            "clone leaves fitted.",
        )
        classes = getattr(self.classifier, "classes_", None)
        if not isinstance(classes, np.ndarray):
            raise TypeError(
                f"classifier must be a classifier of one label a row, and {self.classifier!r} has "
                "no array classes_: wrap one classifier for every output."
            )
        if self.class_prior is None:
            return classes, None
        prior = column_or_1d(self.class_prior, dtype=np.float64)
        if len(prior) != len(classes) or not (np.isfinite(prior) & (prior > 0)).all():
            raise ValueError(
                f"class_prior must hold {len(classes)} positive numbers, one a class of the head, "
                f"got {prior}."
            )
        return classes, prior / prior.sum()

    def _pairs(self, texts: list[str] | None, parallel: Any, labelled: bool) -> dict[str, Any]:
        """Both sides of pairs by language, of text, or of embeddings under the name ""."""
        if labelled or self.calibration in ("none", "prior_shift"):
            if parallel is not None and isinstance(self.aligner, FrozenEstimator):
                raise ValueError(
                    "parallel= has no use here: the aligner is frozen, and no temperature is fitted to "
                    "pairs, as there are labels or calibration says otherwise. Leave it out."
                )
            return {}
        if texts is None:
            if parallel is None:
                return {}
            if not isinstance(parallel, tuple) or len(parallel) != 2:
                raise ValueError(
                    "X holds embeddings: pass parallel=(target, english), two arrays of embeddings."
                )
            moving = check_array(parallel[0], dtype=FLOATS, input_name="parallel")
            return {"": (moving, check_counterparts(moving, parallel[1]))}
        languages = languages_of(self.aligner.target_lang)
        if parallel is None:
            return pairs_of_corpus(self.aligner.corpus, languages)
        return pairs_from(parallel, LanguageRouter(languages, self.aligner.detect), languages)

    def _candidates(
        self, prior: NDArray | None, labels: Any, target: NDArray, pairs: dict[str, Any]
    ) -> list[str]:
        """Calibrations that are possible, the simplest first; an error for one that is not."""
        asked = self.calibration
        if asked == "none":
            return ["none"]
        if "prior_shift" in asked and prior is None:
            raise ValueError(
                f"calibration={asked!r} needs to know the classes of the head's training rows: pass "
                "class_prior=np.unique(y_english, return_counts=True)[1]."
            )
        probable = hasattr(self.classifier, "predict_proba")
        if not probable and (labels is None or asked == "prior_shift"):
            if asked == "auto":
                return ["none"]
            raise ValueError(
                "The classifier has no predict_proba, and a temperature of its decision_function is "
                'fitted to labels only: pass y= and calibration="temperature", or a classifier with '
                "probabilities."
            )
        if labels is not None:
            if target.sum() < _MIN_ROWS:
                raise ValueError(
                    f"There are {target.sum()} labelled target rows, and calibration needs at least "
                    f'{_MIN_ROWS}: label more, pass y=None, or calibration="none".'
                )
            if asked != "auto":
                return [asked]
            out = ["none", "temperature"] if probable else ["temperature"]
            return out if prior is None else [*out, "temperature+prior_shift"]
        enough = sum(len(sides[0]) for sides in pairs.values()) >= _MIN_ROWS
        if "temperature" in asked and not enough:
            raise ValueError(
                f"calibration={asked!r} without labels needs at least {_MIN_ROWS} translation pairs: "
                "pass parallel=, or the labels of target rows as y."
            )
        if "prior_shift" in asked and not target.any():
            raise ValueError(f"calibration={asked!r} needs target rows, and all of X is English.")
        if asked != "auto":
            return [asked]
        if not enough:
            warnings.warn(
                "There is nothing to calibrate by: pass translation pairs as parallel=, the labels "
                'of target rows as y, or calibration="none".',
                stacklevel=3,
            )
        return ["temperature" if enough else "none"]

    def _check_width(self, aligner: Any) -> None:
        inner = thawed(aligner)
        known_width = hasattr(inner, "language_map_") or isinstance(inner, PairedMap)
        width = route_of(inner).n_features_out if known_width else None
        known = getattr(self.classifier, "n_features_in_", None)
        if None not in (width, known) and width != known:
            raise ValueError(
                f"The classifier was trained on {known} features, and the aligner makes {width}: name "
                "the encoder of the classifier's English rows in english_encoder of the aligner."
            )

    def _fit_unlabelled(
        self,
        name: str,
        aligner: Any,
        X: Any,
        target: NDArray,
        pairs: dict[str, Any],
        prior: NDArray | None,
    ) -> Change:
        temperature = 1.0
        if "temperature" in name:
            temperature = max(1.0, self._temperature_of_pairs(aligner, pairs))
        if "prior_shift" not in name:
            return Change(temperature)
        assert prior is not None
        scores = scores_of(self.classifier, aligner.transform(X))[target]
        new = _prior_of_unlabelled(softmax(scores / temperature, axis=1), prior)
        return Change(temperature, new, np.log(new / prior))

    def _temperature_of_pairs(self, aligner: Any, pairs: dict[str, Any]) -> float:
        fitted = thawed(aligner)
        moved, english = [], []
        for language, sides in pairs.items():
            n = len(sides[0])
            at = np.linspace(0, n - 1, min(n, _MAX_PAIRS)).astype(int)
            if language:
                texts, others = ([side[i] for i in at] for side in sides)
                there, here = transform_pairs(fitted, Pairs(texts, others, [language] * len(at)))
            else:
                there, here = fitted.transform(sides[0][at]), route_of(fitted).english(sides[1][at])
            moved.append(scores_of(self.classifier, there))
            english.append(self.classifier.predict(here))
        return _fit_temperature(
            np.vstack(moved), places(np.concatenate(english), self.classifier.classes_)
        )


def places(y: Any, classes: NDArray) -> NDArray[np.intp]:
    """The column of every label."""
    place = {label: i for i, label in enumerate(classes.tolist())}
    labels = column_or_1d(y).tolist()
    unknown = sorted({*labels} - {*place}, key=str)
    if unknown:
        raise ValueError(
            f"y holds {unknown[:5]}, which the head does not know: its classes are "
            f"{classes.tolist()}. Rename them, or take such rows out."
        )
    return np.array([place[label] for label in labels], dtype=np.intp)


def target_rows(aligner: Any, texts: list[str] | None, n: int) -> NDArray[np.bool_]:
    if texts is None:
        return np.ones(n, dtype=bool)
    if not hasattr(aligner, "target_lang"):
        raise TypeError(
            f"X is text, which needs a CrossLingualAligner, and the aligner is {aligner!r}: pass "
            "embeddings."
        )
    return (
        np.array(LanguageRouter(languages_of(aligner.target_lang), aligner.detect)(texts)) != "en"
    )


def scores_of(head: Any, Z: Any) -> NDArray:
    """Logarithms of probabilities, or decisions of a head without them: (n_samples, n_classes)."""
    if hasattr(head, "predict_proba"):
        P = np.asarray(head.predict_proba(Z), dtype=np.float64)
        return np.log(np.clip(P, np.finfo(np.float64).eps, None))
    S = np.asarray(head.decision_function(Z), dtype=np.float64)
    if S.ndim == 1:
        return np.column_stack([np.zeros_like(S), S])
    if S.shape[1] != len(head.classes_):
        raise ValueError(
            f"decision_function has {S.shape[1]} columns for {len(head.classes_)} classes: train the "
            'classifier with one decision a class, such as decision_function_shape="ovr".'
        )
    return S


@dataclass(frozen=True)
class Change:
    """What is done to the scores of a head, before their softmax."""

    temperature: float = 1.0
    prior: NDArray | None = None
    log_ratio: Any = 0.0  # of the class prior to that of the head

    def __call__(self, scores: NDArray) -> NDArray:
        return scores / self.temperature + self.log_ratio


def _fit_temperature(scores: NDArray, labels: NDArray, log_ratio: Any = 0.0) -> float:
    n, k = scores.shape
    # Laplace's rule: after n right rows, the next one is wrong with chance 1 / (n + 2).
    likely = (np.eye(k)[labels] * (n + 1) + 1 / k) / (n + 2)

    def loss(log_t: float) -> float:
        return -float((likely * log_softmax(scores / np.exp(log_t) + log_ratio, axis=1)).sum())

    return float(np.exp(minimize_scalar(loss, bounds=_LOG_TEMPERATURES, method="bounded").x))


def fit_labelled(name: str, scores: NDArray, labels: NDArray, prior: NDArray | None) -> Change:
    new, log_ratio = None, 0.0
    if "prior_shift" in name:
        assert prior is not None
        new = _shrunk(np.bincount(labels, minlength=len(prior)), prior)
        log_ratio = np.log(new / prior)
    temperature = _fit_temperature(scores, labels, log_ratio) if "temperature" in name else 1.0
    return Change(temperature, new, log_ratio)


def choose(names: list[str], scores: NDArray, labels: NDArray, prior: NDArray | None) -> str:
    """The calibration with the least held-out log loss; the first of equal ones."""
    if len(names) == 1:
        return names[0]
    losses = dict.fromkeys(names, 0.0)
    for train, test in KFold(_FOLDS, shuffle=True, random_state=0).split(scores):
        for name in names:
            change = fit_labelled(name, scores[train], labels[train], prior)
            logs = log_softmax(change(scores[test]), axis=1)
            losses[name] -= logs[np.arange(len(test)), labels[test]].sum()
    return min(names, key=lambda name: losses[name])


def _prior_of_unlabelled(P: NDArray, prior: NDArray) -> NDArray:
    """Class prior by EM (Saerens et al., 2002, eq. 2.9)."""
    new = prior
    for _ in range(_EM_STEPS):
        R = P * (new / prior)
        last, new = new, _shrunk((R / R.sum(axis=1, keepdims=True)).sum(axis=0), prior)
        if np.abs(new - last).max() < 1e-8:
            break
    return new


def _shrunk(counts: NDArray, prior: NDArray) -> NDArray:
    """Frequencies with one row a class of the old prior: few rows change it little."""
    return (counts + len(prior) * prior) / (counts.sum() + len(prior))
