"""CrossLingualClassifier: a classifier of other languages, learned from English labels."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)
from threadpoolctl import threadpool_info, threadpool_limits

from .._utils.containers import embedding_rows, label_column
from .._utils.fits import keeps_former_fit
from .._utils.idle import say_idle
from .._utils.lineage import LineageMixin, note_clone, settle
from .._utils.stamp import VersionStampMixin
from .._utils.validation import check_choice, check_number, forget, warn_user
from ..aligner import CrossLingualAligner
from ..aligner._cross_fit import check_cross_fit, cross_fitted_rows
from ..aligner._frozen import thawed
from ..aligner._learn import fit_planned
from ..aligner._pairs import sides_of_rows
from ..aligner._plan import Plan, plan_fit
from ..aligner._route import (
    Route,
    RoutedHead,
    encoder_name,
    encoders_of,
    missing_of,
    route_of,
    router_of,
    source_rows,
)
from ..aligner._tuning import note_rows
from ..corpus._inputs import Embeddings, Text, opened_parallel, text_column
from ..encoders import EncodingSession
from ..encoders.base import TextEncoder
from ..encoders.long_texts import numbered_rows
from ..encoders.session import check_varies
from ..languages import LanguageRouter
from ..languages.codes import languages_of
from ..languages.router import one_report
from ..mapping import LinearAligner
from ..mapping._base import PairedMap
from ..mapping.rows import PairedRows
from ._adaptation import (
    MIN_ROWS,
    PSEUDO_WEIGHT,
    PseudoLabels,
    mean_confidence,
    pseudo_labels,
    pseudo_share,
    refusal,
    teachers,
)
from ._heads import KERNEL, Head, KeptRows, check_head, fit_head, takes_weights
from ._idle import idle_of_cross_lingual
from ._map_choice import choose_map, near_identity_maps
from ._report import AdaptationReport, ClassifierReport, ViewReport
from ._views import Source, Task, View, agreement, mean_kappa

__all__ = ["CrossLingualClassifier"]


_FLOATS = [np.float64, np.float32]
_VIEWS = ("own", "bridge")
_ADAPT = ("auto", "self-training", "co-training", "none")
# Two views that agree less than this beyond chance say nothing together.
_MIN_KAPPA = 0.2
# Rows with predicted labels that a stream keeps, as long as there are fewer labelled ones.
_MAX_PSEUDO = 1_000
# Of more unlabelled texts than this, some are drawn before any is encoded.
_MAX_UNLABELLED = 2_000


class CrossLingualClassifier(
    LineageMixin, VersionStampMixin, MetaEstimatorMixin, ClassifierMixin, BaseEstimator
):
    """Classifier of other languages, learned from English labels.

    Text is seen through several *views*: rows of each multilingual encoder, and the same rows
    bridged into another English encoder. Every view has a head of its own, by default kernel ridge
    regression of the classes, and the calibrated probabilities of the views are averaged.
    Unlabelled text of the target language, where there is some, teaches the heads once more
    (self-training). Labels or translations of the target language are not needed.

    Parameters
    ----------
    aligner : CrossLingualAligner, a frozen one, or a list of them
        The encoders, and the maps between their rows. `fit` clones an aligner and fits the clone;
        ``aligner.freeze()`` keeps one that is fitted already. A list has one aligner per
        multilingual encoder, all for the same languages. With ``method="auto"``, and unless
        ``objective="retrieval"``, the language map of each view is chosen by its head: of no alignment,
        the difference of the means and two strong ridges, the one under which the head gives both
        sides of held-out translation pairs the same answer. No alignment stays unless another map is
        better by a standard error and closes 5 % of the gap to the English answers.
    head : "kernel" or classifier, default="kernel"
        Classifier of each view, with `predict_proba`, which is cloned. "kernel" is
        ``KernelRidgeClassifier()``. Other classifiers are calibrated by a temperature from 5 folds.
    views : {"auto", "own", "bridge"} or a sequence of them, default="auto"
        "own": rows of the multilingual encoder. "bridge": rows bridged into `english_encoder`; those
        of English text by bridges that did not see it, so that the head learns the noise of the
        bridge. "auto": both, where the aligner has another English encoder.
    adapt : {"auto", "self-training", "co-training", "none"}, default="auto"
        How unlabelled rows (`target` in `fit`) are used: the more confident half of every predicted
        class (a quarter with four views) is added to the labelled rows of each view, at weight 0.5,
        and the heads are fitted again, once. In "self-training" the mean of all views predicts the
        labels, in "co-training" (Blum and Mitchell, COLT 1998) that of the other views; "auto" is the
        latter where there are several views. Nothing is learned from fewer than 100 rows, nor where
        the mean top probability of these rows is below 0.75 times that of English ones, held out;
        `report_` and a warning say so. "none" ignores `target`.
    encoder : list of encoders, default=None
        Multilingual encoders in place of that of a single `aligner`: one view or two for each, such
        as ``["use-multilingual", "multilingual-e5-small"]``.
    cross_fit : int, default=5
        Folds of English rows that are bridged by a bridge that did not see them.
    random_state : int, RandomState instance or None, default=None
        Draws folds and landmarks. Pass an int for the same fit in every call.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    aligners_ : list of CrossLingualAligner or FrozenEstimator
        The fitted aligners, one per multilingual encoder. Empty after a fit on embeddings of
        English rows without `parallel`.
    views_ : list of View
        The views, each with its `name`, language `maps`, `bridge` and `head`.
    report_ : ClassifierReport
        Held-out accuracy and log loss of every view, their agreement, and what unlabelled text
        did. ``print`` it.
    n_features_in_ : int
        Width of X, only after a fit on embeddings.

    See Also
    --------
    KernelRidgeClassifier : The default head, for use behind any aligner.
    AlignedClassifier : Serves an English classifier that is fitted already.

    Notes
    -----
    Held-out scores in `report_` are of English rows. They say nothing about the target language.

    The confidence of the views on unlabelled rows tells most sets of rows of another task apart,
    but not rows of the right task in other proportions; self-training on the latter neither gains
    nor loses much.

    `predict` encodes a text once per multilingual encoder; the English encoder is not needed.

    Examples
    --------
    English requests teach a classifier of Korean ones; unlabelled Korean text would go to `target`:

    >>> from langalign_sk import CrossLingualAligner, CrossLingualClassifier
    >>> from langalign_sk.datasets import load_service_requests
    >>> X, y = load_service_requests(language="en", return_X_y=True)
    >>> aligner = CrossLingualAligner("ko", english_encoder="minilm-english")
    >>> classifier = CrossLingualClassifier(aligner, random_state=0).fit(X, y)
    >>> classifier.predict(["카드를 잃어버렸어요. 바로 정지해 주세요."]).tolist()
    ['lost_card']
    >>> [view.view for view in classifier.report_.views]
    ['use-multilingual', 'use-multilingual, bridged']
    """

    n_features_in_: int
    classes_: NDArray
    aligners_: list[Any]
    views_: list[View]
    report_: ClassifierReport
    _n_labelled: int
    _confidence: float  # mean of the labelled rows, held out
    _waiting: list[NDArray] | None  # rows of a stream, by view

    def __init__(
        self,
        aligner: Any,
        *,
        head: Any = KERNEL,
        views: Any = "auto",
        adapt: str = "auto",
        encoder: Any = None,
        cross_fit: int = 5,
        random_state: Any = None,
    ) -> None:
        self.aligner = aligner
        self.head = head
        self.views = views
        self.adapt = adapt
        self.encoder = encoder
        self.cross_fit = cross_fit
        self.random_state = random_state

    @keeps_former_fit
    @one_report()
    def fit(
        self,
        X: Any,
        y: Any,
        *,
        target: Any = None,
        sample_weight: Any = None,
        parallel: Any = None,
    ) -> CrossLingualClassifier:
        """Fit the aligners, a head per view, and adapt the heads to unlabelled text.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_samples, n_features), float
            English text, in any :ref:`container <what-x-may-be>`; labelled target rows may be among
            it, and count like English ones. Or embeddings of English rows in the multilingual encoder.
        y : array-like of shape (n_samples,)
            Class labels.
        target : one column of text, or array-like of shape (n_unlabelled, n_features), default=None
            Unlabelled text of the target languages, such as yesterday's requests; or embeddings, if
            X holds some. English rows in it are left out.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows of X.
        parallel : as in CrossLingualAligner.fit, or (target, english) embeddings, default=None
            Translation pairs. None takes the `corpus` of each aligner, for text.

        Returns
        -------
        CrossLingualClassifier
            The fitted classifier.

        Raises
        ------
        TypeError
            If `aligner` is not a CrossLingualAligner or a list of them.
        ValueError
            If a parameter is out of its range, `y` has one class only, X has no English row, or
            `target` holds labels, no target rows, or more than one column. All of this is checked
            before any text is encoded.
        """
        check_head(self.head)
        check_choice("adapt", self.adapt, _ADAPT)
        check_number(
            "cross_fit", self.cross_fit, Integral, lambda n: n >= 2, "an int of at least 2"
        )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        aligners = self._aligners(seed)
        data = self._read(X, reset=True)
        of_text = isinstance(data, Text)
        kinds = self._kinds(aligners, of_text)
        y = _checked_labels(y, len(data.rows))
        weight = _weights(sample_weight, len(data.rows))
        rows, y, weight = _counted(data.rows, y, weight)
        parallel = opened_parallel(parallel)  # every aligner reads it
        classes, labels = _classes_and_columns(y)
        labelled = {"labels": labels, "weight": weight, "seed": seed}
        target = None if self.adapt == "none" else target
        if of_text:
            texts = _read_texts(aligners[0], rows, target, classes, seed)
            plans = self._plans(aligners, texts, parallel)
            session = _encoded_texts(aligners, plans, texts)
            bridged = any(plan is not None and plan.bridged for plan in plans)
        idle = idle_of_cross_lingual(self, len(kinds), of_text and bridged)
        say_idle(self, idle)
        with _shared_blas(len(kinds)) as n_jobs:
            if of_text:
                aligners, task = self._task_of_texts(aligners, plans, texts, session, labelled)
            else:
                aligners, task = _task_of_embeddings(aligners, rows, target, parallel, labelled)
            jobs = (delayed(self._fit_view)(task, *kind) for kind in kinds)
            fitted = list(Parallel(n_jobs, require="sharedmem")(jobs))
        views = _sharing_maps([view for view, _, _ in fitted], task.sources)
        references = [P for _, P, _ in fitted]
        held_out: NDArray = np.mean(references, axis=0)
        confidence = mean_confidence(held_out)
        adaptation = AdaptationReport(False, "there was no unlabelled text")
        if target is not None:
            train = [
                task.training_rows(*kind, view.maps)
                for kind, view in zip(kinds, views, strict=True)
            ]
            unlabelled = [source.unlabelled for source in task.sources]
            moved = [view.move(unlabelled, task.unlabelled_languages) for view in views]
            lesson = _Lesson(train, moved, len(labels), confidence)
            views, adaptation = self._adapted(views, views, lesson)
        report = ClassifierReport(
            tuple(report for _, _, report in fitted),
            *_held_out_scores(held_out, labels, weight),
            agreement(references),
            adaptation,
            (*_doubts(references), *(one.message for one in idle)),
        )
        # All at once: a fit that fails leaves an earlier one as it is.
        self.classes_, self.aligners_, self.views_, self.report_ = classes, aligners, views, report
        self._n_labelled, self._confidence, self._waiting = len(labels), confidence, None
        if of_text:
            forget(self, "n_features_in_", "feature_names_in_")
        return self

    @keeps_former_fit
    @one_report()
    def partial_adapt(self, target: Any) -> CrossLingualClassifier:
        """Adapt the heads to more unlabelled rows, as they come in.

        Rows are collected until there are 100; then the heads as they were fitted on labelled rows
        predict their labels, and learn from the most confident rows of every predicted class beside
        the labelled rows, and the latest rows that were learned from before.

        Parameters
        ----------
        target : as in `fit`
            Unlabelled rows.

        Returns
        -------
        CrossLingualClassifier
            The classifier itself. `report_` says whether the rows were used.

        Raises
        ------
        ValueError
            If the heads do not keep their rows: other heads than "kernel", or more labelled rows
            than its `max_rows`. Then fit again with ``target=``.
        """
        check_is_fitted(self)
        kept = self._kept_rows()
        rows, languages = self._unlabelled(target)
        moved = [view.move(rows, languages) for view in self.views_]
        if self._waiting is not None:
            moved = [np.vstack(pair) for pair in zip(self._waiting, moved, strict=True)]
        if len(moved[0]) < MIN_ROWS:
            self._waiting = moved
            reason = f"{len(moved[0])} rows wait until there are {MIN_ROWS}"
            self._report(AdaptationReport(False, reason, len(moved[0])))
            return self
        n = self._n_labelled
        untaught = [
            replace(view, head=view.head.refitted(Z[:n], view.labels[:n], view.weight[:n]))
            for view, Z in zip(self.views_, kept, strict=True)
        ]
        lesson = _Lesson(kept, moved, n, self._confidence)
        views, adaptation = self._adapted(untaught, self.views_, lesson)
        self.views_, self._waiting = views, None
        self._report(adaptation)
        return self

    def predict(self, X: Any) -> NDArray:
        """Predict classes.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_samples, n_features)
            Text in the target languages or English, in any mixture; or embeddings of target rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Elements of `classes_`.
        """
        P = self.predict_proba(X)
        return self.classes_[P.argmax(axis=1)]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Predict probabilities: the mean of those of the views.

        Parameters
        ----------
        X : as in `predict`

        Returns
        -------
        ndarray of shape (n_samples, n_classes), float64
            In the order of `classes_`; no row depends on the others.
        """
        check_is_fitted(self)
        data = self._read(X)
        if not len(data.rows):
            return np.empty((0, len(self.classes_)))
        if isinstance(data, Text):
            rows, languages = self._encoded(data.rows)
            bridged = any(view.bridge is not None for view in self.views_)
            for aligner in map(thawed, self.aligners_):
                note_rows(aligner, data.rows, languages.tolist(), bridged=bridged)
        else:
            rows, languages = self._embedded(data.rows)
        P = [view.head.predict_proba(view.move(rows, languages)) for view in self.views_]
        mean: NDArray[np.float64] = np.mean(P, axis=0)
        return mean

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of the probabilities; of two classes, the log odds of the second.

        Parameters
        ----------
        X : as in `predict`

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes), float64
            Scores.
        """
        logs = np.log(np.clip(self.predict_proba(X), np.finfo(np.float64).tiny, None))
        return logs[:, 1] - logs[:, 0] if len(self.classes_) == 2 else logs

    def routed_heads(self) -> list[RoutedHead]:
        """Return the head of every view with the maps that rows pass before it.

        Returns
        -------
        list of RoutedHead
            In the order of `views_`; the mean of their probabilities is that of the classifier.
        """
        check_is_fitted(self)
        aligners = [thawed(aligner) for aligner in self.aligners_] or [None]
        encoders = [aligner and encoders_of(aligner)[0] for aligner in aligners]
        # Two aligners of one encoder, such as with two bridges, share its place.
        distinct = [one for i, one in enumerate(encoders) if one not in encoders[:i]]
        return [
            RoutedHead(
                distinct.index(encoders[view.place]),
                Route(view.maps, view.bridge),
                view.head.model,
                view.head.temperature,
                aligners[view.place],
            )
            for view in self.views_
        ]

    @property
    def first_aligner(self) -> Any:
        """The first of the aligners; all declare the same languages."""
        return self.aligner[0] if isinstance(self.aligner, list | tuple) else self.aligner

    def _aligners(self, seed: int) -> list[Any]:
        """Unfitted clones of the aligners, or frozen ones; errors for others."""
        given = self.aligner if isinstance(self.aligner, list | tuple) else [self.aligner]
        for aligner in given:
            if not isinstance(thawed(aligner), CrossLingualAligner):
                raise TypeError(
                    f"aligner must be a CrossLingualAligner, a frozen one or a list of them, got "
                    f"{aligner!r}."
                )
        if not given:
            raise ValueError("aligner is an empty list: pass at least one CrossLingualAligner.")
        if self.encoder is not None:
            given = _with_encoders(given, self.encoder)
        for aligner in map(thawed, given):
            if aligner.output_space != "english":
                raise ValueError(
                    f"aligner has output_space={aligner.output_space!r}, and views lie where English "
                    'rows are: leave it at "english".'
                )
            if languages_of(aligner.target_lang) != languages_of(thawed(given[0]).target_lang):
                raise ValueError(
                    "The aligners declare different languages: give all of them one target_lang."
                )
        bridged = "bridge" in self._asked_views()
        return [_prepared(aligner, seed, bridged) for aligner in given]

    def _asked_views(self) -> list[str]:
        """Kinds of views that `views` stands for."""
        asked = self.views
        kinds = _VIEWS if isinstance(asked, str) and asked == "auto" else asked
        kinds = [kinds] if isinstance(kinds, str) else list(kinds)
        if not kinds or any(kind not in _VIEWS for kind in kinds):
            raise ValueError(
                f'views must be "auto", "own", "bridge" or a list of the last two, got {asked!r}.'
            )
        return kinds

    def _kinds(self, aligners: list[Any], of_text: bool) -> list[tuple[int, str]]:
        """Places of the encoders and the kind of each view: an encoder has one view of its own."""
        kinds = self._asked_views()
        if not of_text and "own" in kinds:
            return [(0, "own")]
        bridged = [of_text and _has_bridge(aligner) for aligner in aligners]
        if self.views != "auto" and "bridge" in kinds and not all(bridged):
            raise ValueError(
                'views has "bridge", which needs text and aligners with another English encoder: pass '
                'english_encoder="minilm-english" to the aligner, or views="own".'
            )
        encoders = [encoders_of(thawed(aligner))[0] for aligner in aligners]
        out = []
        for place, encoder in enumerate(encoders):
            if "own" in kinds and encoder not in encoders[:place]:
                out.append((place, "own"))
            if "bridge" in kinds and bridged[place]:
                out.append((place, "bridge"))
        return out

    def _plans(self, aligners: list[Any], texts: _Texts, parallel: Any) -> list[Plan | None]:
        """Checked plans of the aligners, None for a frozen one, before any text is encoded."""
        plans = [
            None if isinstance(one, FrozenEstimator) else plan_fit(one, texts.rows, None, parallel)
            for one in aligners
        ]
        for plan in plans:
            if plan is not None and plan.bridged:
                check_cross_fit(plan, self.cross_fit)
        return plans

    def _task_of_texts(
        self,
        aligners: list[Any],
        plans: list[Plan | None],
        texts: _Texts,
        session: EncodingSession,
        labelled: dict[str, Any],
    ) -> tuple[list[Any], Task]:
        """Fitted aligners, and the rows of all texts in their encoders."""
        fitted, sources = [], []
        for aligner, plan in zip(aligners, plans, strict=True):
            fitted.append(aligner if plan is None else fit_planned(aligner, plan, session))
            seed = labelled["seed"]
            sources.append(self._source(thawed(fitted[-1]), plan, texts, session, seed))
        languages = texts.languages, texts.unlabelled_languages
        return fitted, Task(
            languages=languages[0], unlabelled_languages=languages[1], sources=sources, **labelled
        )

    def _source(
        self, aligner: Any, plan: Plan | None, texts: _Texts, session: EncodingSession, seed: int
    ) -> Source:
        """Rows of one encoder, and the maps of its aligner."""
        route = route_of(aligner)
        bridged, pairs = None, {}
        if plan is not None and route.bridge is not None:
            bridged = cross_fitted_rows(plan, texts.english, session, self.cross_fit, seed)
        if plan is not None and plan.method == "auto" and plan.for_head:
            pairs = {
                language: LinearAligner().check_rows(
                    session.encode(plan.source, target), session.encode(plan.source, english)
                )
                for language, (target, english) in plan.pairs.items()
            }
        labelled = source_rows(aligner, texts.rows, session)
        check_varies(labelled, texts.rows, encoders_of(aligner)[0])
        unlabelled = labelled[:0]
        if texts.unlabelled:
            unlabelled = source_rows(aligner, texts.unlabelled, session)
        name = encoder_name(aligner.encoder)
        return Source(name, route.maps, route.bridge, labelled, unlabelled, bridged, pairs)

    def _fit_view(self, task: Task, place: int, kind: str) -> tuple[View, NDArray, ViewReport]:
        """A view whose maps are chosen by its head, its held-out probabilities, its report."""
        source, english = task.sources[place], task.english
        bridge = source.bridge if kind == "bridge" else None
        maps, choices = source.maps, dict[str, dict[str, list]]()
        Z = task.training_rows(place, kind, maps)
        weight = task.weight
        known = np.ones(len(Z), dtype=bool)
        if source.pairs and not english.all():
            known = english  # rows that the maps do not move
        labels = np.unique(task.labels[known], return_inverse=True)[1]
        head, reference = fit_head(
            self.head, Z[known], labels, None if weight is None else weight[known], task.seed
        )
        if source.pairs:
            maps, choices = _chosen_maps(source, bridge, head, task.seed)
        if not known.all():
            Z = task.training_rows(place, kind, maps)
            head, reference = fit_head(self.head, Z, task.labels, weight, task.seed)
        weights = np.ones(len(Z)) if weight is None else weight
        name = source.name if bridge is None else f"{source.name}, bridged"
        kept = KeptRows.of(head.model, Z)
        view = View(name, place, maps, bridge, head, task.labels, weights, kept)
        model = head.model
        report = ViewReport(
            name,
            Z.shape[1],
            *_held_out_scores(reference, task.labels, weight),
            {language: fitted.fitted_method for language, fitted in maps.items()},
            getattr(model, "gamma_", None),
            getattr(model, "alpha_", None),
            getattr(model, "temperature_", head.temperature),
            choices,
        )
        return view, reference, report

    def _adapted(
        self, untaught: list[View], views: list[View], lesson: _Lesson
    ) -> tuple[list[View], AdaptationReport]:
        """Views that learned from unlabelled rows, or the same ones and why they did not.

        The untaught views predict the labels.
        """
        unlabelled, n_rows = lesson.unlabelled, len(lesson.unlabelled[0])
        P = [view.head.predict_proba(U) for view, U in zip(untaught, unlabelled, strict=True)]
        ratio = mean_confidence(np.mean(P, axis=0)) / lesson.confidence
        reason = refusal(n_rows, ratio)
        if not takes_weights(self.head):
            reason = f"fit of the head {self.head!r} takes no sample_weight"
        if reason is not None:
            warn_user(f"Nothing was learned from the unlabelled rows: {reason}.")
            return views, AdaptationReport(False, reason, n_rows, 0, ratio, agreement(P))
        share = pseudo_share(len(views))
        chosen = [pseudo_labels(Q, share) for Q in teachers(P, self.adapt != "self-training")]
        taught = [
            _taught(view, lesson.n_labelled, Z, U, pseudo)
            for view, Z, U, pseudo in zip(views, lesson.train, unlabelled, chosen, strict=True)
        ]
        after = [view.head.predict_proba(U) for view, U in zip(taught, unlabelled, strict=True)]
        n_pseudo = round(float(np.mean([len(pseudo) for pseudo in chosen])))
        reason = f"{n_pseudo} of {n_rows} unlabelled rows were taken with a predicted label"
        return taught, AdaptationReport(
            True, reason, n_rows, n_pseudo, ratio, agreement(P), agreement(after)
        )

    def _kept_rows(self) -> list[NDArray]:
        """Rows that the heads of the views learned from."""
        rows = [
            view.kept.restored(view.head.model) for view in self.views_ if view.kept is not None
        ]
        if len(rows) < len(self.views_):
            raise ValueError(
                "partial_adapt needs heads that keep their rows, which KernelRidgeClassifier does up "
                "to max_rows: fit again, with all unlabelled text as target=."
            )
        return rows

    def _report(self, adaptation: AdaptationReport) -> None:
        self.report_ = replace(self.report_, adaptation=adaptation)

    def _read(self, X: Any, reset: bool = False) -> Text | Embeddings:
        """One column of text, or validated embeddings."""
        data = text_column(
            X, "rows", may_be_empty=not reset, missing=missing_of(self.first_aligner)
        )
        if isinstance(data, Text):
            if not reset and not data.rows:
                return data
            if not reset and hasattr(self, "n_features_in_"):
                raise ValueError(
                    "X is text, and the classifier was fitted on embeddings: pass those."
                )
            return data
        least = int(reset)  # a batch to predict may be empty
        rows = validate_data(self, data.rows, dtype=_FLOATS, reset=reset, ensure_min_samples=least)
        return Embeddings(rows)

    def _unlabelled(self, target: Any) -> tuple[list[NDArray], NDArray[np.str_]]:
        """Unlabelled rows of every encoder, and their languages."""
        if hasattr(self, "n_features_in_"):
            return self._embedded(_unlabelled_rows(target, self.n_features_in_))
        router = router_of(self.aligners_[0])
        missing = missing_of(self.aligners_[0])
        return self._encoded(*_unlabelled_texts(target, self.classes_, router, missing))

    def _encoded(
        self, texts: list[str], languages: NDArray[np.str_] | None = None
    ) -> tuple[list[NDArray], NDArray[np.str_]]:
        """Rows of texts in every encoder, and their languages."""
        if languages is None:
            languages = np.array(router_of(self.aligners_[0])(texts))
        session = EncodingSession()
        rows = [source_rows(thawed(aligner), texts, session) for aligner in self.aligners_]
        return rows, languages

    def _embedded(self, rows: NDArray) -> tuple[list[NDArray], NDArray[np.str_]]:
        """Embeddings of target rows, and their language."""
        if any(view.place for view in self.views_):
            raise ValueError("X holds embeddings, and there are several encoders: pass text.")
        route = Route(self.views_[0].maps)
        route.check_width(rows.shape[1])  # an error too if there are several languages
        return [rows], np.full(len(rows), next(iter(route.maps)))

    def __sklearn_clone__(self) -> CrossLingualClassifier:
        # Encoders are frozen: copying a loaded model would be slow.
        values = self.get_params(deep=False)
        encoder = values.pop("encoder")
        if isinstance(encoder, list | tuple):
            encoder = [clone(e) if isinstance(e, TextEncoder) else e for e in encoder]
        elif isinstance(encoder, TextEncoder):
            encoder = clone(encoder)
        others = {name: clone(value, safe=False) for name, value in values.items()}
        twin = type(self)(others.pop("aligner"), encoder=encoder, **others)
        if hasattr(self, "_metadata_request"):
            twin._metadata_request = copy.deepcopy(self._metadata_request)
        note_clone(self, twin)
        return twin

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


# Two fits at once would each take the limit of the other for the one to go back to.
_limiting = threading.Lock()


@contextmanager
def _shared_blas(n_views: int) -> Iterator[int]:
    """Number of jobs for the views, which share the threads of BLAS evenly meanwhile.

    The BLAS of numpy and that of scipy have threads of their own, which wait in loops: with all of
    them, a fit of two views takes half as long again on two cores.
    """
    pools = [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]
    n_threads = max(pools, default=1)
    n_jobs = min(n_views, n_threads)
    with _limiting, threadpool_limits(n_threads // n_jobs, user_api="blas"):
        yield n_jobs


def _encoded_texts(aligners: list[Any], plans: list[Plan | None], texts: _Texts) -> EncodingSession:
    """Session that has encoded every distinct text once with each multilingual encoder."""
    session, rows = EncodingSession(), [*texts.rows, *texts.unlabelled]
    with numbered_rows(texts.rows):
        for aligner, plan in zip(aligners, plans, strict=True):
            if plan is None:
                source_rows(thawed(aligner), rows, session)
            else:
                pairs = [text for sides in plan.pairs.values() for side in sides for text in side]
                session.encode(plan.source, [*rows, *pairs])
    return session


@dataclass(frozen=True)
class _Lesson:
    """Rows of an adaptation, a list of arrays for the views.

    `train` are the rows that the views learned from, of which the first `n_labelled` have labels
    of the user's; `confidence` is that of these rows, held out.
    """

    train: list[NDArray]
    unlabelled: list[NDArray]
    n_labelled: int
    confidence: float


@dataclass(frozen=True)
class _Texts:
    """Texts of a fit with their languages."""

    rows: list[str]
    languages: NDArray[np.str_]
    unlabelled: list[str]
    unlabelled_languages: NDArray[np.str_]

    @property
    def english(self) -> list[str]:
        return [text for text, code in zip(self.rows, self.languages, strict=True) if code == "en"]


def _with_encoders(given: Sequence[Any], encoder: Any) -> list[Any]:
    """Clones of the only aligner, one per encoder."""
    if len(given) > 1 or isinstance(given[0], FrozenEstimator):
        raise ValueError(
            "encoder= takes the place of the encoder of one unfitted aligner: leave it None for a list "
            "of aligners or a frozen one."
        )
    encoders = list(encoder) if isinstance(encoder, list | tuple) else [encoder]
    if not encoders:
        raise ValueError("encoder is an empty list: pass at least one encoder, or None.")
    return [clone(given[0]).set_params(encoder=one) for one in encoders]


def _prepared(aligner: Any, seed: int, bridged: bool) -> Any:
    """The frozen aligner, or an unfitted clone that learns no more than the views need."""
    if isinstance(aligner, FrozenEstimator):
        check_is_fitted(aligner)
        return aligner
    if hasattr(aligner, "language_map_"):
        warn_user(
            "The aligner is fitted already, and fit() fits a clone of it: pass aligner.freeze() to use "
            "it as it is."
        )
    twin = clone(aligner)
    if twin.objective == "auto":
        settle(twin, objective="head")  # and the heads choose among closed forms themselves
    if not bridged:
        settle(twin, english_encoder=None)
    if twin.random_state is None:
        settle(twin, random_state=seed)
    return twin


def _has_bridge(aligner: Any) -> bool:
    if isinstance(aligner, FrozenEstimator):
        return thawed(aligner).bridge_map_ is not None
    source, system = encoders_of(aligner)
    return source is not system


def _checked_labels(y: Any, n_rows: int) -> NDArray:
    """One class label per row."""
    if y is None:
        raise ValueError(
            "CrossLingualClassifier requires y to be passed, but the target y is None: y holds the "
            "class labels of the rows of X."
        )
    y = column_or_1d(label_column(y), warn=True)
    check_classification_targets(y)
    if len(y) != n_rows:
        raise ValueError(f"X has {n_rows} rows and y {len(y)} labels: pass one label per row.")
    return y


def _counted(rows: Any, y: NDArray, weight: NDArray | None) -> tuple[Any, NDArray, NDArray | None]:
    """Rows, labels and weights without rows of weight zero."""
    if weight is None or weight.all():
        return rows, y, weight
    at = np.flatnonzero(weight)
    rows = [rows[i] for i in at] if isinstance(rows, list) else rows[at]
    return rows, y[at], weight[at]


def _classes_and_columns(y: NDArray) -> tuple[NDArray, NDArray[np.intp]]:
    """Classes, and the column of the class of every row."""
    classes, columns = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"y holds one class only, {classes[0]!r}: a classifier needs two or more.")
    return classes, columns


def _weights(sample_weight: Any, n_rows: int) -> NDArray[np.float64] | None:
    if sample_weight is None:
        return None
    weight: NDArray[np.float64] = _check_sample_weight(
        sample_weight, np.empty((n_rows, 1)), ensure_non_negative=True
    )
    if not weight.sum() > 0:
        raise ValueError("sample_weight sums to zero: give at least one row weight.")
    return weight


def _read_texts(aligner: Any, rows: list[str], target: Any, classes: NDArray, seed: int) -> _Texts:
    """Labelled and unlabelled texts, with their languages."""
    router = router_of(aligner)
    languages = np.array(router(rows))
    if not (languages == "en").any():
        raise ValueError(
            "X holds no English row: a cross-lingual classifier learns from English labels, and "
            "labelled target rows go beside them."
        )
    if target is None:
        return _Texts(rows, languages, [], languages[:0])
    texts, codes = _unlabelled_texts(target, classes, router, missing_of(aligner))
    if len(texts) > _MAX_UNLABELLED:
        keep = np.random.RandomState(seed).permutation(len(texts))[:_MAX_UNLABELLED]
        keep.sort()
        texts, codes = [texts[i] for i in keep], codes[keep]
    return _Texts(rows, languages, texts, codes)


def _unlabelled_texts(
    target: Any, classes: NDArray, router: LanguageRouter, missing: str
) -> tuple[list[str], NDArray[np.str_]]:
    """Distinct target texts without labels, and their languages."""
    if isinstance(target, str | bytes):
        raise ValueError("target is one text: pass a list of unlabelled texts, such as [text].")
    if isinstance(target, tuple) and len(target) == 2 and not isinstance(target[0], str):
        raise ValueError(
            "target is a tuple of two columns, such as (texts, labels): pass unlabelled texts alone. "
            "Labelled target rows go into X and y."
        )
    try:
        data = text_column(target, "unlabelled rows", missing=missing)
    except (TypeError, ValueError) as error:
        raise type(error)(f"In target: {error}") from None
    if isinstance(data, Embeddings):
        raise ValueError("target must be one column of text, as X is.")
    if {*data.rows} <= {*map(str, classes)}:
        raise ValueError(
            f"target holds the labels {data.rows[:3]}: pass unlabelled texts of the target language."
        )
    try:
        languages = router(data.rows)
    except ValueError as error:
        raise ValueError(f"In target: {error}") from None
    own = {
        text: code for text, code in zip(data.rows, languages, strict=True) if code != "en"
    }  # a text counts once
    if not own:
        raise ValueError(
            "target holds English rows only: pass unlabelled texts of the target language."
        )
    return list(own), np.array(list(own.values()))


def _unlabelled_rows(target: Any, width: int) -> NDArray:
    rows: NDArray = check_array(
        embedding_rows(target, "target"), dtype=_FLOATS, input_name="target"
    )
    if rows.shape[1] != width:
        raise ValueError(f"target has {rows.shape[1]} features, and X has {width}.")
    return rows


def _task_of_embeddings(
    aligners: list[Any], X: NDArray, target: Any, parallel: Any, labelled: dict[str, Any]
) -> tuple[list[Any], Task]:
    """Maps learned from pairs of embeddings, if there are any, and the rows of X as they are."""
    if len(aligners) > 1:
        raise ValueError("X holds embeddings, which are of one encoder: pass one aligner, or text.")
    aligner, width = aligners[0], X.shape[1]
    language = languages_of(thawed(aligner).target_lang)[0]
    unlabelled = X[:0] if target is None else _unlabelled_rows(target, width)
    pairs = {}
    if isinstance(aligner, FrozenEstimator):
        route = route_of(aligner)
        route.check_width(width)
        maps, aligners = {language: route.map_of()}, [aligner]
    elif parallel is None:
        nothing = np.zeros((2, width), X.dtype)
        maps, aligners = {language: LinearAligner("identity").fit(nothing, nothing)}, []
    else:
        rows = _pairs_of_rows(parallel, width)
        aligners = [aligner.fit(rows.X, rows.Y)]
        maps = route_of(aligners[0]).maps
        by_heads = aligner.method == "auto" and aligner.objective == "head"
        pairs = {language: rows} if by_heads else {}
    source = Source("embeddings", maps, None, X, unlabelled, None, pairs)
    codes = np.full(len(X), "en"), np.full(len(unlabelled), language)
    return aligners, Task(
        languages=codes[0], unlabelled_languages=codes[1], sources=[source], **labelled
    )


def _pairs_of_rows(parallel: Any, width: int) -> PairedRows:
    rows = LinearAligner().check_rows(*sides_of_rows(parallel))
    if rows.X.shape[1] != width or not rows.square:
        raise ValueError(
            f"parallel has rows of {rows.X.shape[1]} and {rows.Y.shape[1]} features, and X has "
            f"{width}: both sides must be of its encoder."
        )
    return rows


def _chosen_maps(
    source: Source, bridge: PairedMap | None, head: Head, seed: int
) -> tuple[dict[str, PairedMap], dict[str, dict[str, list]]]:
    """Language maps under which a head answers both sides of held-out pairs alike."""

    def proba(rows: NDArray) -> NDArray:
        return head.predict_proba(rows if bridge is None else bridge.move(rows))

    maps, choices = dict(source.maps), {}
    for language, rows in source.pairs.items():
        choice = choose_map(rows, near_identity_maps(), proba, random_state=seed)
        maps[language], choices[language] = choice.best, choice.results
    return maps, choices


def _sharing_maps(views: list[View], sources: list[Source]) -> list[View]:
    """Views with one object for equal maps of one encoder, its aligner's first: it is saved once."""
    known: dict[tuple, PairedMap] = {}

    def shared(place: int, maps: dict[str, PairedMap]) -> dict[str, PairedMap]:
        return {
            language: known.setdefault(
                (place, language, fitted.fitted_method, getattr(fitted, "alpha_", None)), fitted
            )
            for language, fitted in maps.items()
        }

    for place, source in enumerate(sources):
        shared(place, source.maps)
    return [replace(view, maps=shared(view.place, view.maps)) for view in views]


def _taught(
    view: View, n_labelled: int, train: NDArray, unlabelled: NDArray, pseudo: PseudoLabels
) -> View:
    """A view whose head learned from labelled rows, from the latest pseudo-labelled and new ones."""
    room = max(_MAX_PSEUDO, n_labelled, len(pseudo)) - len(pseudo)
    n_rows = len(train)
    stay = np.r_[:n_labelled, max(n_labelled, n_rows - room) : n_rows]
    Z = np.vstack([train[stay], unlabelled[pseudo.indices]])
    labels = np.concatenate([view.labels[stay], pseudo.labels])
    of_one = PSEUDO_WEIGHT * view.weight[:n_labelled].mean()
    weight = np.concatenate([view.weight[stay], np.full(len(pseudo), of_one)])
    head = view.head.refitted(Z, labels, weight)
    return replace(view, head=head, labels=labels, weight=weight, kept=KeptRows.of(head.model, Z))


def _held_out_scores(P: NDArray, labels: NDArray, weight: NDArray | None) -> tuple[float, float]:
    """Accuracy and log loss."""
    right = P[np.arange(len(labels)), labels]
    return (
        float(np.average(P.argmax(axis=1) == labels, weights=weight)),
        float(-np.average(np.log(np.clip(right, np.finfo(np.float64).eps, None)), weights=weight)),
    )


def _doubts(references: Sequence[NDArray]) -> tuple[str, ...]:
    """Warnings of views that have nothing in common."""
    kappa = mean_kappa(references)
    if kappa is None or not kappa < _MIN_KAPPA:
        return ()
    doubt = (
        f"The views agree on labelled rows hardly more than by chance (Cohen's kappa {kappa:.2f}): "
        "print report_ to see which of them predicts held-out rows, and leave the others out."
    )
    warn_user(doubt)
    return (doubt,)
