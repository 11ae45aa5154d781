"""Evidence from held-out rows: scores of a map, checks of its pairs, and the warnings that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..mapping._base import PairedMap
from ..mapping.rows import PairedRows
from ..metrics._core import normalize_rows
from ..metrics.hubness import hubness_score
from ..metrics.pairs import retrieval_scores
from ._plan import ADAPTERS
from ._report import Evaluation

__all__ = ["PairChecks", "doubts", "failures", "measured", "scores_of_pairs"]


_PERMUTATIONS = 999
_MAX_PAIRS = 2_000
# On sound pairs, recall of the two directions differs by less, and hubness is lower
# (`python -m benchmarks adapters`).
_DISAGREEMENT = 0.1
_HUBNESS = 4.0
_NEIGHBORS = 10  # k of the k-occurrence, as in its paper


def measured(aligner: PairedMap, rows: PairedRows, seed: int, same_space: bool) -> dict[str, Any]:
    """Scores of an Evaluation, on rows that the map did not see."""
    found = aligner.held_out(rows, seed)
    if found is None:
        return {"n_held_out": 0, "unaligned": None, "aligned": None}
    indices, moved, counterparts, groups = found
    before = (rows.X[indices], rows.Y[indices]) if same_space and rows.square else None
    return scores_of_pairs(before, (moved, counterparts), groups, seed)


def scores_of_pairs(
    before: tuple[NDArray, NDArray] | None,
    after: tuple[NDArray, NDArray],
    groups: NDArray,
    seed: int,
) -> dict[str, Any]:
    """Scores of an Evaluation for both sides of pairs, without a map and with it."""
    return {
        "n_held_out": len(groups),
        "unaligned": before and retrieval_scores(*before, groups=groups),
        "aligned": retrieval_scores(*after, groups=groups),
        "unaligned_hubness": before and hubness_of_pairs(*before, seed),
        **vars(measure_pairs(*after, groups, seed)),
    }


def doubts(evaluations: Sequence[Evaluation]) -> list[str]:
    """Warnings that held-out scores give reason for."""
    out = failures(evaluations)
    for e in evaluations:
        if e.unaligned and e.aligned and e.aligned.recall_at_1 < e.unaligned.recall_at_1:
            out.append(
                f"The {e.part} of {e.language!r} finds fewer held-out translations than no alignment "
                f"({e.aligned.recall_at_1:.3f} against {e.unaligned.recall_at_1:.3f})."
            )
        if e.part == "language map" and e.aligned is None:
            out.append(
                f"{e.n_fit} pairs of {e.language!r} are too few to hold any out and measure."
                if e.method not in ADAPTERS
                else f"The {e.method} map of {e.language!r} was trained without held-out pairs, and "
                "is not measured."
            )
        out += doubts_of_hubness(e)
    return out


@dataclass(frozen=True)
class PairChecks:
    """Checks of a map on held-out rows, beyond its recall.

    Attributes
    ----------
    forward_recall, backward_recall : float
        Recall at 1 by cosine from moved rows to their counterparts, and from counterparts to
        moved rows.
    shuffled_p_value : float
        Share of 999 shuffles of the pairs that have at least that recall (both directions);
        the least is 0.001.
    hubness : float
        Skewness of the 10-occurrence of counterparts.
    """

    forward_recall: float
    backward_recall: float
    shuffled_p_value: float
    hubness: float


def measure_pairs(Z: NDArray, T: NDArray, groups: NDArray[np.intp], seed: int) -> PairChecks:
    """Recall in either direction, against that of shuffled pairs, and hubness.

    The p-value is that of a permutation test of the pairing (Phipson and Smyth, "Permutation
    p-values should never be zero", Statistical Applications in Genetics and Molecular Biology
    2010).

    Parameters
    ----------
    Z, T : ndarray of shape (n_pairs, n_features), float32 or float64
        Held-out rows that were moved, and their counterparts.
    groups : ndarray of shape (n_pairs,), dtype int
        Rows with one label are right answers for each other.
    seed : int
        Draws 2,000 of more pairs, and the shuffles.
    """
    draw = np.random.RandomState(seed)
    drawn = _drawn_rows(len(Z), seed)
    Z, T, groups = Z[drawn], T[drawn], groups[drawn]
    S = normalize_rows(Z) @ normalize_rows(T).T
    found, finder = groups[S.argmax(axis=1)], groups[S.argmax(axis=0)]
    forward, backward = found == groups, finder == groups
    observed = forward.sum() + backward.sum()
    reached = 0
    for _ in range(_PERMUTATIONS):
        order = draw.permutation(len(groups))
        hits = (found == groups[order]).sum() + (finder[order] == groups).sum()
        reached += int(hits >= observed)
    return PairChecks(
        float(forward.mean()),
        float(backward.mean()),
        (1 + reached) / (1 + _PERMUTATIONS),
        hubness_of_pairs(Z, T, seed),
    )


def hubness_of_pairs(Z: NDArray, T: NDArray, seed: int) -> float:
    """Skewness of the 10-occurrence of counterparts, of 2,000 of more pairs."""
    drawn = _drawn_rows(len(Z), seed)
    return hubness_score(Z[drawn], T[drawn], k=min(_NEIGHBORS, len(drawn)))


def _drawn_rows(n: int, seed: int) -> NDArray[np.intp]:
    if n <= _MAX_PAIRS:
        return np.arange(n)
    return np.sort(np.random.RandomState(seed).choice(n, _MAX_PAIRS, replace=False))


def failures(evaluations: Sequence[Evaluation]) -> list[str]:
    """Warnings of maps that find no more translations than for shuffled pairs."""
    return [
        f"The {e.part} of {e.language!r} finds {e.aligned.recall_at_1:.3f} of {e.n_held_out} held-out "
        f"translations, no more than for shuffled pairs (p = {e.shuffled_p_value:.3f}): do not use "
        "it. Check that the two sides are translations of each other row by row, and that the "
        "encoder knows the language; otherwise pass more pairs."
        for e in evaluations
        if e.failed and e.aligned
    ]


def doubts_of_hubness(e: Evaluation) -> list[str]:
    """Warnings of directions that disagree, and of rows that are near to everything."""
    if e.forward_recall is None or e.backward_recall is None or e.hubness is None:
        return []
    out = []
    forward, backward = e.forward_recall, e.backward_recall
    error = np.sqrt((forward * (1 - forward) + backward * (1 - backward)) / e.n_held_out)
    if abs(forward - backward) > max(3 * error, _DISAGREEMENT):
        out.append(
            f"The {e.part} of {e.language!r} finds {forward:.3f} of the held-out translations from the "
            f"rows that it moves, and {backward:.3f} the other way: one side has rows that are near "
            "to everything. Clean the pairs by ParallelCorpus(...).clean(), and search by CSLS or "
            "margin."
        )
    if e.hubness > max(_HUBNESS, e.unaligned_hubness or 0.0):
        than = "" if e.unaligned_hubness is None else f" against {e.unaligned_hubness:.1f} before"
        out.append(
            f"The {e.part} of {e.language!r} makes hubs: the skewness of how often a row is found is "
            f"{e.hubness:.1f}{than}. Search by CSLS or margin, or regularise more (alpha)."
        )
    return out
