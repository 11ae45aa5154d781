"""Fitted maps as one object, and the way of text through encoders and maps."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.normalization import NORMALIZATION_VERSION, normalize_texts
from .._utils.validation import check_choice
from ..corpus._inputs import Embeddings, Pairs, Text, read_input
from ..encoders import EncodingSession, as_encoder
from ..encoders.base import TextEncoder, expect_model, seen_model
from ..encoders.long_texts import numbered_rows
from ..encoders.normalized import normalizing
from ..encoders.objects import Encoder, object_name
from ..encoders.outputs import numbered_in
from ..languages import LanguageRouter
from ..languages.codes import languages_of
from ..mapping._base import PairedMap
from ._frozen import thawed

__all__ = [
    "MISSING",
    "Route",
    "RoutedHead",
    "encoder_name",
    "encoders_of",
    "missing_of",
    "models_seen",
    "read_rows",
    "route_of",
    "router_of",
    "source_rows",
    "texts_as_read",
    "transform_pairs",
    "transform_rows",
]

MISSING = ("error", "empty")


@dataclass(frozen=True)
class Route:
    """Fitted maps of an aligner; built when asked for, never saved.

    Attributes
    ----------
    maps : dict of str to PairedMap
        Language maps by language; an array-level aligner has one, under the name "".
    bridge : PairedMap or None
        Map into the other English encoder.
    output_space : {"english", "target", "shared"}
        Where moved rows lie.
    """

    maps: dict[str, PairedMap]
    bridge: PairedMap | None = None
    output_space: str = "english"

    def map_of(self, language: str | None = None) -> PairedMap:
        """Language map of a language; None stands for the only one."""
        if language is None and len(self.maps) == 1:
            return next(iter(self.maps.values()))
        if language in self.maps:
            return self.maps[language]
        if len(self.maps) == 1:
            raise ValueError(
                f"{language!r} is not declared in target_lang={next(iter(self.maps))!r}."
            )
        raise ValueError(
            f"Embeddings carry no script to tell languages by, and target_lang declares "
            f"{list(self.maps)}, got target_lang={language!r}. Pass text to transform, or "
            "target_lang= to inverse_transform."
        )

    @property
    def n_features_out(self) -> int:
        """Width of moved rows."""
        if self.bridge is not None:
            return self.bridge.n_features_out
        any_map = next(iter(self.maps.values()))
        return any_map.n_features_in_ if self.output_space == "target" else any_map.n_features_out

    def check_width(self, width: int, language: str | None = None) -> None:
        """Raise ValueError for target rows of another width than in the fit."""
        expected = self.map_of(language).n_features_in_
        if width != expected:
            raise ValueError(
                f"X has {width} features, but the aligner was fitted on embeddings of "
                f"{expected} features: use the same encoder for both."
            )

    def there(self, Z: NDArray, language: str | None = None) -> NDArray:
        """Target rows of the multilingual encoder, moved to the output space."""
        if self.output_space == "target":
            return Z
        # Not `transform`, whose output may be a frame (set_output).
        Z = self.map_of(language).move(Z)
        return Z if self.bridge is None else self.bridge.move(Z)

    def back(self, Z: NDArray, language: str | None = None) -> NDArray:
        """Rows of the output space, moved back to the multilingual encoder's target rows."""
        if self.output_space == "target":
            return Z
        if self.bridge is not None:
            Z = self.bridge.move_back(Z)
        return self.map_of(language).move_back(Z)

    def english(self, Y: NDArray) -> NDArray:
        """Embeddings of English translations, moved to the output space where they move."""
        if self.bridge is not None:
            return Y
        if self.output_space == "target":
            return self.map_of().inverse_transform(Y)
        return self.map_of().transform_counterparts(Y)


@dataclass(frozen=True)
class RoutedHead:
    """Classifier of rows that have passed a route.

    Attributes
    ----------
    place : int
        Place of the multilingual encoder among the distinct ones of the classifier that the head is
        part of.
    route : Route
        Language maps, and the bridge where the rows pass one; English rows pass the bridge alone.
    model : classifier
        Fitted on moved rows and the columns of the classes, 0 to n_classes - 1.
    temperature : float
        Divisor of the logarithms of its probabilities.
    aligner : CrossLingualAligner or None
        Where the maps come from, not frozen; None where no aligner was fitted.
    """

    place: int
    route: Route
    model: Any
    temperature: float
    aligner: Any


def route_of(fitted: Any) -> Route:
    """Route of a fitted aligner of text or of arrays, frozen or not."""
    fitted = thawed(fitted)
    if not hasattr(fitted, "language_map_"):
        return Route({"": fitted})
    maps = fitted.language_map_
    maps = maps if isinstance(maps, dict) else {fitted.target_lang: maps}
    return Route(maps, fitted.bridge_map_, fitted.output_space)


def router_of(aligner: Any) -> LanguageRouter:
    """Router of the rows of an aligner, frozen or not.

    Parameters
    ----------
    aligner : CrossLingualAligner
        Whose `target_lang`, `detect`, `on_unknown` and `normalize` count.

    Returns
    -------
    LanguageRouter
        From texts to codes of languages.

    Raises
    ------
    ValueError
        If a language cannot be told by its script and there is no `detect`.
    """
    aligner = thawed(aligner)
    languages = languages_of(aligner.target_lang)
    return LanguageRouter(
        languages, aligner.detect, on_unknown=aligner.on_unknown, normalize=aligner.normalize
    )


def encoder_name(encoder: Any) -> str:
    """Name of an encoder as a user passed it."""
    if isinstance(encoder, str | os.PathLike):
        return os.fspath(encoder)
    return str(encoder.name) if isinstance(encoder, TextEncoder) else object_name(encoder)


def encoders_of(aligner: Any) -> tuple[Encoder, Encoder]:
    """The multilingual encoder and the English system's; one object if they are the same.

    They are given text in the form that `normalize` names, but for a SentenceEncoder or
    EndpointEncoder, which has a form of its own.
    """
    check_normalization(aligner)
    source = _encoder_of(aligner, aligner.encoder)
    if aligner.english_encoder is None or aligner.english_encoder is aligner.encoder:
        return source, source
    system = _encoder_of(aligner, aligner.english_encoder)
    return source, source if system == source else system


def _encoder_of(aligner: Any, encoder: Any) -> Encoder:
    handle = as_encoder(encoder, aligner.device)
    if isinstance(handle, TextEncoder) and handle is not encoder:  # of a name
        handle.normalize_text = aligner.normalize
    return normalizing(handle, aligner.normalize)


def check_normalization(aligner: Any) -> None:
    """Raise ValueError for an aligner that was fitted on text in a form of a later release."""
    version = aligner._normalization_version
    if aligner.normalize is not None and version not in (None, NORMALIZATION_VERSION):
        raise ValueError(
            f"The aligner was fitted on text normalised by version {version} of the rules, and this "
            f"release has version {NORMALIZATION_VERSION}: install the release that fitted it, or fit "
            "again."
        )


def texts_as_read(aligner: Any, texts: Sequence[str]) -> list[str]:
    """Texts in the form in which an aligner, frozen or not, routes, compares and encodes them.

    Parameters
    ----------
    aligner : CrossLingualAligner, or any other aligner
        An aligner of arrays leaves texts as they are.
    texts : sequence of str
        Texts as they were passed.

    Returns
    -------
    list of str
        One per text.
    """
    return normalize_texts(texts, getattr(thawed(aligner), "normalize", None))


def missing_of(aligner: Any) -> str:
    """What a missing cell of text is for an aligner, frozen or not: "error" or "empty"."""
    missing = getattr(thawed(aligner), "missing", "error")
    check_choice("missing", missing, MISSING)
    return str(missing)


def models_seen(aligner: Any) -> tuple[Any, ...]:
    """Parameters, identity and width of the two models of the fit; None for unknown ones."""
    seen: tuple[Any, ...] = aligner._models_seen
    return seen


def read_rows(aligner: Any, X: Any) -> Text | Pairs | Embeddings:
    """What a user passed to an aligner; embeddings need no language to be told."""
    languages = languages_of(aligner.target_lang)
    try:
        router = router_of(aligner)
    except ValueError:
        router = None
    return read_input(X, router, languages, missing=missing_of(aligner))


def transform_rows(
    aligner: Any, rows: list[str], languages: Sequence[str], session: EncodingSession
) -> NDArray:
    """Texts of known languages, encoded and moved to the output space; float32."""
    with numbered_rows(rows):
        return _transformed(aligner, rows, languages, session)


def _transformed(
    aligner: Any, rows: list[str], languages: Sequence[str], session: EncodingSession
) -> NDArray:
    source, system = _encoders_of_fit(aligner)
    route = route_of(aligner)
    codes = np.array(languages)
    out = np.empty((len(rows), route.n_features_out), dtype=np.float32)
    with numbered_in(rows):
        for language in sorted(set(languages)):
            at = np.flatnonzero(codes == language)
            texts = [rows[i] for i in at]
            if language != "en":
                Z = session.encode(source, texts)
                route.check_width(Z.shape[1], language)
                out[at] = route.there(Z, language)
            elif route.output_space == "target":
                out[at] = route.english(session.encode(source, texts))
            elif route.output_space == "shared":
                out[at] = route.english(session.encode(system, texts))
            else:
                Z = session.encode(system, texts)
                if Z.shape[1] != route.n_features_out:
                    raise ValueError(
                        f"English rows have width {Z.shape[1]} in their encoder, but the aligner was "
                        f"fitted to width {route.n_features_out}. Name the English system's encoder in "
                        "english_encoder."
                    )
                out[at] = Z
    # Another model than in `fit` is warned of once.
    aligner._models_seen = seen_model(source), seen_model(system)
    return out


def source_rows(aligner: Any, texts: list[str], session: EncodingSession) -> NDArray:
    """Rows of texts in the multilingual encoder, whose model is compared with that of the fit.

    Parameters
    ----------
    aligner : CrossLingualAligner
        Fitted on text.
    texts : list of str
        In any languages.
    session : EncodingSession
        Keeps every distinct text encoded.

    Returns
    -------
    ndarray of shape (n_texts, n_features), float32
        Rows that no map has moved.
    """
    source, system = _encoders_of_fit(aligner)
    with numbered_rows(texts):
        rows = session.encode(source, texts)
    # Another model than in `fit` is warned of once.
    aligner._models_seen = seen_model(source), seen_model(system)
    return rows


def _encoders_of_fit(aligner: Any) -> tuple[Encoder, Encoder]:
    """Both encoders; they warn where there is another model by the name of the fit now."""
    encoders = encoders_of(aligner)
    for encoder, seen in zip(encoders, aligner._models_seen, strict=True):
        if seen is not None:
            expect_model(encoder, seen)
    return encoders


def transform_pairs(
    aligner: Any, pairs: Pairs, session: EncodingSession | None = None
) -> tuple[NDArray, NDArray]:
    """Both sides of pairs of text, in the output space."""
    session = session or EncodingSession()
    moved = transform_rows(aligner, pairs.target, pairs.languages, session)
    english = transform_rows(aligner, pairs.english, ["en"] * len(pairs.english), session)
    return moved, english
