"""Translation pairs out of two collections that are not aligned."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import check_array, check_random_state, check_scalar

from ..corpus import ParallelCorpus
from ..corpus._inputs import Text, text_column
from ..languages import script_of, scripts_of_language
from .backends import Index, make_index
from .exact import Rows
from .index import check_width, unit

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MinedPairs", "mine_pairs"]


_ROUNDS = 10
_HIDDEN = 0.25  # of the pairs, on either side, in a round
_FEWEST = 40  # pairs that a threshold can be estimated on
_LEAST = 1e-6
_PASSES = 6
_FEW_SHARED = 0.1  # of the smaller collection
_DOUBTFUL = 0.7  # expected precision


@dataclass(frozen=True, eq=False)
class MinedPairs:
    """Rows of two collections that were found to be translations of each other.

    Attributes
    ----------
    source_index, target_index : ndarray of shape (n_pairs,), dtype int
        Places in the two collections, by falling score; no row is in two pairs.
    score : ndarray of shape (n_pairs,), float32
        Margin scores.
    threshold : float
        The least score that was let in.
    n_candidates : int
        Mutual best rows before the threshold.
    expected_precision, expected_recall : float
        Estimated shares of right pairs among those that were let in, and of pairs let in among
        the right candidates; nan where the threshold was given, or there are too few candidates.
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
            One pair a row, best first.

        Raises
        ------
        ValueError
            If the pairs were mined from embeddings.
        """
        if self.source is None or self.target is None or self.target_lang is None:
            raise ValueError(
                "These pairs were mined from embeddings: take the texts by source_index and "
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

    Two rows are a candidate if each is the other's best by the ratio margin: the cosine over the
    mean of the cosines of both to their nearest rows (Artetxe and Schwenk, "Margin-based parallel
    corpus mining with multilingual sentence embeddings", ACL 2019, with mutual best rows).

    The threshold is estimated on the collections themselves. Rows of candidates are hidden, a
    quarter on either side, so that what their partners find then is known to be wrong: its
    scores are those of wrong candidates. The candidates below the median of these tell how many
    of all are wrong (as Storey, 2002, does for false discoveries), and the threshold is the one
    of the highest expected F1. All of it is done again, up to six times, with the candidates
    above the threshold as those that are hidden.

    Parameters
    ----------
    source : one column of text, or array-like of shape (n_source, n_features)
        English sentences, or embeddings.
    target : one column of text, or array-like of shape (n_target, n_features)
        Sentences of the target language, or embeddings in the space of `source`.
    aligner : CrossLingualAligner of one language, default=None
        For text. One that is fitted is used as it is; another is cloned, and fitted on its own
        corpus with the source sentences as task text.
    n_neighbors : int, default=4
        Nearest rows that the margin takes the mean over.
    threshold : float or "auto", default="auto"
        Least margin score of a pair; 1.0 is a pair no nearer than other near rows.
    backend, backend_params
        As in :class:`~langalign_sk.retrieval.CrossLingualRetriever`, for large collections.
    random_state : int, RandomState instance or None, default=0
        Draws the rows that are hidden.

    Returns
    -------
    MinedPairs
        ``.to_corpus()`` makes a ParallelCorpus of them.

    Raises
    ------
    ValueError
        If a side is empty, the sides are swapped, differ in kind or in width, or a parameter is
        out of its range.

    Warns
    -----
    UserWarning
        If there are fewer than 40 candidates, too few to estimate a threshold; 1.0 is used then.
        If the pairs are less than a tenth of the smaller collection, or less than 70 % of them are
        expected to be right: estimates are too optimistic then.

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
    make_index(backend, backend_params)
    sides = text_column(source, "source sentences"), text_column(target, "target sentences")
    texts = [side.rows if isinstance(side, Text) else None for side in sides]
    if (texts[0] is None) != (texts[1] is None):
        raise ValueError("One side is text and the other embeddings: pass both alike.")
    language = None
    if texts[0] is not None and texts[1] is not None:
        language = _language(aligner)
        _check_sides(texts[0], texts[1], language)
        fitted = aligner
        if not hasattr(aligner, "language_map_"):
            fitted = clone(aligner).fit(texts[0])
        S, T = (unit(np.asarray(fitted.transform(rows), np.float32)) for rows in texts)
    else:
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
    lists = _Lists(S, T, n_neighbors, lambda: make_index(backend, backend_params))
    i, j, score = lists.mutual()
    if threshold == "auto":
        rng = check_random_state(random_state)
        least, precision, recall = _threshold(lists, i, j, score, rng)
    else:
        least, precision, recall = float(threshold), np.nan, np.nan
    kept = np.flatnonzero(score >= least)
    kept = kept[np.argsort(-score[kept], kind="stable")]
    i, j = i[kept], j[kept]
    return MinedPairs(
        source_index=i,
        target_index=j,
        score=score[kept],
        threshold=least,
        n_candidates=len(score),
        expected_precision=precision,
        expected_recall=recall,
        source=None if texts[0] is None else tuple(texts[0][a] for a in i),
        target=None if texts[1] is None else tuple(texts[1][b] for b in j),
        target_lang=language,
    )


class _Lists:
    """Nearest rows of every row on the other side; all that mining looks at."""

    def __init__(self, S: NDArray, T: NDArray, n_neighbors: int, new_index: Any) -> None:
        self.k = n_neighbors
        # Twice as many, as some may be hidden.
        self.there = _nearest(S, T, 2 * n_neighbors, new_index())
        self.back = _nearest(T, S, 2 * n_neighbors, new_index())

    def mutual(
        self, hidden_source: NDArray | None = None, hidden_target: NDArray | None = None
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray]:
        """Pairs of rows that are each other's best, with their margins, among rows not hidden."""
        hs = _mask(hidden_source, len(self.there[0]))
        ht = _mask(hidden_target, len(self.back[0]))
        near_s, near_t = self._mean(self.there, ht), self._mean(self.back, hs)
        best_t, score = _best(self.there, near_s, near_t, hs, ht)
        best_s, _ = _best(self.back, near_t, near_s, ht, hs)
        i = np.flatnonzero(best_t >= 0)
        i = i[best_s[best_t[i]] == i]
        return i, best_t[i], score[i]

    def _mean(self, side: tuple[NDArray, NDArray], hidden: NDArray) -> NDArray:
        """Mean cosine to the k nearest rows that are not hidden."""
        positions, cosines = side
        free = ~hidden[positions]
        free &= np.cumsum(free, axis=1) <= self.k
        return (cosines * free).sum(axis=1) / np.maximum(free.sum(axis=1), 1)


def _nearest(Q: NDArray, D: NDArray, k: int, index: Index) -> tuple[NDArray, NDArray]:
    index.build(Rows([D]))
    return index.search(Q, min(k, len(D)))


def _mask(places: NDArray | None, n: int) -> NDArray:
    mask = np.zeros(n, dtype=bool)
    mask[places if places is not None else []] = True
    return mask


def _best(
    side: tuple[NDArray, NDArray], near: NDArray, near_other: NDArray, own: NDArray, other: NDArray
) -> tuple[NDArray[np.intp], NDArray]:
    """The row of the other side with the highest margin, or -1, and the margin."""
    positions, cosines = side
    means = (near[:, None] + near_other[positions]) / 2
    margins = np.where(other[positions], -np.inf, cosines / np.maximum(means, _LEAST))
    place = margins.argmax(axis=1)[:, None]
    margin = np.take_along_axis(margins, place, axis=1)[:, 0]
    found = np.take_along_axis(positions, place, axis=1)[:, 0]
    return np.where(own | np.isneginf(margin), -1, found), margin


def _threshold(
    lists: _Lists, i: NDArray, j: NDArray, score: NDArray, rng: np.random.RandomState
) -> tuple[float, float, float]:
    """Threshold of the highest expected F1, with its expected precision and recall."""
    if len(i) < _FEWEST:
        warnings.warn(
            f"{len(i)} candidates are too few to estimate a threshold on: 1.0 is used. Pass "
            "threshold= to choose.",
            stacklevel=3,
        )
        return 1.0, np.nan, np.nan
    best = 1.0, np.nan, np.nan
    sure = np.arange(len(i))
    # Hiding a wrong candidate tells nothing, so the next round hides likely ones only.
    for _ in range(_PASSES):
        null = _wrong_scores(lists, i, j, sure, rng)
        if len(null) < _ROUNDS:
            break
        last, best = best, _best_threshold(score, null)
        sure = np.flatnonzero(score >= best[0])
        if best[0] == last[0] or len(sure) < _FEWEST // 2:
            break
    few = len(sure) < _FEW_SHARED * min(len(lists.there[0]), len(lists.back[0]))
    if few or best[1] < _DOUBTFUL:
        warnings.warn(
            f"{len(sure)} pairs were found, {best[1]:.0%} of them expected to be right, as if the "
            "collections had hardly a sentence in common. Such estimates are too good to be true: look "
            "at the pairs.",
            stacklevel=3,
        )
    return best


def _wrong_scores(
    lists: _Lists, i: NDArray, j: NDArray, sure: NDArray, rng: np.random.RandomState
) -> NDArray:
    """Scores of what rows find whose partners are hidden, rising."""
    hidden = int(len(sure) * _HIDDEN)
    wrong = []
    for _ in range(_ROUNDS):
        order = sure[rng.permutation(len(sure))]
        a, b = order[:hidden], order[hidden : 2 * hidden]
        # Partners of `a` on the target side go, and partners of `b` on the source side.
        s, t, found = lists.mutual(i[b], j[a])
        wrong.append(found[np.isin(s, i[a]) | np.isin(t, j[b])])
    return np.sort(np.concatenate(wrong))


def _best_threshold(score: NDArray, null: NDArray) -> tuple[float, float, float]:
    ordered = np.sort(score)
    n = len(ordered)
    n_wrong = min(n, 2 * int(np.count_nonzero(score <= float(np.median(null)))))
    n_above = n - np.arange(n)
    wrong_above = n_wrong * (1 - np.searchsorted(null, ordered) / len(null))
    right_above = n_above - np.minimum(wrong_above, n_above)
    n_right = max(n - n_wrong, 1)
    best = int(np.argmax(2 * right_above / (n_above + n_right)))
    return (
        float(ordered[best]),
        float(right_above[best] / n_above[best]),
        float(min(right_above[best] / n_right, 1)),
    )


def _language(aligner: Any) -> str:
    language = getattr(aligner, "target_lang", None)
    if not isinstance(language, str):
        raise ValueError(
            "Text needs an aligner of one language, such as CrossLingualAligner('ko'), to be "
            f"embedded by; got {aligner!r}."
        )
    return language


def _check_sides(source: list[str], target: list[str], language: str) -> None:
    scripts = scripts_of_language(language)
    if not scripts:
        return
    sample = [script_of(text) for text in source[:200]], [script_of(text) for text in target[:200]]
    own = [sum(script in scripts for script in side) / len(side) for side in sample]
    if own[0] > 0.5 > own[1]:
        raise ValueError(
            "The sides look swapped: pass mine_pairs(source, target) with the English sentences as "
            "source."
        )
