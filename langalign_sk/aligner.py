"""CrossLingualAligner: text of another language in, vectors for an English model out."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin, clone
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from ._bypass import warn_of_bypass
from ._checks import languages_of
from ._inputs import Pairs, Text, check_pairs_y, read_input
from ._learning import LearningMixin
from ._moving import MovingMixin, english_side
from ._quality import QualityMixin
from ._stamp import VersionStampMixin
from .encoders import EncodingSession
from .encoders.base import TextEncoder
from .languages import LanguageRouter
from .mapping._base import check_counterparts
from .metrics.pairs import duplicate_groups, row_recall

__all__ = ["CrossLingualAligner"]

_FLOATS = [np.float64, np.float32]


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

    def _read(self, X: Any) -> Text | Pairs | None:
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
