"""What an aligner learns from, and in which order it checks, encodes and fits."""

from __future__ import annotations

import copy
import numbers
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._quality.shares import MIN_ROWS
from .._quality.texts import TextQuality
from .._quality.vectors import VectorQuality
from .._utils.stamp import VersionStampMixin
from ..corpus._inputs import (
    Embeddings,
    Pairs,
    Text,
    check_pairs_y,
    looks_like_sentences,
    pairs_from,
    read_input,
    sentences_as_y_error,
)
from ..encoders import EncodingSession, as_encoder
from ..encoders.base import TextEncoder
from ..encoders.objects import Encoder
from ..languages import LanguageRouter, languages_of
from ..mapping._base import PairedMap, check_counterparts
from ..mapping.linear import method_of
from ..metrics._core import duplicate_groups, row_recall
from ._bypass import warn_of_bypass
from ._evidence import doubts, failures
from ._learn import fit_language_map, fit_maps, learn_quality, learn_quality_of_rows
from ._pairs import pairs_of_corpus
from ._plan import Setting, check_bridge, check_pairs, check_parameters
from ._report import AlignmentReport, AlignmentWarning

__all__ = ["CrossLingualAligner", "LearningMixin", "MovingMixin", "QualityMixin", "english_side"]


_FLOATS = [np.float64, np.float32]


class LearningMixin:
    """The fit of a CrossLingualAligner."""

    corpus: Any
    detect: Any
    method: str
    alpha: Any
    adapter_dim: int | None
    adapter_params: dict[str, Any] | None
    time_budget: float | None
    bridge_method: str
    bridge_alpha: float
    random_state: Any
    # Of MovingMixin and CrossLingualAligner:
    target_lang: Any
    output_space: str
    device: str | None
    _models_seen: tuple[Any, ...]
    _read: Any
    _encoders: Any
    _set_fitted: Any
    _text_quality: dict[str, TextQuality]
    _vector_quality: dict[str, VectorQuality]

    def _fit(self, X: Any, y: Any, parallel: Any, session: EncodingSession) -> None:
        check_parameters(self)
        languages = languages_of(self.target_lang)
        source, system = self._encoders()
        data = self._read(X)
        if isinstance(data, Embeddings):
            self._fit_embeddings(X, y, parallel, languages)
            return
        router = LanguageRouter(languages, self.detect)
        task: dict[str, list[str]] = {"en": []}
        if isinstance(data, Pairs):
            check_pairs_y(y)
            if parallel is not None:
                raise ValueError("X holds pairs already: pass parallel= with task text only.")
            pairs = data.by_language()
        else:
            codes = router(data.rows)
            if parallel is not None:
                pairs = pairs_from(parallel, router, languages)
            elif y is not None and looks_like_sentences(y, codes):
                raise sentences_as_y_error()
            else:
                pairs = pairs_of_corpus(self.corpus, languages)
            for text, code in zip(data.rows, codes, strict=True):
                task.setdefault(code, []).append(text)
        given = isinstance(data, Pairs) or parallel is not None
        notes = check_pairs(pairs, languages, given)
        # Who asks for no pairs needs no warning; the report says it all the same.
        unexpected = notes if given or self.corpus is not None else []
        if self.output_space == "shared" and not pairs:
            raise ValueError(
                'output_space="shared" is learned from translation pairs, and there are none: pass '
                "parallel=, or name a corpus."
            )
        if system is not source and self.output_space != "shared":
            few = check_bridge(task["en"], [t for _, english in pairs.values() for t in english])
            notes, unexpected = notes + few, unexpected + few
        for encoder in (source, system):
            if isinstance(encoder, TextEncoder):
                encoder._seen = None  # a fit may meet another model than the last one
            encoder.load()
        for note in unexpected:
            warnings.warn(note, stacklevel=3)
        setting = self._setting(source, system, session)
        maps, bridge, evaluations = fit_maps(pairs, task["en"], languages, setting)
        report = AlignmentReport(tuple(evaluations), (*notes, *doubts(evaluations)))
        text_quality, vector_quality = learn_quality(pairs, task, setting)
        for failure in failures(evaluations):
            warnings.warn(failure, AlignmentWarning, stacklevel=3)
        self._set_fitted(maps, bridge, report)
        self._text_quality, self._vector_quality = text_quality, vector_quality
        self._models_seen = tuple(getattr(e, "_seen", None) for e in (source, system))
        for name in ("n_features_in_", "feature_names_in_"):
            self.__dict__.pop(name, None)

    def _fit_embeddings(self, X: Any, y: Any, parallel: Any, languages: tuple[str, ...]) -> None:
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None. For "
                "embeddings X, y holds the 2-d English embeddings of the same rows."
            )
        if parallel is not None:
            raise ValueError("parallel= goes with text. For embeddings X, pass English ones as y.")
        if len(languages) > 1:
            raise ValueError(
                "Embeddings carry no script to tell languages by: fit one aligner per language."
            )
        X = validate_data(self, X, dtype=_FLOATS, ensure_min_samples=2)
        Y = check_counterparts(X, y)
        language = languages[0]
        source, system = self._encoders()
        setting = self._setting(source, system, EncodingSession())
        language_map, evaluation = fit_language_map(X, Y, language, setting)
        report = AlignmentReport((evaluation,), tuple(doubts([evaluation])))
        vector_quality = learn_quality_of_rows(X, language, setting.seed)
        for failure in failures([evaluation]):
            warnings.warn(failure, AlignmentWarning, stacklevel=4)
        self._set_fitted({language: language_map}, None, report)
        self._text_quality, self._vector_quality = {}, vector_quality
        self._models_seen = None, None

    def _setting(self, source: Encoder, system: Encoder, session: EncodingSession) -> Setting:
        adapter = {"device": self.device, **(self.adapter_params or {})}
        return Setting(
            source=source,
            system=system,
            session=session,
            method=self.method,
            alpha=self.alpha,
            bridge_method=self.bridge_method,
            bridge_alpha=self.bridge_alpha,
            shared=self.output_space == "shared",
            adapter={"adapter_dim": self.adapter_dim, **adapter},
            time_budget=self.time_budget,
            seed=int(check_random_state(self.random_state).randint(2**31 - 1)),
            seeded=isinstance(self.random_state, numbers.Integral),
        )


def english_side(fitted: Any, Y: NDArray) -> NDArray:
    """English embeddings, where a fitted aligner puts the embeddings of their translations."""
    if not isinstance(fitted, MovingMixin):
        return fitted.transform_counterparts(Y)
    if fitted.bridge_map_ is not None:
        return Y
    language_map = fitted._map_of(None)
    if fitted.output_space == "target":
        return language_map.inverse_transform(Y)
    return language_map.transform_counterparts(Y)


class MovingMixin:
    """The fitted maps of a CrossLingualAligner, and the rows that go through them."""

    target_lang: Any
    encoder: Any
    english_encoder: Any
    output_space: str
    device: str | None
    language_map_: Any
    bridge_map_: PairedMap | None
    method_: Any
    alignment_report_: AlignmentReport
    # What the two names stood for in `fit`: identity and width of each model.
    _models_seen: tuple[Any, ...] = (None, None)

    def _set_fitted(
        self,
        maps: dict[str, PairedMap],
        bridge: PairedMap | None,
        report: AlignmentReport,
    ) -> None:
        one = isinstance(self.target_lang, str)
        methods = {language: method_of(m) for language, m in maps.items()}
        self.language_map_ = next(iter(maps.values())) if one else maps
        self.method_ = next(iter(methods.values())) if one else methods
        self.bridge_map_ = bridge
        self.alignment_report_ = report

    def _encoders(self) -> tuple[Encoder, Encoder]:
        """The multilingual encoder and the English system's; one object if they are the same."""
        source = as_encoder(self.encoder, self.device)
        if self.english_encoder is None or self.english_encoder is self.encoder:
            return source, source
        system = as_encoder(self.english_encoder, self.device)
        return source, source if system == source else system

    def _transform_rows(
        self, rows: list[str], languages: list[str], session: EncodingSession
    ) -> NDArray:
        source, system = self._encoders()
        for encoder, seen in zip((source, system), self._models_seen, strict=True):
            if isinstance(encoder, TextEncoder) and seen is not None:
                encoder._seen = seen  # it says so if there is another model by this name now
        codes = np.array(languages)
        out = np.empty((len(rows), self._n_features_out), dtype=np.float32)
        for language in sorted(set(languages)):
            at = np.flatnonzero(codes == language)
            texts = [rows[i] for i in at]
            if language != "en":
                Z = session.encode(source, texts)
                language_map = self._map_of(language)
                self._check_width(Z.shape[1], language_map)
                out[at] = self._move(Z, language_map)
            elif self.output_space == "target":
                out[at] = self._map_of(None).inverse_transform(session.encode(source, texts))
            elif self.output_space == "shared":
                Z = session.encode(system, texts)
                out[at] = self._map_of(None).transform_counterparts(Z)
            else:
                Z = session.encode(system, texts)
                if Z.shape[1] != self._n_features_out:
                    raise ValueError(
                        f"English rows have width {Z.shape[1]} in their encoder, but the aligner was "
                        f"fitted to width {self._n_features_out}. Name the English system's encoder in "
                        "english_encoder."
                    )
                out[at] = Z
        # Another model than in `fit` is warned of once.
        self._models_seen = tuple(getattr(e, "_seen", None) for e in (source, system))
        return out

    def _transform_pairs(
        self, pairs: Pairs, session: EncodingSession | None = None
    ) -> tuple[NDArray, NDArray]:
        """Both sides of pairs of text, in the output space."""
        session = session or EncodingSession()
        moved = self._transform_rows(pairs.target, pairs.languages, session)
        english = self._transform_rows(pairs.english, ["en"] * len(pairs.english), session)
        return moved, english

    def _move(self, Z: NDArray, language_map: PairedMap) -> NDArray:
        if self.output_space == "target":
            return Z
        # Not `transform`, whose output may be a frame (set_output).
        Z = language_map.move(Z)
        return Z if self.bridge_map_ is None else self.bridge_map_.move(Z)

    @staticmethod
    def _check_width(width: int, language_map: PairedMap) -> None:
        if width != language_map.n_features_in_:
            raise ValueError(
                f"X has {width} features, but the aligner was fitted on embeddings of "
                f"{language_map.n_features_in_} features: use the same encoder for both."
            )

    def _map_of(self, language: str | None) -> PairedMap:
        if not isinstance(self.language_map_, dict):
            if language not in (None, self.target_lang):
                raise ValueError(
                    f"{language!r} is not declared in target_lang={self.target_lang!r}."
                )
            return self.language_map_
        if language is None and len(self.language_map_) == 1:
            return next(iter(self.language_map_.values()))
        if language not in self.language_map_:
            raise ValueError(
                f"Embeddings carry no script to tell languages by, and target_lang declares "
                f"{list(self.language_map_)}, got target_lang={language!r}. Pass text to transform, or "
                "target_lang= to inverse_transform."
            )
        return self.language_map_[language]

    @property
    def _n_features_out(self) -> int:
        if self.bridge_map_ is not None:
            return self.bridge_map_._n_features_out
        maps = self.language_map_
        any_map = next(iter(maps.values())) if isinstance(maps, dict) else maps
        return any_map.n_features_in_ if self.output_space == "target" else any_map._n_features_out


class QualityMixin:
    """Scores of rows by a fitted CrossLingualAligner."""

    # Of the other mixins and CrossLingualAligner:
    target_lang: Any
    detect: Any
    _text_quality: dict[str, TextQuality]
    _vector_quality: dict[str, VectorQuality]
    _read: Any
    _map_of: Any
    _check_width: Any

    def quality_score(self, X: Any) -> NDArray[np.float64]:
        """How much each row is like what the aligner was fitted on, for sending others elsewhere.

        The score is the share of held-out rows of the fit that are at least as unlike it: rows
        like the fit have scores spread evenly over [0, 1], so that a service that sends rows
        below 0.05 to a person sends one in twenty of the rows that it was made for, and most of
        the broken ones.

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
        tells random bytes, but not shuffled words. A row in an undeclared script scores 0, though
        `transform` refuses it. English rows, and text that passes as English, are compared with
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
        data = self._read(X)
        if isinstance(data, Pairs):
            raise ValueError(
                "quality_score takes one column of text, and X holds pairs of two columns."
            )
        if isinstance(data, Text):
            return self._score_texts(data.rows)
        language_map = self._map_of(None)
        Z = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        self._check_width(Z.shape[1], language_map)
        return self._quality_of(languages_of(self.target_lang)[0], "_vector_quality").score(Z)

    def _score_texts(self, rows: list[str]) -> NDArray[np.float64]:
        languages = np.array(self._languages_or_none(rows), dtype=object)
        out = np.zeros(len(rows))
        for language in sorted({*languages} - {None}):
            at = np.flatnonzero(languages == language)
            texts = [rows[i] for i in at]
            out[at] = self._quality_of(language, "_text_quality").score(texts)
        return out

    def _languages_or_none(self, rows: list[str]) -> list[str | None]:
        """Languages of the rows; None for one that was not declared."""
        languages = languages_of(self.target_lang)
        router = LanguageRouter(languages, self.detect)
        if self.detect is None:
            return [_code(router, row) for row in rows]
        codes = list(self.detect(rows))
        if len(codes) != len(rows):
            router(rows)  # raises, and says so
        return [code if code in ("en", *languages) else None for code in codes]

    def _quality_of(self, language: str, kind: str) -> Any:
        models = getattr(self, kind, {})
        if language not in models:
            what = "texts" if kind == "_text_quality" else "encoded rows"
            raise ValueError(
                f"There is nothing to compare rows of {language!r} with: the fit saw fewer than "
                f"{MIN_ROWS} distinct {what} of it. Fit with more pairs, or for text with task text."
            )
        return models[language]


def _code(router: LanguageRouter, row: str) -> str | None:
    try:
        return router([row])[0]
    except ValueError:  # it is in no declared language
        return None


class CrossLingualAligner(
    VersionStampMixin,
    LearningMixin,
    MovingMixin,
    QualityMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    BaseEstimator,
):
    """Put text of other languages where an English-trained model expects it.

    A frozen encoder turns sentences into vectors. A *language map*, learned from translation
    pairs, moves target-language vectors to where their English translations are; a *bridge*,
    learned from English text alone, moves vectors of the multilingual encoder to the space of
    another English encoder, where there is one. English rows pass through their own encoder
    unchanged, so that a classifier behind the aligner is trained on the vectors it knows.

    Parameters
    ----------
    target_lang : str or sequence of str, default="ko"
        ISO 639-1 code of the language to serve, or several; rows are routed by script.
    encoder : str, SentenceEncoder or object with ``encode``, default="use-multilingual"
        The multilingual encoder. See :class:`~langalign_sk.SentenceEncoder` for names.
    english_encoder : as `encoder`, or a fitted scikit-learn text transformer, default=None
        Encoder of the English system, of any width, such as a TF-IDF and TruncatedSVD pipeline.
        None: the English system uses `encoder`. Never fitted nor copied by the aligner; a clone
        shares it.
    corpus : str, path or None, default="starter"
        Where translation pairs come from if none are passed to `fit`: the name of the built-in
        corpus ("starter": 640 sentences in en, ko, ja, zh), a file that
        :meth:`ParallelCorpus.read <langalign_sk.ParallelCorpus.read>` reads, or None for no
        pairs at all.
    detect : callable, default=None
        ``list of str -> list of language codes``, for languages written in Latin script. None
        tells rows apart by script.
    method : str, default="auto"
        The language map. "identity", "ridge", "procrustes" and "spectral" are closed forms, see
        :class:`~langalign_sk.mapping.LinearAligner`. "contrastive", "mse" (the fully connected
        variant of the LANGALIGN paper) and "autoencoder" (its autoencoder variant) are trained,
        see :class:`~langalign_sk.mapping.AdapterAligner`. "auto" takes the simplest within one
        standard error of the best held-out retrieval, among the closed forms and, from 2,000
        pairs on, a contrastive adapter; no alignment is always a candidate, and the choice never
        finds fewer held-out translations. An adapter that moves rows away from where English
        models know them is not taken, unless it is trained for search (``mse_weight=0``).
    alpha : float, sequence of float or "auto", default="auto"
        Regularisation of a closed-form language map, in units of the mean eigenvalue.
    adapter_dim : int, default=None
        Width of a trained map; 0 is a linear one. None is 256 for "auto", and the default of
        AdapterAligner otherwise.
    adapter_params : dict, default=None
        Further parameters of AdapterAligner, such as ``{"mse_weight": 0.0, "verbose": True}``. A
        `checkpoint` folder gets one folder a language, and one for the bridge.
    time_budget : float, default=600.0
        Seconds that "auto" may spend on a language map, beyond the closed forms. An adapter that
        does not finish in time is not chosen, so that a tight budget makes the choice hang on the
        speed of the machine. 0 tries closed forms only, None knows no limit.
    bridge_method : {"spectral", "contrastive", "mse", "autoencoder"}, default="spectral"
        The bridge. Trained ones count every English row alike, and need thousands.
    bridge_alpha : float, default=1.0
        Regularisation of a spectral bridge, in units of the mean eigenvalue.
    output_space : {"english", "target", "shared"}, default="english"
        "english": target rows move, English rows pass. "target" (the forward direction of the
        LANGALIGN paper): English rows move, target rows pass, so that a model trained on moved
        English rows serves target text at no cost; for one language and no `english_encoder`.
        "shared": target rows and English rows both move, into a space where translations find
        each other best. A model must then be trained on English rows that were moved there, and
        an index filled with them. For one language and "auto", "spectral" or "contrastive"; with
        `english_encoder` it is learned from pairs, without a bridge.
    random_state : int, RandomState instance or None, default=None
        Draws the held-out pairs. Pass an int for the same fit in every call.
    device : str, default=None
        Torch device for encoders given by name; None takes cuda, mps or cpu, in this order.

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
    LANGALIGN (Kim, Lee, Choi and Jung, arXiv 2503.18603). The closed-form maps, the bridge and
    the choice between them by held-out retrieval are this package's.

    Text without letters ("2026", emoji) and Latin text in a Korean, Japanese or Chinese system
    pass as English. A text with Han but no kana is Chinese, or Japanese where only "ja" is
    declared.

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

    n_features_in_: int

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
        time_budget: float | None = 600.0,
        bridge_method: str = "spectral",
        bridge_alpha: float = 1.0,
        output_space: str = "english",
        random_state: Any = None,
        device: str | None = None,
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
        self.time_budget = time_budget
        self.bridge_method = bridge_method
        self.bridge_alpha = bridge_alpha
        self.output_space = output_space
        self.random_state = random_state
        self.device = device

    def fit(self, X: Any, y: Any = None, *, parallel: Any = None) -> CrossLingualAligner:
        """Learn the language map and, for another English encoder, the bridge.

        What X is decides what is learned:

        - **pairs**, two columns of text ``[target, english]`` (a DataFrame with language codes
          as column names, an (n, 2) array, a list of 2-tuples): the maps are learned from them;
        - **task text**, one column of text in English, the target language or both: pairs come
          from `parallel`, else from `corpus`; the bridge learns from the English rows; `y`, the
          class labels in a Pipeline, is ignored;
        - **embeddings**, a 2-d float array of target-side rows, with `y` the 2-d embeddings of
          their English translations.

        Parameters
        ----------
        X : DataFrame, Series, array-like or list
            Pairs, task text, or embeddings of shape (n_pairs, n_features).
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
        self._fit(X, y, parallel, EncodingSession())
        return self

    def fit_transform(self, X: Any, y: Any = None, *, parallel: Any = None) -> NDArray:
        """Fit, then transform the same rows; every distinct text is encoded once.

        Parameters
        ----------
        X, y, parallel
            As in `fit`.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            The same as ``fit(X, y, parallel=parallel).transform(X)``.
        """
        session = EncodingSession()
        self._fit(X, y, parallel, session)
        return self._transform(X, session)

    def transform(self, X: Any) -> NDArray:
        """Vectors for the English model, or for the target space.

        Parameters
        ----------
        X : one column of text, or array-like of shape (n_samples, n_features)
            Text in English and the declared languages, in any mixture, or embeddings of target
            rows in the multilingual encoder.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            One row a sample, float32 for text; no row depends on the others.

        Raises
        ------
        ValueError
            If a row is in a language that was not declared, or X has the wrong width.
        """
        return self._transform(X, EncodingSession())

    def inverse_transform(self, X: Any, *, target_lang: str | None = None) -> NDArray:
        """Vectors of the output space back in the target space, by fitted maps of their own.

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
        language_map = self._map_of(target_lang)
        X = check_array(X, dtype=_FLOATS, input_name="X")
        if X.shape[1] != self._n_features_out:
            raise ValueError(
                f"X has {X.shape[1]} features, but inverse_transform expects {self._n_features_out} "
                "features as input: rows as transform returns them."
            )
        if self.output_space == "target":
            return X
        if self.bridge_map_ is not None:
            X = self.bridge_map_.inverse_transform(X)
        return language_map.inverse_transform(X)

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
        data = self._read(X)
        if isinstance(data, Text):
            raise ValueError(
                "score needs pairs, two columns [target, English]; X is one column of text. To tune by "
                "task accuracy, score a Pipeline with a classifier on labelled target rows."
            )
        if isinstance(data, Pairs):
            check_pairs_y(y)
            groups = duplicate_groups(np.array(data.target), np.array(data.english))
            return float(row_recall(*self._transform_pairs(data), groups).mean())
        moved = self._transform(X, EncodingSession())
        Y = check_counterparts(moved, y)
        groups = duplicate_groups(np.asarray(X, dtype=moved.dtype), Y)
        return float(row_recall(moved, english_side(self, Y), groups).mean())

    def freeze(self) -> Any:
        """Frozen copy that a Pipeline or a search fits no more.

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

    def _read(self, X: Any) -> Text | Pairs | Embeddings:
        """Text or pairs; None for embeddings, which need no language to be told."""
        languages = languages_of(self.target_lang)
        try:
            router = LanguageRouter(languages, self.detect)
        except ValueError:
            router = None
        return read_input(X, router, languages)

    def _transform(self, X: Any, session: EncodingSession) -> NDArray:
        check_is_fitted(self)
        data = self._read(X)
        if isinstance(data, Pairs):
            raise ValueError(
                "transform takes one column of text, and X holds pairs of two columns."
            )
        if isinstance(data, Text):
            languages = LanguageRouter(languages_of(self.target_lang), self.detect)(data.rows)
            if self.output_space == "english" and set(languages) == {"en"}:
                warn_of_bypass(type(self))
            return self._transform_rows(data.rows, languages, session)
        language_map = self._map_of(None)
        if hasattr(self, "n_features_in_"):
            X = validate_data(self, X, dtype=_FLOATS, reset=False)
        else:
            X = check_array(X, dtype=_FLOATS, input_name="X")
            self._check_width(X.shape[1], language_map)
        return self._move(X, language_map)

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
        return twin

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.target_tags.single_output = False
        tags.target_tags.multi_output = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
