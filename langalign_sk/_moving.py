"""How a fitted aligner moves rows: which encoder and which map is whose."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._fitting import method_of
from ._inputs import Pairs
from .encoders import EncodingSession, as_encoder
from .encoders.base import TextEncoder
from .encoders.handles import Encoder
from .inspection.report import AlignmentReport
from .mapping._base import PairedMap

__all__ = ["MovingMixin", "english_side"]


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
        Z = language_map._there(Z)
        return Z if self.bridge_map_ is None else self.bridge_map_._there(Z)

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
