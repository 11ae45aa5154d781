"""Mining of translation pairs from two collections that are not aligned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state, check_scalar

from .._utils.validation import warn_user
from ..aligner._route import missing_of, router_of
from ..corpus import ParallelCorpus
from ..corpus._inputs import Embeddings, Text, text_column
from ..encoders import EncodingSession
from ..languages import script_of, scripts_of_language
from .backends import Index, make_index
from .exact import Rows
from .index import check_width, unit
from .view import text_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MinedPairs", "mine_pairs"]


# `python -m benchmarks retrieval` measures how good the estimated threshold is.
_ROUNDS = 10  # of hiding rows, per pass
_HIDDEN_SHARE = 0.25  # of the pairs, on either side, in a round
_MIN_CANDIDATES = 40  # that a threshold can be estimated on
_MAX_PASSES = 6
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
        Least score of an accepted pair.
    n_candidates : int
        Number of mutual best rows, before the threshold.
    expected_precision, expected_recall : float
        Estimated share of accepted pairs that are right, and of right candidates that are
        accepted; nan if the threshold was given or there are too few candidates.
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
            columns |= {"source": list(self.source), "target": list(self.target or ())}
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
            If the pairs were mined from embeddings.
        """
        if self.source is None or self.target is None or self.target_lang is None:
            raise ValueError(
                "These pairs were mined from embeddings: select the texts by source_index and "
                "target_index, and build a ParallelCorpus of them."
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

    The threshold is estimated on the collections themselves. A quarter of the candidates' rows
    is hidden on either side. What their partners find instead must be wrong, so that its scores
    show how wrong candidates score. The number of candidates below the median of these scores
    tells how many candidates are wrong (as Storey, 2002, does for false discoveries), and the
    threshold is the one of the highest expected F1. This is repeated up to six times, hiding only
    rows of candidates above the threshold.

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
        Random state that the hidden rows are drawn with.

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
        If there are fewer than 40 candidates, which are too few to estimate a threshold: 1.0 is
        used. If there are fewer pairs than a tenth of the smaller collection, or less than 70 % of
        them are expected to be right: such estimates are too optimistic.

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
    neighbors = _Neighbors(S, T, n_neighbors, lambda: make_index(backend, backend_params))
    candidates = neighbors.mutual_best()
    if threshold == "auto":
        estimate = _estimate_threshold(neighbors, candidates, check_random_state(random_state))
    else:
        estimate = _Estimate(float(threshold), np.nan, np.nan)
    accepted = np.flatnonzero(candidates.score >= estimate.threshold)
    accepted = accepted[np.argsort(-candidates.score[accepted], kind="stable")]
    i, j = candidates.source[accepted], candidates.target[accepted]
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


class _Candidates(NamedTuple):
    """Candidate pairs: row numbers of both sides, and margins."""

    source: NDArray[np.intp]
    target: NDArray[np.intp]
    score: NDArray


class _Nearest(NamedTuple):
    """Nearest rows of the other side, per row: ndarrays of shape (n_rows, k), nearest first."""

    positions: NDArray[np.intp]
    cosines: NDArray


class _Neighbors:
    """Nearest rows of all rows on the other side; mining looks at nothing else."""

    def __init__(
        self, S: NDArray, T: NDArray, n_neighbors: int, new_backend: Callable[[], Index]
    ) -> None:
        self.n_neighbors = n_neighbors
        # Twice as many as a mean needs, since rows may be hidden.
        self.of_source = _nearest(S, T, 2 * n_neighbors, new_backend())
        self.of_target = _nearest(T, S, 2 * n_neighbors, new_backend())

    @property
    def n_smaller(self) -> int:
        """Size of the smaller collection."""
        return min(len(self.of_source.positions), len(self.of_target.positions))

    def mutual_best(
        self, hidden_source: NDArray | None = None, hidden_target: NDArray | None = None
    ) -> _Candidates:
        """Pairs of rows that are each other's best by the margin, among rows that are not hidden."""
        source_hidden = _mask(hidden_source, len(self.of_source.positions))
        target_hidden = _mask(hidden_target, len(self.of_target.positions))
        source_mean = self._mean_cosine(self.of_source, target_hidden)
        target_mean = self._mean_cosine(self.of_target, source_hidden)
        best_target, score = _best(
            self.of_source, source_mean, target_mean, source_hidden, target_hidden
        )
        best_source, _ = _best(
            self.of_target, target_mean, source_mean, target_hidden, source_hidden
        )
        i = np.flatnonzero(best_target >= 0)
        i = i[best_source[best_target[i]] == i]
        return _Candidates(i, best_target[i], score[i])

    def _mean_cosine(self, nearest: _Nearest, hidden: NDArray) -> NDArray:
        """Mean cosine to the nearest rows that are not hidden."""
        counted = ~hidden[nearest.positions]
        counted &= np.cumsum(counted, axis=1) <= self.n_neighbors
        return (nearest.cosines * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def _nearest(Q: NDArray, D: NDArray, k: int, backend: Index) -> _Nearest:
    backend.build(Rows([D]))
    return _Nearest(*backend.search(Q, min(k, len(D))))


def _mask(rows: NDArray | None, n: int) -> NDArray:
    mask = np.zeros(n, dtype=bool)
    mask[rows if rows is not None else []] = True
    return mask


def _best(
    nearest: _Nearest, mean: NDArray, other_mean: NDArray, hidden: NDArray, other_hidden: NDArray
) -> tuple[NDArray[np.intp], NDArray]:
    """The row of the other side with the highest margin, or -1, and the margin."""
    positions, cosines = nearest
    means = (mean[:, None] + other_mean[positions]) / 2
    margins = np.where(other_hidden[positions], -np.inf, cosines / np.maximum(means, _LEAST_MEAN))
    column = margins.argmax(axis=1)[:, None]
    margin = np.take_along_axis(margins, column, axis=1)[:, 0]
    found = np.take_along_axis(positions, column, axis=1)[:, 0]
    return np.where(hidden | np.isneginf(margin), -1, found), margin


class _Estimate(NamedTuple):
    """Threshold, with its expected precision and recall."""

    threshold: float
    precision: float
    recall: float


def _estimate_threshold(
    neighbors: _Neighbors, candidates: _Candidates, rng: np.random.RandomState
) -> _Estimate:
    """Threshold of the highest expected F1."""
    n_candidates = len(candidates.score)
    estimate = _Estimate(1.0, np.nan, np.nan)
    if n_candidates < _MIN_CANDIDATES:
        warn_user(
            f"{n_candidates} candidates are too few to estimate a threshold on: 1.0 is used. Pass "
            "threshold= to choose one."
        )
        return estimate
    likely = np.arange(n_candidates)
    # Hiding a row of a wrong candidate tells nothing, so that each pass hides likely ones only.
    for _ in range(_MAX_PASSES):
        wrong = _wrong_scores(neighbors, candidates, likely, rng)
        if len(wrong) < _ROUNDS:
            break
        previous, estimate = estimate, _best_threshold(candidates.score, wrong)
        likely = np.flatnonzero(candidates.score >= estimate.threshold)
        if estimate.threshold == previous.threshold or len(likely) < _MIN_CANDIDATES // 2:
            break
    if len(likely) < _FEW_PAIRS * neighbors.n_smaller or estimate.precision < _LOW_PRECISION:
        warn_user(
            f"{len(likely)} pairs were found, {estimate.precision:.0%} of them expected to be right, "
            "as if the collections had hardly a sentence in common. Such estimates are too optimistic: "
            "look at the pairs."
        )
    return estimate


def _wrong_scores(
    neighbors: _Neighbors, candidates: _Candidates, likely: NDArray, rng: np.random.RandomState
) -> NDArray:
    """Scores of candidates that form when the right partners are hidden, in ascending order."""
    n_hidden = int(len(likely) * _HIDDEN_SHARE)
    wrong = []
    for _ in range(_ROUNDS):
        order = likely[rng.permutation(len(likely))]
        without_target, without_source = order[:n_hidden], order[n_hidden : 2 * n_hidden]
        found = neighbors.mutual_best(
            candidates.source[without_source], candidates.target[without_target]
        )
        bereft = np.isin(found.source, candidates.source[without_target])
        bereft |= np.isin(found.target, candidates.target[without_source])
        wrong.append(found.score[bereft])
    return np.sort(np.concatenate(wrong))


def _best_threshold(score: NDArray, wrong: NDArray) -> _Estimate:
    """Score of a candidate that gives the highest expected F1, by the scores of wrong ones."""
    ordered = np.sort(score)
    n = len(ordered)
    n_wrong = min(n, 2 * int(np.count_nonzero(score <= float(np.median(wrong)))))
    n_above = n - np.arange(n)
    wrong_above = n_wrong * (1 - np.searchsorted(wrong, ordered) / len(wrong))
    right_above = n_above - np.minimum(wrong_above, n_above)
    n_right = max(n - n_wrong, 1)
    best = int(np.argmax(2 * right_above / (n_above + n_right)))
    return _Estimate(
        threshold=float(ordered[best]),
        precision=float(right_above[best] / n_above[best]),
        recall=float(min(right_above[best] / n_right, 1)),
    )
