"""Views of a cross-lingual classifier: rows of one encoder, moved, with a head of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from ..aligner._route import Route
from ..mapping._base import PairedMap
from ..mapping.rows import PairedRows
from ._heads import Head, KeptRows

__all__ = ["Source", "Task", "View", "agreement", "mean_kappa", "moved"]


@dataclass(frozen=True)
class Source:
    """Encoded rows of one multilingual encoder in a fit, and the maps learned from them.

    Attributes
    ----------
    name : str
        Name of the encoder.
    maps : dict of str to PairedMap
        Language maps of the aligner by language.
    bridge : PairedMap or None
        Its map into another English encoder.
    labelled : ndarray of shape (n_labelled, n_features)
        Rows of the labelled texts.
    unlabelled : ndarray of shape (n_unlabelled, n_features)
        Rows of the unlabelled texts.
    bridged : ndarray of shape (n_english, n_features_out) or None
        English ones of the labelled rows, each moved by a bridge that did not see it.
    pairs : dict of str to PairedRows
        Both sides of translation pairs by language; empty where the maps stay as they are.
    """

    name: str
    maps: dict[str, PairedMap]
    bridge: PairedMap | None
    labelled: NDArray
    unlabelled: NDArray
    bridged: NDArray | None = None
    pairs: dict[str, PairedRows] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """Labelled and unlabelled rows of a fit, encoded.

    Attributes
    ----------
    labels : ndarray of shape (n_labelled,), dtype int
        Columns of the classes.
    weight : ndarray of shape (n_labelled,), float64, or None
        Weights of the labelled rows.
    languages, unlabelled_languages : ndarray of str
        Languages of the labelled and the unlabelled rows.
    sources : list of Source
        Their rows, by encoder.
    seed : int
        Of every draw.
    """

    labels: NDArray[np.intp]
    weight: NDArray[np.float64] | None
    languages: NDArray[np.str_]
    unlabelled_languages: NDArray[np.str_]
    sources: list[Source]
    seed: int

    @property
    def english(self) -> NDArray[np.bool_]:
        """Which labelled rows are English."""
        return self.languages == "en"

    def training_rows(self, place: int, kind: str, maps: dict[str, PairedMap]) -> NDArray:
        """Labelled rows of a view.

        Parameters
        ----------
        place : int
            Of the source.
        kind : {"own", "bridge"}
            Bridged English rows are those of bridges that did not see them, where there are any.
        maps : dict of str to PairedMap
            Language maps of the view.

        Returns
        -------
        ndarray of shape (n_labelled, n_features_out)
            A new array.
        """
        source = self.sources[place]
        if kind == "own":
            return moved(source.labelled, self.languages, maps, None)
        Z = moved(source.labelled, self.languages, maps, source.bridge)
        if source.bridged is not None:
            Z[self.english] = source.bridged
        return Z


@dataclass(frozen=True)
class View:
    """Rows of one encoder, its own or bridged ones, with the head that was fitted on them.

    Attributes
    ----------
    name : str
        Name of the encoder, with ", bridged" where its rows are.
    place : int
        Place of the encoder among those of the classifier.
    maps : dict of str to PairedMap
        Language maps by language.
    bridge : PairedMap or None
        Map into another English encoder.
    head : Head
        Fitted on the rows of this view.
    labels : ndarray of shape (n_rows,), dtype int
        Columns of the classes of these rows: the labelled ones, then those with predicted labels.
    weight : ndarray of shape (n_rows,), float64
        Their weights.
    kept : KeptRows or None
        How these rows follow from those that the head keeps; None where it does not keep them all.
    """

    name: str
    place: int
    maps: dict[str, PairedMap]
    bridge: PairedMap | None
    head: Head
    labels: NDArray[np.intp]
    weight: NDArray[np.float64]
    kept: KeptRows | None

    def move(self, rows: Sequence[NDArray], languages: NDArray[np.str_]) -> NDArray:
        """Rows of the view.

        Parameters
        ----------
        rows : sequence of ndarray of shape (n_samples, n_features)
            Rows of every encoder of the classifier.
        languages : ndarray of shape (n_samples,) of str
            Their languages.

        Returns
        -------
        ndarray of shape (n_samples, n_features_out)
            A new array.
        """
        return moved(rows[self.place], languages, self.maps, self.bridge)


def moved(
    Z: NDArray,
    languages: NDArray[np.str_],
    maps: dict[str, PairedMap],
    bridge: PairedMap | None,
) -> NDArray:
    """Rows of an encoder, moved by their language's map and by the bridge.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
        Rows of the multilingual encoder.
    languages : ndarray of shape (n_samples,) of str
        Their languages; English rows pass the bridge alone.
    maps : dict of str to PairedMap
        Language maps.
    bridge : PairedMap or None
        Map into another English encoder.

    Returns
    -------
    ndarray of shape (n_samples, n_features_out)
        A new array.
    """
    route = Route(maps, bridge)
    out = np.empty((len(Z), Z.shape[1] if bridge is None else bridge.n_features_out), Z.dtype)
    for language in sorted({*languages.tolist()}):
        at = languages == language
        if language != "en":
            out[at] = route.there(Z[at], language)
        else:
            out[at] = Z[at] if bridge is None else bridge.move(Z[at])
    return out


def agreement(probabilities: Sequence[NDArray]) -> float | None:
    """Mean share of rows that two views put into one class; None for one view."""
    shares = [float((one == other).mean()) for one, other in _two_answers(probabilities)]
    return float(np.mean(shares)) if shares else None


def mean_kappa(probabilities: Sequence[NDArray]) -> float | None:
    """Mean agreement of two views beyond chance (Cohen, 1960); None for one view."""
    kappas = [cohen_kappa_score(one, other) for one, other in _two_answers(probabilities)]
    return float(np.mean(kappas)) if kappas else None


def _two_answers(probabilities: Sequence[NDArray]) -> list[tuple[NDArray, NDArray]]:
    answers = [P.argmax(axis=1) for P in probabilities]
    return [(one, other) for i, one in enumerate(answers) for other in answers[:i]]
