"""What an aligner learns from, and in which order it checks, encodes and fits."""

from __future__ import annotations

import numbers
import warnings
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from ._checks import check_bridge, check_pairs, check_parameters, languages_of, pairs_of_corpus
from ._fitting import Setting, doubts, fit_language_map, fit_maps
from ._inputs import (
    Pairs,
    check_pairs_y,
    looks_like_sentences,
    pairs_from,
    sentences_as_y_error,
)
from ._quality import TextQuality, VectorQuality, learn_quality, learn_quality_of_rows
from .encoders import EncodingSession
from .encoders.base import TextEncoder
from .encoders.handles import Encoder
from .inspection.report import AlignmentReport
from .languages import LanguageRouter
from .mapping._base import check_counterparts
from .trust import AlignmentWarning, failures

__all__ = ["LearningMixin"]

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
        if data is None:
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
