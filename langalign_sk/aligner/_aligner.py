"""CrossLingualAligner: text of another language in, vectors for an English model out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._quality.shares import MIN_ROWS
from .._quality.texts import TextQuality
from .._quality.vectors import VectorQuality
from .._utils.containers import embedding_rows, opened
from .._utils.fits import keeps_former_fit, keeps_former_fit_transform
from .._utils.lineage import LineageMixin, note_clone
from .._utils.normalization import NORMALIZATION_VERSION
from .._utils.stamp import VersionStampMixin
from .._utils.validation import forget
from ..corpus._inputs import Pairs, Text, check_pairs_y
from ..encoders import EncodingSession
from ..encoders.base import TextEncoder
from ..languages.codes import languages_of
from ..languages.router import one_report
from ..mapping._base import PairedMap, check_counterparts
from ..metrics._core import duplicate_groups, row_recall
from ._cross_fit import check_cross_fit, cross_fitted_rows
from ._learn import Learned, fit_planned
from ._plan import FLOATS, plan_fit
from ._report import AlignmentReport
from ._route import read_rows, route_of, router_of, texts_as_read, transform_pairs, transform_rows
from ._tuning import exempt_from_tuning, note_rows

__all__ = ["CrossLingualAligner"]


@keeps_former_fit_transform
class CrossLingualAligner(
    LineageMixin,
    VersionStampMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Cross-lingual aligner: puts text of other languages where an English model expects it.

    A frozen encoder turns sentences into vectors. A *language map*, learned from translation
    pairs, moves target-language vectors to where their English translations are; a *bridge*,
    learned from English text alone, moves vectors of the multilingual encoder to the space of
    another English encoder, where there is one. English rows pass through their own encoder
    unchanged, so that a classifier behind the aligner is trained on the vectors it knows.

    Parameters
    ----------
    target_lang : str or sequence of str, default="ko"
        ISO 639-1 code of the language to serve, or several; rows are routed by script.
    encoder : str, SentenceEncoder, object or function that encodes, default="use-multilingual"
        The multilingual encoder. See :class:`~langalign_sk.SentenceEncoder` for names, and
        :ref:`encoders-you-may-pass` for objects.
    english_encoder : as `encoder`, default=None
        Encoder of the English system, of any width, such as a fitted TF-IDF and TruncatedSVD pipeline.
        None: the English system uses `encoder`. Never fitted nor copied by the aligner; a clone
        shares it.
    corpus : str, path or None, default="starter"
        Source of translation pairs if none are passed to `fit`: the name of the built-in
        corpus ("starter": 640 sentences in en, ko, ja, zh), a file that
        :meth:`ParallelCorpus.read <langalign_sk.ParallelCorpus.read>` reads, or None for no
        pairs at all.
    detect : callable, default=None
        ``list of str -> list of language codes``, for languages written in Latin script. None
        tells rows apart by script.
    method : str, default="auto"
        The language map. "identity", "centre", "scale", "ridge", "procrustes" and "spectral" are
        closed forms, see :class:`~langalign_sk.mapping.LinearAligner`. "contrastive", "mse" (the
        fully connected variant of the LANGALIGN paper [1]_) and "autoencoder" (its autoencoder
        variant) are trained, see :class:`~langalign_sk.mapping.AdapterAligner`. "auto" takes the
        simplest within one standard error of the best by its `objective`, among the closed forms
        and, from 2,000 pairs on, a contrastive adapter; no alignment is always a candidate, and the
        map chosen never finds fewer held-out translations. An adapter that moves rows away from
        where English models know them is not chosen, unless it is trained for search
        (``mse_weight=0``).
    alpha : float, sequence of float or "auto", default="auto"
        Regularisation of a closed-form language map, in units of the mean eigenvalue.
    adapter_dim : int, default=None
        Width of a trained map; 0 is a linear one. None is 256 for "auto", and the default of
        AdapterAligner otherwise.
    adapter_params : dict, default=None
        Further parameters of AdapterAligner, such as ``{"mse_weight": 0.0, "verbose": True}``. A
        `checkpoint` folder gets one folder per language, and one for the bridge.
    objective : {"auto", "retrieval", "head"}, default="auto"
        What a language map is for. "auto" and a grid of `alpha` choose by it on held-out pairs, and
        a trained map its best epoch; a closed form that leaves no choice is the same for all.

        - "retrieval": the translations found, for search.
        - "head": the squared error, which a frozen classifier feels. `method="auto"` then compares
          closed forms that stay near the identity, see :class:`~langalign_sk.mapping.LinearAligner`.
          It does not go with ``output_space="shared"``.
        - "auto": "head" inside :class:`~langalign_sk.classifier.CrossLingualClassifier`, whose heads
          choose among such maps themselves; elsewhere "retrieval", or the default of a trained map.
    time_budget : float, default=600.0
        Seconds that "auto" may spend on a language map, beyond the closed forms. An adapter that
        does not finish in time is not chosen, so with a tight budget the choice depends on the
        speed of the machine. 0 tries closed forms only, None sets no limit.
    bridge_method : {"spectral", "contrastive", "mse", "autoencoder"}, default="spectral"
        The bridge. Trained bridges weigh every English row alike, and need thousands of them.
    bridge_alpha : float, default=1.0
        Regularisation of a spectral bridge, in units of the mean eigenvalue.
    output_space : {"english", "target", "shared"}, default="english"
        "english": target rows move, English rows pass. "target" (the forward direction of the
        LANGALIGN paper): English rows move, target rows pass, so that a model trained on moved
        English rows serves target text at no cost; for one language and no `english_encoder`.
        "shared": target rows and English rows both move, into a space where translations find
        each other best. A model must then be trained on English rows that were moved there, and
        an index built of them. For one language and "auto", "spectral" or "contrastive"; with
        `english_encoder` it is learned from pairs, without a bridge.
    random_state : int, RandomState instance or None, default=None
        Draws the held-out pairs. Pass an int for the same fit in every call.
    device : str, default=None
        Torch device for encoders given by name; None takes cuda, mps or cpu, in this order.
    on_unknown : {"warn", "raise", "english"}, default="warn"
        What happens to a row whose language is not declared, or cannot be told.

        - "warn": it is served as the best guess, see :class:`~langalign_sk.languages.LanguageRouter`,
          and one warning names the number of such rows and the first of them;
        - "raise": a ValueError names the first such row;
        - "english": it is served as English, without a warning.
    normalize : {"auto", "html", "NFC", "NFKC"} or None, default="auto"
        Form in which text is routed and encoded, see :ref:`text-normalization`. "auto" leaves ordinary
        text alone, "html" reads character references such as ``&amp;`` too, and None takes text as
        it is. A SentenceEncoder or EndpointEncoder has a form of its own, `normalize_text`.
    missing : {"error", "empty"}, default="error"
        What a missing cell (None, NaN, NA or NaT) of one column of text is: an error that names the
        rows, or the empty text. In pairs it is always an error.

    Attributes
    ----------
    language_map_ : LinearAligner or AdapterAligner, or dict of str to one
        The language map; a dict by language if `target_lang` is a sequence.
    bridge_map_ : LinearAligner, AdapterAligner or None
        The map into the English encoder. None where there is no other English encoder.
    method_ : str, or dict of str to str
        The method of the language map in use, in the form of `target_lang`.
    alignment_report_ : AlignmentReport
        Held-out recall at 1, CSLS recall at 1 and mean cosine against no alignment, number of
        pairs and warnings. ``print`` it.
    n_features_in_ : int
        Width of X, only after a fit on embeddings.

    See Also
    --------
    langalign_sk.mapping.LinearAligner : The map alone, on arrays.

    Notes
    -----
    The idea of an aligner between a frozen language model and an English task head is from
    LANGALIGN [1]_. The closed-form maps, the bridge and the choice between them by held-out
    retrieval are this package's.

    Text without letters ("2026", emoji) and Latin text in a Korean, Japanese or Chinese system
    pass as English. A text with Han but no kana is Chinese or Japanese by its characters, where both
    are declared. See :class:`~langalign_sk.languages.LanguageRouter`.

    A search over the parameters of an aligner that holds out English rows alone, such as
    `GridSearchCV` of a Pipeline with a plain number of folds, says nothing about the language map,
    which English rows do not pass through: all its settings tie, and a warning says so. Search with
    :func:`~langalign_sk.model_selection.make_retrieval_scorer` on pairs, or with
    :class:`~langalign_sk.model_selection.CrossLingualSplit` on labelled target rows.

    References
    ----------
    .. [1] Kim, Lee, Choi and Jung, "LANGALIGN", arXiv 2503.18603.

    Examples
    --------
    An English-trained classifier that answers Korean:

    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from langalign_sk import CrossLingualAligner
    >>> from langalign_sk.datasets import load_service_requests
    >>> X, y = load_service_requests(language="en", return_X_y=True)
    >>> pipe = make_pipeline(CrossLingualAligner("ko", random_state=0), LogisticRegression(C=10))
    >>> pipe.fit(X, y).predict(["카드를 잃어버렸어요. 바로 정지해 주세요."]).tolist()
    ['lost_card']

    Choosing a method by held-out retrieval, with pairs alone:

    >>> from sklearn.model_selection import GridSearchCV
    >>> from langalign_sk.datasets import load_starter_corpus
    >>> pairs = load_starter_corpus()[["ko", "en"]].head(200)
    >>> grid = {"method": ["procrustes", "ridge"]}  # too few pairs for a free rotation
    >>> search = GridSearchCV(CrossLingualAligner("ko", alpha=10.0), grid, cv=3).fit(pairs)
    >>> search.best_params_
    {'method': 'ridge'}
    """

    _later_parameters: ClassVar[dict[str, Any]] = {
        "objective": "auto",
        "on_unknown": "raise",
        "normalize": None,
        "missing": "error",
    }
    # What `fit_transform` alone takes is requested with the rest of a fit.
    __metadata_request__fit = {"cross_fit": None}  # noqa: RUF012
    language_map_: PairedMap | dict[str, PairedMap]
    bridge_map_: PairedMap | None
    method_: str | dict[str, str]
    alignment_report_: AlignmentReport
    n_features_in_: int
    # Parameters, identity and width of the models of the two encoders, as the fit met them.
    _models_seen: tuple[Any, ...] = (None, None)
    # Version of the rules of `normalize` at the fit.
    _normalization_version: int | None = None
    _text_quality: dict[str, TextQuality]
    _vector_quality: dict[str, VectorQuality]

    def __init__(
        self,
        target_lang: str | Sequence[str] = "ko",
        *,
        encoder: Any = "use-multilingual",
        english_encoder: Any = None,
        corpus: Any = "starter",
        detect: Callable[[list[str]], list[str]] | None = None,
        method: str = "auto",
        alpha: Any = "auto",
        adapter_dim: int | None = None,
        adapter_params: dict[str, Any] | None = None,
        objective: str = "auto",
        time_budget: float | None = 600.0,
        bridge_method: str = "spectral",
        bridge_alpha: float = 1.0,
        output_space: str = "english",
        random_state: Any = None,
        device: str | None = None,
        on_unknown: str = "warn",
        normalize: str | None = "auto",
        missing: str = "error",
    ) -> None:
        self.target_lang = target_lang
        self.encoder = encoder
        self.english_encoder = english_encoder
        self.corpus = corpus
        self.detect = detect
        self.method = method
        self.alpha = alpha
        self.adapter_dim = adapter_dim
        self.adapter_params = adapter_params
        self.objective = objective
        self.time_budget = time_budget
        self.bridge_method = bridge_method
        self.bridge_alpha = bridge_alpha
        self.output_space = output_space
        self.random_state = random_state
        self.device = device
        self.on_unknown = on_unknown
        self.normalize = normalize
        self.missing = missing

    @keeps_former_fit
    def fit(self, X: Any, y: Any = None, *, parallel: Any = None) -> CrossLingualAligner:
        """Learn the language map and, for another English encoder, the bridge.

        What X is decides what is learned:

        - **pairs**, two columns of text ``[target, english]`` (a DataFrame with language codes
          as column names, an (n, 2) array, a list of 2-tuples or of records): the maps are learned
          from them;
        - **task text**, one column of text in English, the target language or both: pairs come
          from `parallel`, else from `corpus`; the bridge learns from the English rows; `y`, the
          class labels in a Pipeline, is ignored;
        - **embeddings**, a 2-d float array of target-side rows, with `y` the 2-d embeddings of
          their English translations.

        Parameters
        ----------
        X : DataFrame, Series, array-like, list or iterator
            Pairs, task text, or embeddings of shape (n_pairs, n_features), in any
            :ref:`container <what-x-may-be>`.
        y : array-like of shape (n_samples,) or (n_pairs, n_english_features), default=None
            Ignored for task text, None for pairs, English embeddings for embeddings.
        parallel : ParallelCorpus, (target, english), two-column frame or dict, default=None
            Translation pairs to go with task text; a dict holds one of these per language. In a
            Pipeline pass ``align__parallel=``.

        Returns
        -------
        CrossLingualAligner
            The fitted estimator.

        Raises
        ------
        ValueError
            If the input is none of these, is broken or too small, if a language cannot be told
            by script, or an encoder is not found. All of it before any text is encoded.
        """
        fitted: CrossLingualAligner = fit_planned(
            self, plan_fit(self, X, y, parallel), EncodingSession()
        )
        return fitted

    @one_report()
    def fit_transform(
        self, X: Any, y: Any = None, *, parallel: Any = None, cross_fit: int | None = None
    ) -> NDArray:
        """Fit, then transform the same rows; every distinct text is encoded once.

        Parameters
        ----------
        X, y, parallel
            As in `fit`.
        cross_fit : int, default=None
            Number of folds, at least 2, for task text and an `english_encoder`. English rows then
            come as target rows do, moved from the multilingual to the English encoder, each by a
            bridge that did not see it: a classifier behind the aligner learns the noise that it
            will meet in target rows. Equal texts share a fold; the folds are drawn from
            `random_state`. In a Pipeline pass ``align__cross_fit=``; with metadata routing, request
            it by ``set_fit_request(cross_fit=True)``. A frozen English model has no use for it, as
            it is not trained on these rows.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The same as ``fit(X, y, parallel=parallel).transform(X)``, but for English rows with
            `cross_fit`.

        Raises
        ------
        ValueError
            For whatever `fit` refuses, or if there is no bridge to cross-fit, or too little English
            text; before any text is encoded.

        See Also
        --------
        sklearn.preprocessing.TargetEncoder : Cross-fits in `fit_transform` as well.

        Examples
        --------
        >>> from langalign_sk import CrossLingualAligner
        >>> from langalign_sk.datasets import load_service_requests
        >>> X, y = load_service_requests(language="en", return_X_y=True)
        >>> aligner = CrossLingualAligner("ko", english_encoder="minilm-english", random_state=0)
        >>> bridged = aligner.fit_transform(X, y, cross_fit=5)
        >>> bridged.shape == aligner.transform(X).shape
        True
        """
        X = opened(X)  # it is read twice
        session = EncodingSession()
        plan = plan_fit(self, X, y, parallel)
        if cross_fit is None:
            fit_planned(self, plan, session)
            return self._transform(X, session)
        check_cross_fit(plan, cross_fit)
        exempt_from_tuning(self)
        fit_planned(self, plan, session)
        data = read_rows(self, X)
        if not isinstance(data, Text):
            raise TypeError("cross_fit needs texts as X, not embeddings.")
        rows = data.rows
        languages = router_of(self)(rows)
        english = [i for i, language in enumerate(languages) if language == "en"]
        out = transform_rows(self, rows, languages, session)
        texts = [rows[i] for i in english]
        out[english] = cross_fitted_rows(plan, texts, session, cross_fit, plan.seed)
        return out

    def transform(self, X: Any) -> NDArray:
        """Encode text and move it to the output space.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_samples, n_features)
            Text in English and the declared languages, in any mixture, or embeddings of target
            rows in the multilingual encoder; in any :ref:`container <what-x-may-be>`, which may be
            empty.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            One row per sample, float32 for text; no row depends on the others.

        Raises
        ------
        ValueError
            If X has the wrong width, or a row is in a language that was not declared and `on_unknown`
            is "raise".
        """
        return self._transform(X, EncodingSession(), served=True)

    def inverse_transform(self, X: Any, *, target_lang: str | None = None) -> NDArray:
        """Move vectors of the output space back to the target space, by fitted maps of their own.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features_out), float32 or float64
            Rows as `transform` returns them, or rows of the English system.
        target_lang : str, default=None
            Which language's space; needed if several were declared.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Rows of the multilingual encoder's target-language space.
        """
        check_is_fitted(self)
        route = route_of(self)
        route.map_of(target_lang)  # an undeclared language is the first error
        X = embedding_rows(X, width=route.n_features_out)
        X = check_array(X, dtype=FLOATS, ensure_min_samples=0, input_name="X")
        if X.shape[1] != route.n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but inverse_transform expects {route.n_features_out} "
                "features as input: rows as transform returns them."
            )
        return route.back(X, target_lang)

    def score(self, X: Any, y: Any = None) -> float:
        """Held-out retrieval: tie-aware recall at 1, the mean of both directions.

        Parameters
        ----------
        X : pairs of text, or array-like of shape (n_pairs, n_features)
            As in `fit`; task text has no translations to retrieve.
        y : array-like of shape (n_pairs, n_features_out), default=None
            English embeddings, if X holds embeddings.

        Returns
        -------
        float
            In [0, 1]. It falls with the number of pairs, so compare on equal numbers.
        """
        check_is_fitted(self)
        data = read_rows(self, X)
        if isinstance(data, Text):
            raise ValueError(
                "score needs pairs, two columns [target, English]; X is one column of text. To tune by "
                "task accuracy, score a Pipeline with a classifier on labelled target rows."
            )
        if isinstance(data, Pairs):
            check_pairs_y(y)
            groups = duplicate_groups(np.array(data.target), np.array(data.english))
            return float(row_recall(*transform_pairs(self, data), groups).mean())
        moved = self._transform(data.rows, EncodingSession())
        Y = check_counterparts(moved, y)
        groups = duplicate_groups(np.asarray(data.rows, dtype=moved.dtype), Y)
        return float(row_recall(moved, route_of(self).english(Y), groups).mean())

    def freeze(self) -> Any:
        """Frozen copy, which a Pipeline or a search does not fit again.

        Returns
        -------
        sklearn.frozen.FrozenEstimator
            Of a copy: ``Pipeline.set_output`` reaches into a frozen estimator.
        """
        from sklearn.frozen import FrozenEstimator

        check_is_fitted(self)
        twin = copy.copy(self)
        for name, value in vars(self).items():
            if name.endswith("_") or name.startswith("_"):
                setattr(twin, name, copy.deepcopy(value))
        return FrozenEstimator(twin)

    def quality_score(self, X: Any) -> NDArray[np.float64]:
        """Conformal p-value of each row: how much it is like the rows of the fit.

        The score is the share of held-out rows of the fit that are at least as unlike it: rows
        like the fit have scores spread evenly over [0, 1]. A service that sends rows below 0.05 to a
        person sends one in twenty of the rows that it was made for, and most of the broken ones.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_samples, n_features)
            Text in any language, or embeddings of target rows in the multilingual encoder.

        Returns
        -------
        ndarray of shape (n_samples,), float64
            In [0, 1]; 0 is less like the fit than any held-out row. No row depends on the others.

        Raises
        ------
        ValueError
            If X holds pairs, or there were fewer than 20 distinct rows of a language in the fit.

        Notes
        -----
        Text is judged by its character n-grams and the ends of its words, against those of the
        texts of the fit (the task's and the pairs') and of the same texts with words and letters
        shuffled; it is not encoded, and needs no pairs. Vectors hardly change with the order of
        words, and lie among those of other languages: embeddings are judged by their distance
        (Mahalanobis, by probabilistic principal components) to the vectors of the fit, which
        detects random bytes, but not shuffled words. A row in no declared language scores 0,
        whatever `on_unknown` is. English rows, and text that passes as English, are compared with
        the English text of the fit. The score says that a row is unusual, not that an answer is
        wrong, and a new topic is unusual.

        Examples
        --------
        >>> from langalign_sk import CrossLingualAligner
        >>> aligner = CrossLingualAligner("ko", random_state=0).fit(["Good morning."])
        >>> good, shuffled, thai = aligner.quality_score(
        ...     ["오늘은 날씨가 아주 좋아요.", "좋아요. 아주 날씨가 오늘은", "สวัสดี"]
        ... )
        >>> bool(good > shuffled), float(thai)
        (True, 0.0)
        """
        check_is_fitted(self)
        data = read_rows(self, X)
        if isinstance(data, Pairs):
            raise ValueError(
                "quality_score takes one column of text, and X holds pairs of two columns."
            )
        if isinstance(data, Text):
            return self._score_texts(data.rows)
        route = route_of(self)
        route.map_of()
        Z = check_array(data.rows, dtype=FLOATS, ensure_min_samples=0, input_name="X")
        route.check_width(Z.shape[1])
        if not len(Z):
            return np.zeros(0)
        return self._quality_of(languages_of(self.target_lang)[0], "_vector_quality").score(Z)

    def _score_texts(self, rows: list[str]) -> NDArray[np.float64]:
        languages = np.array(router_of(self).identify(rows), dtype=object)
        rows = texts_as_read(self, rows)
        out = np.zeros(len(rows))
        for language in sorted({*languages} - {None}):
            at = np.flatnonzero(languages == language)
            texts = [rows[i] for i in at]
            out[at] = self._quality_of(language, "_text_quality").score(texts)
        return out

    def _quality_of(self, language: str, kind: str) -> Any:
        models = getattr(self, kind, {})
        if language not in models:
            what = "texts" if kind == "_text_quality" else "encoded rows"
            raise ValueError(
                f"There is nothing to compare rows of {language!r} with: the fit saw fewer than "
                f"{MIN_ROWS} distinct {what} of it. Fit with more pairs."
            )
        return models[language]

    def _keep(self, learned: Learned) -> CrossLingualAligner:
        """Set the fitted attributes, all at once."""
        methods = {language: fitted.fitted_method for language, fitted in learned.maps.items()}
        one = isinstance(self.target_lang, str)
        self.language_map_ = next(iter(learned.maps.values())) if one else learned.maps
        self.method_ = next(iter(methods.values())) if one else methods
        self.bridge_map_ = learned.bridge
        self.alignment_report_ = learned.report
        self._text_quality = learned.text_quality
        self._vector_quality = learned.vector_quality
        self._models_seen = learned.models_seen
        self._normalization_version = NORMALIZATION_VERSION
        if learned.of_text:
            forget(self, "n_features_in_", "feature_names_in_")
        return self

    def _transform(self, X: Any, session: EncodingSession, served: bool = False) -> NDArray:
        check_is_fitted(self)
        data = read_rows(self, X)
        if isinstance(data, Pairs):
            raise ValueError(
                "transform takes one column of text, and X holds pairs of two columns."
            )
        route = route_of(self)
        if isinstance(data, Text):
            if not data.rows:
                return np.empty((0, route.n_features_out), dtype=np.float32)
            languages = router_of(self)(data.rows)
            if served:
                note_rows(self, data.rows, languages)
            return transform_rows(self, data.rows, languages, session)
        route.map_of()
        if hasattr(self, "n_features_in_"):
            X = validate_data(self, data.rows, dtype=FLOATS, reset=False, ensure_min_samples=0)
        else:
            X = check_array(data.rows, dtype=FLOATS, ensure_min_samples=0, input_name="X")
            route.check_width(X.shape[1])
        return route.there(X)

    @property
    def _n_features_out(self) -> int:
        """Width of moved rows, under the name that scikit-learn asks for."""
        return route_of(self).n_features_out

    def __sklearn_clone__(self) -> CrossLingualAligner:
        # Encoders are frozen: copying a loaded model would be slow, and cloning a fitted
        # scikit-learn transformer would lose its fit. A handle holds no model, and is cloned so
        # that setting a parameter of it leaves the original alone.
        shared = ("encoder", "english_encoder", "detect")
        values = ((name, getattr(self, name)) for name in shared)
        kept = {name: clone(v) if isinstance(v, TextEncoder) else v for name, v in values}
        others = {
            name: copy.deepcopy(value)
            for name, value in self.get_params(deep=False).items()
            if name not in shared
        }
        twin = type(self)(**kept, **others)
        for name in ("_metadata_request", "_sklearn_output_config"):
            if name in self.__dict__:
                setattr(twin, name, copy.deepcopy(self.__dict__[name]))
        note_clone(self, twin)
        return twin

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
