"""Mining of translation pairs from two collections that are not aligned."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state, check_scalar

from .._utils.tables import as_column
from .._utils.validation import warn_user
from ..aligner._route import missing_of, router_of
from ..corpus import ParallelCorpus
from ..corpus._inputs import Embeddings, Text, text_column
from ..encoders import EncodingSession
from ..languages import script_of, scripts_of_language
from .backends import CompleteSearch, Index, make_index
from .exact import Rows
from .index import all_the_same, check_width, unit
from .margin_mixture import N_MARGINS, N_MEAN, NearestMargins, fit_mixture
from .view import text_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MinedPairs", "mine_pairs"]


_MIN_CANDIDATES = 20  # that a threshold can be estimated on
_LEAST_MEAN = 1e-6  # of cosines, that a margin is divided by
# Below these, the estimate is doubtful: pairs per row of the smaller collection, and the precision.
_FEW_PAIRS = 0.1
_LOW_PRECISION = 0.7


@dataclass(frozen=True, eq=False)
class MinedPairs:
    """Translation pairs mined from two collections.

    Attributes
    ----------
    source_index, target_index : ndarray of shape (n_pairs,), dtype int
        Row numbers in the two collections, by descending score; no row is in two pairs.
    score : ndarray of shape (n_pairs,), float32
        Margin scores.
    threshold : float
        Least score of an accepted pair; infinite if no candidate stands out.
    n_candidates : int
        Number of mutual best rows, before the threshold.
    expected_precision, expected_recall : float
        Estimated share of accepted pairs that are right, and of right candidates that are
        accepted; 0 if no candidate stands out, nan if the threshold was given or there are too few
        candidates.
    source, target : tuple of str or None
        Texts of the pairs; None for embeddings.
    target_lang : str or None
        Language code of `target`.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.retrieval import mine_pairs
    >>> X = np.random.default_rng(0).normal(size=(50, 16))
    >>> mined = mine_pairs(X[:40], X[10:][::-1], threshold=1.5)
    >>> mined.to_frame().columns.tolist()
    ['source_index', 'target_index', 'score']
    """

    source_index: NDArray[np.intp]
    target_index: NDArray[np.intp]
    score: NDArray
    threshold: float
    n_candidates: int
    expected_precision: float
    expected_recall: float
    source: tuple[str, ...] | None = None
    target: tuple[str, ...] | None = None
    target_lang: str | None = None

    def __repr__(self) -> str:
        return (
            f"MinedPairs(n_pairs={len(self.score)}, n_candidates={self.n_candidates}, "
            f"threshold={self.threshold:.3f}, expected_precision={self.expected_precision:.3f})"
        )

    def to_frame(self) -> pd.DataFrame:
        """Table of the pairs, best first.

        Returns
        -------
        pandas.DataFrame
            Columns source_index, target_index and score, and for texts source and target.
        """
        import pandas as pd

        columns: dict[str, Any] = {
            "source_index": self.source_index,
            "target_index": self.target_index,
            "score": self.score,
        }
        if self.source is not None:
            columns |= {"source": as_column(self.source), "target": as_column(self.target or ())}
        return pd.DataFrame(columns)

    def to_corpus(self, name: str | None = "mined") -> ParallelCorpus:
        """The pairs as a corpus, to be passed to an aligner as `parallel`.

        Parameters
        ----------
        name : str or None, default="mined"
            Name of the corpus.

        Returns
        -------
        ParallelCorpus
            One pair per row, best first.

        Raises
        ------
        ValueError
            If the pairs were mined from embeddings, or there are none.
        """
        if self.source is None or self.target is None or self.target_lang is None:
            raise ValueError(
                "These pairs were mined from embeddings: select the texts by source_index and "
                "target_index, and build a ParallelCorpus of them."
            )
        if not self.source:
            raise ValueError(
                "No pairs were mined, so there is no corpus: mine other collections, or pass a "
                "lower threshold= and look at the pairs."
            )
        return ParallelCorpus(self.target, self.source, target_lang=self.target_lang, name=name)


def mine_pairs(
    source: Any,
    target: Any,
    aligner: Any = None,
    *,
    n_neighbors: int = 4,
    threshold: float | str = "auto",
    backend: str = "exact",
    backend_params: dict[str, Any] | None = None,
    random_state: Any = 0,
) -> MinedPairs:
    """Find translations between two collections that are not aligned.

    Two rows are a candidate pair if each is the other's best by the ratio margin: their cosine
    over the mean of the cosines of both to their nearest rows (Artetxe and Schwenk, "Margin-based
    parallel corpus mining with multilingual sentence embeddings", ACL 2019, with mutual best rows).

    The threshold, and how many of the pairs are right, are estimated without a label: wrong
    candidates score as the nearest of many unrelated rows do, which the further neighbours of every
    row show, and right ones stand out from these (a mixture of two groups; Efron, Statistical Science
    2008). A candidate of near duplicates stands out too, and how many there are is seen within each
    collection. The threshold is the one of the highest expected F1. Where nothing stands out more
    than chance allows, no pair is returned.

    A sentence that a collection has several times is looked at once, where it stands first.

    Parameters
    ----------
    source : one column of text, or array-like of shape (n_source, n_features)
        English sentences, or embeddings.
    target : one column of text, or array-like of shape (n_target, n_features)
        Sentences of the target language, or embeddings in the space of `source`.
    aligner : CrossLingualAligner of one language, default=None
        Required for text. A fitted aligner is used as it is; an unfitted one is cloned, and fitted
        on its own corpus with the source sentences as task text.
    n_neighbors : int, default=4
        Number of nearest rows that the margin takes the mean over.
    threshold : float or "auto", default="auto"
        Least margin score of a pair. A pair that is only as near as other near rows scores 1.0.
    backend, backend_params
        As in :class:`~langalign_sk.retrieval.CrossLingualRetriever`, for large collections.
    random_state : int, RandomState instance or None, default=0
        Checked and not used: nothing is drawn. It stays for code that passes it.

    Returns
    -------
    MinedPairs
        Accepted pairs; ``.to_corpus()`` makes a ParallelCorpus of them.

    Raises
    ------
    ValueError
        If a side is empty, the sides are swapped, differ in kind or in width, or a parameter is
        out of its range.

    Warns
    -----
    UserWarning
        If the collections seem to have hardly a sentence in common: no candidate stands out, there
        are fewer pairs than a tenth of the smaller collection, or less than 70 % of them are expected
        to be right. If there are fewer than 20 candidates, or rows that hardly differ, a threshold
        cannot be estimated, and 1.0 is used.

    Examples
    --------
    >>> from langalign_sk import CrossLingualAligner
    >>> from langalign_sk.datasets import load_starter_corpus
    >>> from langalign_sk.retrieval import mine_pairs
    >>> pairs = load_starter_corpus().sample(200, random_state=0)
    >>> english, korean = pairs["en"].head(150), pairs["ko"].tail(150)[::-1]
    >>> mined = mine_pairs(english, korean, CrossLingualAligner("ko", method="identity"))
    >>> 70 < len(mined.score) < 110  # 100 are right
    True
    >>> mined.to_corpus().n_pairs == len(mined.score)
    True
    """
    check_scalar(n_neighbors, "n_neighbors", Integral, min_val=1)
    if threshold != "auto":
        check_scalar(threshold, "threshold", Real)
    check_random_state(random_state)
    make_index(backend, backend_params)  # raises for bad parameters before anything is encoded
    missing = missing_of(aligner)
    sides = (
        text_column(source, "source sentences", missing=missing),
        text_column(target, "target sentences", missing=missing),
    )
    texts: tuple[list[str], list[str]] | None = None
    language = None
    match sides:
        case Text(source_texts), Text(target_texts):
            texts, language = (source_texts, target_texts), _language_of(aligner)
            S, T = _rows_of_texts(source_texts, target_texts, language, aligner)
        case Embeddings(source_rows), Embeddings(target_rows):
            S, T = _rows_of_embeddings(source_rows, target_rows, aligner)
        case _:
            raise ValueError("One side is text and the other embeddings: pass both alike.")
    _warn_of_constant_rows(S, T)
    places = _distinct(S, texts and texts[0]), _distinct(T, texts and texts[1])
    search = _Search(n_neighbors, lambda: make_index(backend, backend_params))
    collections = S[places[0]], T[places[1]]
    candidates, margins = search.across(*collections)
    if threshold == "auto":
        estimate = _estimate_threshold(collections, candidates, margins, search)
    else:
        estimate = _Estimate(float(threshold), np.nan, np.nan)
    accepted = np.flatnonzero(candidates.score >= estimate.threshold)
    accepted = accepted[np.argsort(-candidates.score[accepted], kind="stable")]
    i, j = places[0][candidates.source[accepted]], places[1][candidates.target[accepted]]
    return MinedPairs(
        source_index=i,
        target_index=j,
        score=candidates.score[accepted],
        threshold=estimate.threshold,
        n_candidates=len(candidates.score),
        expected_precision=estimate.precision,
        expected_recall=estimate.recall,
        source=None if texts is None else tuple(texts[0][row] for row in i),
        target=None if texts is None else tuple(texts[1][row] for row in j),
        target_lang=language,
    )


def _language_of(aligner: Any) -> str:
    language = getattr(aligner, "target_lang", None)
    if not isinstance(language, str):
        raise ValueError(
            "Text needs an aligner of one language, such as CrossLingualAligner('ko'), to be "
            f"embedded by; got {aligner!r}."
        )
    return language


def _rows_of_texts(
    source: list[str], target: list[str], language: str, aligner: Any
) -> tuple[NDArray, NDArray]:
    """Unit rows of both sides, in the output space of the aligner."""
    _check_not_swapped(source, target, language)
    router = router_of(aligner)
    sides = [(rows, router(rows)) for rows in (source, target)]  # before the first is encoded
    fitted = aligner if hasattr(aligner, "language_map_") else clone(aligner).fit(source)
    S, T = (text_rows(fitted, rows, languages, EncodingSession()) for rows, languages in sides)
    return S, T


def _rows_of_embeddings(source: Any, target: Any, aligner: Any) -> tuple[NDArray, NDArray]:
    """Unit rows of both sides, in the space of the source."""
    if aligner is not None:
        raise ValueError(
            "Both sides are embeddings, which are taken as they are: move the target side by "
            "aligner.transform before, and leave aligner=None."
        )
    S, T = (
        unit(check_array(X, dtype=np.float32, input_name=name))
        for X, name in ((source, "source"), (target, "target"))
    )
    check_width(T, S.shape[1], "Target rows")
    return S, T


def _warn_of_constant_rows(S: NDArray, T: NDArray) -> None:
    constant = [name for name, rows in (("source", S), ("target", T)) if all_the_same(rows)]
    if constant:
        warn_user(
            f"All {' and all '.join(constant)} rows are the same, so that no pair can be told from "
            "another. Check the encoder."
        )


def _check_not_swapped(source: list[str], target: list[str], language: str) -> None:
    scripts = scripts_of_language(language)
    if not scripts:
        return
    samples = ([script_of(text) for text in side[:200]] for side in (source, target))
    of_source, of_target = (
        sum(script in scripts for script in sample) / len(sample) for sample in samples
    )
    if of_source > 0.5 > of_target:
        raise ValueError(
            "The sides look swapped: pass mine_pairs(source, target) with the English sentences as "
            "source."
        )


def _distinct(rows: NDArray, texts: list[str] | None) -> NDArray[np.intp]:
    """Places of the first of equal rows, or texts.

    A sentence that stands in a collection several times would be its own rival.
    """
    keys: Iterable[Any] = texts if texts is not None else (row.tobytes() for row in rows)
    first: dict[Any, int] = {}
    for place, key in enumerate(keys):
        first.setdefault(key, place)
    return np.fromiter(first.values(), dtype=np.intp, count=len(first))


class _Candidates(NamedTuple):
    """Candidate pairs: row numbers of both sides, and margins."""

    source: NDArray[np.intp]
    target: NDArray[np.intp]
    score: NDArray


class _Nearest(NamedTuple):
    """Nearest rows of the other side, per row: ndarrays of shape (n_rows, k), nearest first."""

    positions: NDArray[np.intp]
    cosines: NDArray


class _Search:
    """Search of candidates, which are mutual best rows by the margin."""

    def __init__(self, n_neighbors: int, new_backend: Callable[[], Index]) -> None:
        self.n_neighbors, self.new_backend = n_neighbors, new_backend

    def across(self, S: NDArray, T: NDArray) -> tuple[_Candidates, NearestMargins]:
        """Candidates of two collections, and the margins of all near rows."""
        of_source, of_target = (self._nearest(Q, D, self._n_near) for Q, D in ((S, T), (T, S)))
        return self._candidates(of_source, of_target)

    def within(self, X: NDArray) -> NearestMargins:
        """Margins of a collection of at least two rows with itself, and of each candidate once."""
        positions, cosines = self._nearest(X, X, self._n_near + 1)
        own = positions == np.arange(len(X))[:, None]
        own[:, -1] |= ~own.any(axis=1)  # rows that are equal but for rounding may crowd it out
        shape = len(X), positions.shape[1] - 1
        near = _Nearest(positions[~own].reshape(shape), cosines[~own].reshape(shape))
        candidates, margins = self._candidates(near, near)
        once = candidates.source < candidates.target
        of_source, of_target, of_pairs = margins
        return NearestMargins(of_source, of_target, of_pairs[once])

    @property
    def _n_near(self) -> int:
        """Rows that are looked at; the mixture looks at more than a mean of few does."""
        return max(2 * self.n_neighbors, N_MARGINS)

    def _nearest(self, Q: NDArray, D: NDArray, k: int) -> _Nearest:
        rows, backend = Rows([D]), self.new_backend()
        backend.build(rows)
        return _Nearest(*CompleteSearch(backend, rows).search(Q, min(k, len(D))))

    def _candidates(
        self, of_source: _Nearest, of_target: _Nearest
    ) -> tuple[_Candidates, NearestMargins]:
        n = self.n_neighbors
        source_margins, target_margins = _margins(of_source, of_target, n)
        column = source_margins[:, : 2 * n].argmax(axis=1)[:, None]
        best_target = np.take_along_axis(of_source.positions, column, axis=1)[:, 0]
        best = target_margins[:, : 2 * n].argmax(axis=1)[:, None]
        best_source = np.take_along_axis(of_target.positions, best, axis=1)[:, 0]
        i = np.flatnonzero(best_source[best_target] == np.arange(len(best_target)))
        score = np.take_along_axis(source_margins, column, axis=1)[i, 0]
        margins = source_margins, target_margins
        if n != N_MEAN:
            margins = _margins(of_source, of_target, N_MEAN)
        of_pairs = np.take_along_axis(margins[0], column, axis=1)[i, 0]
        of_source_rows, of_target_rows = (
            -np.sort(-each[:, :N_MARGINS], axis=1) for each in margins
        )
        candidates = _Candidates(i, best_target[i], score)
        return candidates, NearestMargins(of_source_rows, of_target_rows, of_pairs)


def _margins(of_source: _Nearest, of_target: _Nearest, n_neighbors: int) -> tuple[NDArray, NDArray]:
    """Margins of the nearest rows of both sides, by means of so many neighbours."""
    both = of_source, of_target
    source_mean, target_mean = (near.cosines[:, :n_neighbors].mean(axis=1) for near in both)
    out = []
    for near, mean, other in (
        (of_source, source_mean, target_mean),
        (of_target, target_mean, source_mean),
    ):
        means = (mean[:, None] + other[near.positions]) / 2
        out.append(near.cosines / np.maximum(means, _LEAST_MEAN))
    return out[0], out[1]


class _Estimate(NamedTuple):
    """Threshold, with its expected precision and recall."""

    threshold: float
    precision: float
    recall: float


_UNKNOWN = _Estimate(1.0, np.nan, np.nan)


def _estimate_threshold(
    collections: tuple[NDArray, NDArray],
    candidates: _Candidates,
    margins: NearestMargins,
    search: _Search,
) -> _Estimate:
    """Threshold of the highest expected F1."""
    n_candidates = len(candidates.score)
    if n_candidates < _MIN_CANDIDATES:
        warn_user(
            f"{n_candidates} candidates are too few to estimate a threshold on: 1.0 is used. Pass "
            "threshold= to choose one."
        )
        return _UNKNOWN
    within = [search.within(rows) for rows in collections]
    mixture = fit_mixture(margins, within)
    if mixture is None:
        warn_user(
            "Rows hardly differ from their neighbours, so that no threshold can be estimated: 1.0 is "
            "used. Look at the encoder, or pass threshold= to choose one."
        )
        return _UNKNOWN
    n_smaller = min(map(len, collections))
    if not mixture.shares_sentences:
        warn_user(
            f"None of the {n_candidates} candidates stands out more than chance allows, as if the "
            "collections had hardly a sentence in common: no pair is returned. Pass threshold= to "
            "look at candidates nevertheless."
        )
        return _Estimate(np.inf, 0.0, 0.0)
    n_pairs, estimate = _best_threshold(candidates.score, mixture.right)
    if n_pairs < _FEW_PAIRS * n_smaller or estimate.precision < _LOW_PRECISION:
        warn_user(
            f"{n_pairs} {'pairs were' if n_pairs != 1 else 'pair was'} found, and "
            f"{estimate.precision:.0%} of what was found is expected to be right, as if the "
            "collections had hardly a sentence in common: look at the pairs."
        )
    return estimate


def _best_threshold(score: NDArray, right: NDArray) -> tuple[int, _Estimate]:
    """Number of pairs and score of the highest expected F1, by probabilities of being right."""
    order = np.argsort(-score, kind="stable")
    ordered, n_right = score[order], np.cumsum(right[order])
    n_pairs = np.arange(1, len(score) + 1)
    # Equal scores are accepted together.
    last = np.append(ordered[:-1] > ordered[1:], True)
    f1 = np.where(last, 2 * n_right / (n_pairs + n_right[-1]), -1)
    best = int(f1.argmax())
    estimate = _Estimate(
        threshold=float(ordered[best]),
        precision=float(n_right[best] / n_pairs[best]),
        recall=float(n_right[best] / n_right[-1]),
    )
    return best + 1, estimate
