"""AlignedClassifier: a fitted English classifier that serves another language, calibrated."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    MetaEstimatorMixin,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.utils import column_or_1d
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from .._utils.containers import label_column
from .._utils.fits import keeps_former_fit
from .._utils.idle import say_idle
from .._utils.lineage import LineageMixin, note_clone
from .._utils.validation import check_choice, ensured, forget, warn_user
from ..aligner._frozen import fitted_aligner, thawed
from ..aligner._pairs import pairs_of_corpus, sides_of_rows
from ..aligner._route import missing_of, route_of, router_of, transform_pairs
from ..corpus._inputs import Embeddings, Pairs, Text, opened_parallel, pairs_from, text_column
from ..languages.codes import languages_of
from ..languages.router import one_report
from ..mapping._base import check_counterparts
from ._calibration import (
    Calibration,
    choose_calibration,
    fit_calibration,
    fit_temperature,
    prior_of_unlabelled,
)
from ._cross_lingual import CrossLingualClassifier
from ._idle import idle_of_aligned

__all__ = ["AlignedClassifier"]


_FLOATS = [np.float64, np.float32]
_CALIBRATIONS = ("auto", "none", "temperature", "prior_shift", "temperature+prior_shift")
_MIN_ROWS = 10  # labelled rows, or pairs, that a temperature is fitted on
_MAX_PAIRS = 2_000  # per language: enough for one number, and all of them are encoded


def _head_has(method: str) -> Any:
    def check(self: Any) -> bool:
        getattr(self.classifier, method)  # its AttributeError says what is missing
        return True

    return check


def _has_probabilities(self: Any) -> bool:
    if "temperature" in getattr(self, "calibration_", ""):
        return True
    return _head_has("predict_proba")(self)


class AlignedClassifier(LineageMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Serve another language with a fitted English classifier, and calibrate its probabilities.

    The English classifier, the *head*, stays as it is. Rows of the target language go through the
    aligner, and the probabilities that the head gives them are recalibrated with labelled target
    rows, or else with translation pairs and unlabelled target rows.

    Parameters
    ----------
    classifier : fitted classifier
        The English head, trained on the vectors of the English system; of a fitted Pipeline, the
        steps after the aligner. It is neither fitted nor copied, and a clone shares it. Where
        scikit-learn clones the classifier by itself, as in a grid of heads, pass
        ``FrozenEstimator(classifier)``.
    aligner : CrossLingualAligner, or a frozen one, default=None
        `fit` clones it and fits the clone; ``aligner.freeze()`` keeps one that is fitted already.
        None is for a CrossLingualClassifier, which has aligners of its own.
    calibration : str, default="auto"
        How probabilities of target rows are changed.

        - "none": not at all;
        - "temperature": the logarithms of the probabilities are divided by a temperature (Guo et
          al., "On calibration of modern neural networks", ICML 2017), fitted by maximum
          likelihood to the labels of target rows. Without labels, it is fitted to the classes
          that the head gives the English sides of translation pairs, and is at least 1;
        - "prior_shift": probabilities are multiplied by the ratio of the class frequencies of
          target rows to `class_prior`. Without labels, the frequencies are estimated by EM
          (Saerens, Latinne and Decaestecker, Neural Computation 2002);
        - "temperature+prior_shift": both;
        - "auto": with labels, whichever of "none", "temperature" and, given `class_prior`, both
          has the least held-out log loss in 5 folds, and the simplest of equal ones. Without
          labels, "temperature" from pairs, or "none" where the temperature would be 1.
    class_prior : array-like of shape (n_classes,), default=None
        Frequencies or counts of the classes in the head's training rows, in the order of its
        ``classes_``, such as ``np.unique(y, return_counts=True)[1]``; equal ones for a head with
        ``class_weight="balanced"``. A prior shift needs it.

    Attributes
    ----------
    classifier_ : classifier
        The head.
    aligner_ : CrossLingualAligner, FrozenEstimator or None
        The fitted aligner; None for a CrossLingualClassifier.
    classes_ : ndarray of shape (n_classes,)
        Classes of the head.
    calibration_ : str
        The calibration in use: "none", "temperature", "prior_shift" or "temperature+prior_shift".
    temperature_ : float
        The temperature. Values above 1 lower confidence; 1.0 changes nothing.
    prior_ : ndarray of shape (n_classes,) or None
        Class frequencies of target rows, shrunk to `class_prior`, which counts as `n_classes`
        rows. None without a prior shift.
    n_features_in_ : int
        Width of X, set by a fit on embeddings only.

    See Also
    --------
    langalign_sk.metrics.expected_calibration_error : Measure of calibration.

    Notes
    -----
    A temperature changes no prediction; a prior shift does. For a prior shift, labelled rows must
    be drawn like the rows to be predicted: a sample with equally many rows per class teaches a
    wrong prior.

    For English rows, `predict_proba` returns the probabilities of the head; if the head has none,
    they follow from the temperature alone.

    With a temperature fitted to pairs, confidence is the probability that the head gives a target
    row the same class as its English translation. Both may be wrong, so that such confidence is
    still too high, and pairs never raise it. The probabilities of the English side do not teach
    more: English and target vectors are two noisy views of one meaning, and a temperature fitted
    to them takes the noise of both for uncertainty.

    EM attributes every difference between target and English rows to class frequencies. It costs
    accuracy where they differ in other ways, as aligned rows may, so that "auto" does not use it.

    Labels are smoothed in the likelihood: with n rows, 1 / (n + 2) is spread over all classes, as
    in Platt's scaling. Hence a few rows that are all right cannot make the head certain.

    Examples
    --------
    A Pipeline fitted on English requests serves Korean ones, some of which have labels:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from langalign_sk import CrossLingualAligner
    >>> from langalign_sk.classifier import AlignedClassifier
    >>> from langalign_sk.datasets import load_service_requests
    >>> X, y = load_service_requests(language="en", return_X_y=True)
    >>> pipe = make_pipeline(CrossLingualAligner("ko", random_state=0), LogisticRegression(C=10))
    >>> pipe = pipe.fit(X, y)
    >>> korean, labels = load_service_requests(language="ko", subset="test", return_X_y=True)
    >>> model = AlignedClassifier(pipe[1], pipe[0].freeze()).fit(korean, labels)
    >>> model.calibration_
    'temperature'
    >>> model.temperature_ < 1  # the head was underconfident
    True
    >>> model.predict(["카드를 잃어버렸어요. 바로 정지해 주세요."]).tolist()
    ['lost_card']
    """

    n_features_in_: int

    def __init__(
        self,
        classifier: Any,
        aligner: Any = None,
        *,
        calibration: str = "auto",
        class_prior: ArrayLike | None = None,
    ) -> None:
        self.classifier = classifier
        self.aligner = aligner
        self.calibration = calibration
        self.class_prior = class_prior

    @keeps_former_fit
    @one_report()
    def fit(self, X: Any, y: Any = None, *, parallel: Any = None) -> AlignedClassifier:
        """Calibrate the head for target rows, and fit the aligner unless it is frozen.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_samples, n_features), float
            Target rows, in any :ref:`container <what-x-may-be>`, or their embeddings for a frozen
            aligner. English rows of text are used by the aligner only.
        y : array-like of shape (n_samples,), default=None
            Classes of the rows, if they are known. They replace pairs in the calibration.
        parallel : as in CrossLingualAligner.fit, or (target, english) embeddings, default=None
            Translation pairs, for the aligner if it is fitted here, and for the temperature if
            there is no `y`. None takes the aligner's `corpus`, for text.

        Returns
        -------
        AlignedClassifier
            The fitted classifier.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the head is not fitted, or a frozen aligner is not.
        ValueError
            If a parameter is out of its range, `y` holds a class that the head does not know, or
            `calibration` asks for what the data do not allow. All of this is checked before any
            text is encoded.
        """
        classes, prior = self._classes_and_prior()
        parallel = opened_parallel(parallel)  # the aligner and the calibration read it
        data = self._read(X, reset=True)
        texts = data.rows if isinstance(data, Text) else None
        if texts is not None:
            forget(self, "n_features_in_", "feature_names_in_")
        labels = None if y is None else _columns_of(y, classes)
        if labels is not None:
            check_consistent_length(data.rows, labels)
        own = self._own_aligner()
        target = _target_rows(own, data)
        pairs = self._pairs(data, parallel, labels is not None)
        candidates = self._candidates(prior, labels, target, pairs)
        say_idle(self, idle_of_aligned(self, labels is not None))
        aligner = None
        if self.aligner is not None:
            aligner = fitted_aligner(self.aligner, texts, parallel, "X holds")
            self._check_width(aligner)
        if isinstance(data, Embeddings):  # not every calibration moves them: an error comes here
            self.classifier.predict(_moved(aligner, data.rows[:1]))

        if candidates == ["none"]:
            calibration, chosen = Calibration(), "none"
        elif labels is not None:
            scores = _scores_of(self.classifier, _moved(aligner, data.rows))[target]
            chosen = choose_calibration(candidates, scores, labels[target], prior)
            calibration = fit_calibration(chosen, scores, labels[target], prior)
        else:
            calibration = self._fit_unlabelled(
                candidates[0], aligner, data.rows, target, pairs, prior
            )
            softened = self.calibration != "auto" or calibration.temperature > 1
            chosen = candidates[0] if softened else "none"
        self.classifier_, self.aligner_, self.classes_ = self.classifier, aligner, classes
        self.calibration_ = chosen
        self.temperature_, self.prior_ = calibration.temperature, calibration.prior
        self._log_ratio = calibration.log_ratio
        return self

    @one_report()
    def predict(self, X: Any) -> NDArray:
        """Predict classes: those of the head, or the most probable ones after a prior shift.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_samples, n_features)
            Target or English rows, or embeddings of target rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Elements of `classes_`.
        """
        check_is_fitted(self)
        if self.prior_ is None:
            Z, target = self._move(X)
            return self.classifier_.predict(Z) if len(target) else self.classes_[:0]
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    @available_if(_has_probabilities)
    @one_report()
    def predict_proba(self, X: Any) -> NDArray:
        """Predict recalibrated probabilities.

        Parameters
        ----------
        X : as in `predict`

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float
            In the order of `classes_`; no row depends on the others.
        """
        check_is_fitted(self)
        Z, target = self._move(X)
        if not len(target):
            return np.empty((0, len(self.classes_)))
        if self.calibration_ == "none":
            return self.classifier_.predict_proba(Z)
        scores = _scores_of(self.classifier_, Z)
        out = softmax(scores / self.temperature_ + self._log_ratio, axis=1)
        if not target.all():
            if hasattr(self.classifier_, "predict_proba"):
                own = self.classifier_.predict_proba(Z)
            else:
                own = softmax(scores / self.temperature_, axis=1)
            out[~target] = own[~target]
        return out

    @available_if(_head_has("decision_function"))
    @one_report()
    def decision_function(self, X: Any) -> NDArray:
        """Return the scores of the head, which no calibration changes.

        Parameters
        ----------
        X : as in `predict`

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            As the head returns them.
        """
        check_is_fitted(self)
        Z, target = self._move(X)
        if not len(target):
            return np.empty(0) if len(self.classes_) == 2 else np.empty((0, len(self.classes_)))
        return self.classifier_.decision_function(Z)

    def _read(self, X: Any, reset: bool = False) -> Text | Embeddings:
        """One column of text, or validated embeddings."""
        data = text_column(
            X, "rows", may_be_empty=not reset, missing=missing_of(self._own_aligner())
        )
        if isinstance(data, Text):
            return data
        least = int(reset)  # a batch to predict may be empty
        rows = validate_data(self, data.rows, dtype=_FLOATS, reset=reset, ensure_min_samples=least)
        return Embeddings(rows)

    def _move(self, X: Any) -> tuple[Any, NDArray]:
        """Rows for the head, and which of them are target rows."""
        data = self._read(X)
        own = self._own_aligner() if self.aligner_ is None else self.aligner_
        return _moved(self.aligner_, data.rows), _target_rows(own, data)

    def _aligns_itself(self) -> bool:
        """Whether the head takes text, and moves rows by aligners of its own."""
        return self.aligner is None and isinstance(thawed(self.classifier), CrossLingualClassifier)

    def _own_aligner(self) -> Any:
        """The aligner that tells languages apart and names the corpus."""
        if not self._aligns_itself():
            return thawed(self.aligner)
        return thawed(thawed(self.classifier).first_aligner)

    def _classes_and_prior(self) -> tuple[NDArray, NDArray | None]:
        """Classes of the head, and the class prior as frequencies; errors for bad parameters."""
        check_choice("calibration", self.calibration, _CALIBRATIONS)
        if not hasattr(self.aligner, "transform") and not self._aligns_itself():
            raise TypeError(
                "aligner must be a CrossLingualAligner or a frozen one, or None for a "
                f"CrossLingualClassifier, got {self.aligner!r}."
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
                f"classifier must be a classifier of one label per row, and {self.classifier!r} has "
                "no array classes_: wrap one classifier per output."
            )
        if self.class_prior is None:
            return classes, None
        prior = column_or_1d(self.class_prior, dtype=np.float64)
        if len(prior) != len(classes) or not (np.isfinite(prior) & (prior > 0)).all():
            raise ValueError(
                f"class_prior must hold {len(classes)} positive numbers, one per class of the head, "
                f"got {prior}."
            )
        return classes, prior / prior.sum()

    def _pairs(
        self, data: Text | Embeddings, parallel: Any, labelled: bool
    ) -> dict[str, tuple[Any, Any]]:
        """Both sides of pairs by language; of embeddings, under the name ""."""
        if labelled or self.calibration in ("none", "prior_shift"):
            if parallel is not None and isinstance(self.aligner, FrozenEstimator):
                raise ValueError(
                    "parallel= has no use here: the aligner is frozen, and no temperature is fitted to "
                    "pairs, as there are labels or calibration says otherwise. Leave it out."
                )
            return {}
        if isinstance(data, Embeddings):
            if parallel is None:
                return {}
            target, english = sides_of_rows(parallel)
            moving = check_array(target, dtype=_FLOATS, input_name="parallel")
            return {"": (moving, check_counterparts(moving, english))}
        own = self._own_aligner()
        languages = languages_of(own.target_lang)
        if parallel is None:
            return pairs_of_corpus(own.corpus, languages)
        return pairs_from(parallel, router_of(own), languages)

    def _candidates(
        self,
        prior: NDArray | None,
        labels: NDArray | None,
        target: NDArray,
        pairs: dict[str, tuple[Any, Any]],
    ) -> list[str]:
        """Calibrations to choose from, the simplest first; an error for one that is impossible."""
        asked = self.calibration
        if asked == "none":
            return ["none"]
        if "prior_shift" in asked and prior is None:
            raise ValueError(
                f"calibration={asked!r} needs to know the classes of the head's training rows: pass "
                "class_prior=np.unique(y_english, return_counts=True)[1]."
            )
        has_probabilities = hasattr(self.classifier, "predict_proba")
        if not has_probabilities and (labels is None or asked == "prior_shift"):
            if asked == "auto":
                return ["none"]
            raise ValueError(
                "The classifier has no predict_proba, and a temperature of its decision_function is "
                'fitted to labels only: pass y= and calibration="temperature", or a classifier with '
                "probabilities."
            )
        n_target = int(target.sum())
        if labels is None:
            return self._unlabelled_candidates(n_target, pairs)
        if n_target < _MIN_ROWS:
            raise ValueError(
                f"There are {n_target} labelled target rows, and calibration needs at least "
                f'{_MIN_ROWS}: label more, pass y=None, or calibration="none".'
            )
        if asked != "auto":
            return [asked]
        simple = ["none", "temperature"] if has_probabilities else ["temperature"]
        return simple if prior is None else [*simple, "temperature+prior_shift"]

    def _unlabelled_candidates(self, n_target: int, pairs: dict[str, tuple[Any, Any]]) -> list[str]:
        asked = self.calibration
        enough = sum(len(sides[0]) for sides in pairs.values()) >= _MIN_ROWS
        if "temperature" in asked and not enough:
            raise ValueError(
                f"calibration={asked!r} without labels needs at least {_MIN_ROWS} translation pairs: "
                "pass parallel=, or the labels of target rows as y."
            )
        if "prior_shift" in asked and not n_target:
            raise ValueError(f"calibration={asked!r} needs target rows, and all of X is English.")
        if asked != "auto":
            return [asked]
        if not enough:
            warn_user(
                "There is nothing to calibrate by: pass translation pairs as parallel=, the labels "
                'of target rows as y, or calibration="none".'
            )
        return ["temperature" if enough else "none"]

    def _check_width(self, aligner: Any) -> None:
        """Raise ValueError if the aligner makes rows of another width than the head was fitted on."""
        inner = thawed(aligner)
        expected = getattr(self.classifier, "n_features_in_", None)
        if expected is None or not isinstance(inner, ClassNamePrefixFeaturesOutMixin):
            return
        width = len(inner.get_feature_names_out())
        if width != expected:
            raise ValueError(
                f"The classifier was trained on {expected} features, and the aligner makes {width}: "
                "name the encoder of the classifier's English rows in english_encoder of the aligner."
            )

    def _fit_unlabelled(
        self,
        name: str,
        aligner: Any,
        rows: Any,
        target: NDArray,
        pairs: dict[str, tuple[Any, Any]],
        prior: NDArray | None,
    ) -> Calibration:
        temperature = 1.0
        if "temperature" in name:
            temperature = max(1.0, self._temperature_of_pairs(aligner, pairs))
        if "prior_shift" not in name:
            return Calibration(temperature)
        prior = ensured(prior, "prior")
        scores = _scores_of(self.classifier, _moved(aligner, rows))[target]
        shifted = prior_of_unlabelled(softmax(scores / temperature, axis=1), prior)
        return Calibration(temperature, shifted, np.log(shifted / prior))

    def _temperature_of_pairs(self, aligner: Any, pairs: dict[str, tuple[Any, Any]]) -> float:
        """Temperature fitted to the classes that the head gives the English sides of pairs."""
        scores, classes = [], []
        for language, (target, english) in pairs.items():
            n_pairs = len(target)
            at = np.linspace(0, n_pairs - 1, min(n_pairs, _MAX_PAIRS)).astype(int)
            if language:
                texts = Pairs(
                    [target[i] for i in at], [english[i] for i in at], [language] * len(at)
                )
                sides = _moved_texts(aligner, texts)
            else:
                sides = _moved_rows(aligner, target[at], english[at])
            scores.append(_scores_of(self.classifier, sides[0]))
            classes.append(self.classifier.predict(sides[1]))
        labels = _columns_of(np.concatenate(classes), self.classifier.classes_)
        return fit_temperature(np.vstack(scores), labels)

    def __sklearn_clone__(self) -> AlignedClassifier:
        # A clone of the head would not be fitted, and nothing here fits it.
        values = self.get_params(deep=False)
        head = values.pop("classifier")
        twin = type(self)(head, **{k: clone(v, safe=False) for k, v in values.items()})
        if hasattr(self, "_metadata_request"):
            twin._metadata_request = copy.deepcopy(self._metadata_request)
        note_clone(self, twin)
        return twin

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.target_tags.required = False
        return tags


def _columns_of(y: Any, classes: NDArray) -> NDArray[np.intp]:
    """Column of the class of every row; an error for classes that the head does not know."""
    column = {label: i for i, label in enumerate(classes.tolist())}
    labels = column_or_1d(label_column(y)).tolist()
    unknown = sorted({*labels} - {*column}, key=str)
    if unknown:
        raise ValueError(
            f"y holds {unknown[:5]}, which the head does not know: its classes are "
            f"{classes.tolist()}. Rename them, or take such rows out."
        )
    return np.array([column[label] for label in labels], dtype=np.intp)


def _moved(aligner: Any, rows: Any) -> Any:
    """Rows for the head, which takes them as they are where there is no aligner."""
    return rows if aligner is None else aligner.transform(rows)


def _moved_texts(aligner: Any, pairs: Pairs) -> tuple[Any, Any]:
    """Both sides of pairs of text, for the head."""
    if aligner is None:
        return pairs.target, pairs.english
    return transform_pairs(thawed(aligner), pairs)


def _moved_rows(aligner: Any, target: NDArray, english: NDArray) -> tuple[NDArray, NDArray]:
    """Both sides of pairs of embeddings, for the head."""
    if aligner is None:
        return target, english
    fitted = thawed(aligner)
    return fitted.transform(target), route_of(fitted).english(english)


def _target_rows(aligner: Any, data: Text | Embeddings) -> NDArray[np.bool_]:
    """Which rows are of the target language; embeddings all are."""
    if isinstance(data, Embeddings):
        return np.ones(len(data.rows), dtype=bool)
    if not hasattr(aligner, "target_lang"):
        raise TypeError(
            f"X is text, which needs a CrossLingualAligner, and the aligner is {aligner!r}: pass "
            "embeddings."
        )
    route = router_of(aligner)
    return np.array(route(data.rows) if data.rows else [], dtype=object) != "en"


def _scores_of(head: Any, Z: Any) -> NDArray:
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
            'classifier with one decision per class, such as decision_function_shape="ovr".'
        )
    return S
