"""Evidence from held-out rows: scores of a map, checks of its pairs, and the warnings that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._quality import mismatch, misplaced_copies, score_agreement, shift
from ..mapping._base import PairedMap
from ..mapping.rows import PairedRows
from ..metrics._core import normalize_rows
from ..metrics.hubness import hubness_score
from ..metrics.pairs import retrieval_scores
from ._plan import ADAPTERS
from ._report import Evaluation

__all__ = [
    "PairChecks",
    "check_pairing",
    "doubts",
    "failures",
    "folds_of",
    "measure_pairs",
    "measured",
    "scores_of_pairs",
]


_PERMUTATIONS = 999
_MAX_PAIRS = 2_000
_MAX_HEAD_ROWS = 500  # more change a correlation by less than it has to say
_LEAST_IN_FOLDS = 40  # rows; those of smaller folds have few orders
_SHOWN = 10  # suspect pairs
_FLAWED = 0.02  # of the rows of a corpus, which is still a sound one
# On sound pairs, recall of the two directions differs by less, and hubness is lower
# (`python -m benchmarks adapters`).
_DISAGREEMENT = 0.1
_HUBNESS = 4.0
_LEAST_DISTINCT = 10  # pairs, of which some can be held out
_NEIGHBORS = 10  # k of the k-occurrence, as in its paper


def measured(
    aligner: PairedMap, rows: PairedRows, seed: int, same_space: bool, language: str | None = None
) -> dict[str, Any]:
    """Scores of an Evaluation, on rows that the map did not see.

    With a language, the pairing of the rows is checked too: a user may have paired them wrongly.
    """
    found = aligner.held_out(rows, seed)
    if found is None:
        return {"n_held_out": 0, "unaligned": None, "aligned": None}
    indices, moved, counterparts, groups = found
    before = (rows.X[indices], rows.Y[indices]) if same_space and rows.square else None
    folds = folds_of(rows, indices, seed)
    scores = scores_of_pairs(before, (moved, counterparts), groups, seed, folds)
    if language is not None:
        scores |= check_pairing(moved, counterparts, groups, indices, language, seed)
    return scores


def scores_of_pairs(
    before: tuple[NDArray, NDArray] | None,
    after: tuple[NDArray, NDArray],
    groups: NDArray,
    seed: int,
    folds: NDArray[np.intp] | None = None,
) -> dict[str, Any]:
    """Scores of an Evaluation for both sides of pairs, without a map and with it."""
    return {
        "n_held_out": len(groups),
        "unaligned": before and retrieval_scores(*before, groups=groups),
        "aligned": retrieval_scores(*after, groups=groups),
        "unaligned_hubness": before and hubness_of_pairs(*before, seed),
        "unaligned_agreement": before and _agreement(*before, seed)[0],
        **vars(measure_pairs(*after, groups, seed, folds)),
    }


def folds_of(rows: PairedRows, indices: NDArray[np.intp], seed: int) -> NDArray[np.intp] | None:
    """Fold of every held-out row; None where one map moved them all, or folds are small."""
    held_out = rows.held_out(seed)
    if held_out is None or len(held_out.folds) == 1 or len(indices) < _LEAST_IN_FOLDS:
        return None
    if not np.array_equal(held_out.indices, indices):
        return None
    return np.repeat(np.arange(len(held_out.folds)), [len(fold) for fold in held_out.folds])


def check_pairing(
    Z: NDArray,
    T: NDArray,
    groups: NDArray[np.intp],
    indices: NDArray[np.intp],
    language: str,
    seed: int,
) -> dict[str, Any]:
    """Fields of an Evaluation that say which pairs are wrong."""
    drawn = _drawn_rows(len(Z), seed)
    S = normalize_rows(Z[drawn]) @ normalize_rows(T[drawn]).T
    wrong, run = mismatch(S, groups[drawn]), shift(S, indices[drawn])
    copies = misplaced_copies(S, groups[drawn])
    suspects, faults = np.empty(0, np.intp), []
    if run is not None and run.last - run.first >= _FLAWED * indices.max():
        faults.append(_shifted((run.first, run.last, run.offset), language))
    if len(copies) >= _FLAWED * len(drawn):
        suspects = indices[drawn][copies[:_SHOWN]]
        faults.append(
            f"{len(copies)} of {len(drawn)} held-out pairs of {language!r} "
            f"{'repeats' if len(copies) == 1 else 'repeat'} a sentence of another pair that is not a "
            f"translation there, as if it had been filled in: look at {_listed(suspects)}."
        )
    if wrong.evident:
        suspects = indices[drawn][wrong.suspects[:_SHOWN]]
        faults.append(
            f"About {wrong.share:.0%} of {len(drawn)} held-out pairs of {language!r} are mismatched "
            f"(at least {wrong.at_least:.0%}): their sides are no nearer to each other than those of "
            "random pairs. Check that row i of both sides is a sentence and its translation, starting "
            f"with {_listed(suspects)}."
        )
    return {
        "mismatched_share": None if np.isnan(wrong.share) else wrong.share,
        "suspect_pairs": tuple(suspects.tolist()),
        "shifted_pairs": None if run is None else (run.first, run.last, run.offset),
        "faults": tuple(faults),
    }


def _listed(rows: NDArray[np.intp]) -> str:
    """Rows in words, the worst first."""
    if len(rows) == 1:
        return f"row {rows[0]} (counted from 0)"
    return f"rows {', '.join(map(str, rows))} (counted from 0, the worst first)"


def _shifted(run: tuple[int, int, int], language: str) -> str:
    """What is wrong with a run of pairs, and the remedy."""
    first, last, offset = run
    where = f"row{'s' * (abs(offset) != 1)} {'after' if offset > 0 else 'before'}"
    return (
        f"Rows {first} to {last} of the pairs of {language!r} are shifted: their target sentences "
        f"suit the English ones {abs(offset)} {where} their own. Look for a line that is missing or "
        "repeated on one side."
    )


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
            out.append(_not_measured(e))
        if e.shifted_pairs is not None:
            note = _shifted(e.shifted_pairs, e.language)
            out += [] if note in e.faults else [note]
        if e.part == "language map":  # the others serve heads, which nearest rows say little about
            out += doubts_of_hubness(e)
    return out


def _not_measured(e: Evaluation) -> str:
    """Why a language map has no held-out scores."""
    if e.method in ADAPTERS:
        return (
            f"The {e.method} map of {e.language!r} was trained without held-out pairs, and is not "
            "measured."
        )
    if e.n_fit < _LEAST_DISTINCT:
        return (
            f"{e.n_fit} {'pair' if e.n_fit == 1 else 'pairs'} of {e.language!r} "
            f"{'is' if e.n_fit == 1 else 'are'} too few to hold any out and measure: pass "
            f"{_LEAST_DISTINCT} or more."
        )
    return (
        f"The {e.n_fit} pairs of {e.language!r} hold fewer than {_LEAST_DISTINCT} that differ on both "
        "sides, too few to hold any out and measure: pass more, or check that the encoder tells these "
        "texts apart."
    )


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
    score_agreement : float or None
        Correlation of the scores of linear heads on moved rows and on their counterparts. None in
        checks that were saved by earlier releases, as the p-value.
    agreement_p_value : float or None
        Share of 999 shuffles of the pairs with at least that agreement.
    """

    forward_recall: float
    backward_recall: float
    shuffled_p_value: float
    hubness: float
    score_agreement: float | None = None
    agreement_p_value: float | None = None


def measure_pairs(
    Z: NDArray,
    T: NDArray,
    groups: NDArray[np.intp],
    seed: int,
    folds: NDArray[np.intp] | None = None,
) -> PairChecks:
    """Recall and agreement of scores, against those of shuffled pairs, and hubness.

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
    folds : ndarray of shape (n_pairs,), dtype int, default=None
        Rows of one fold were moved by one map, of the pairs of the other folds.
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
        *_agreement(Z, T, seed, folds if folds is None else folds[drawn]),
    )


def _agreement(
    Z: NDArray, T: NDArray, seed: int, folds: NDArray[np.intp] | None = None
) -> tuple[float, float]:
    """Agreement of scores and its p-value, of 500 of more pairs."""
    drawn = _drawn_rows(len(Z), seed, _MAX_HEAD_ROWS)
    found = score_agreement(Z[drawn], T[drawn], seed, folds if folds is None else folds[drawn])
    return found.value, found.p_value


def hubness_of_pairs(Z: NDArray, T: NDArray, seed: int) -> float:
    """Skewness of the 10-occurrence of counterparts, of 2,000 of more pairs."""
    drawn = _drawn_rows(len(Z), seed)
    return hubness_score(Z[drawn], T[drawn], k=min(_NEIGHBORS, len(drawn)))


def _drawn_rows(n: int, seed: int, limit: int = _MAX_PAIRS) -> NDArray[np.intp]:
    if n <= limit:
        return np.arange(n)
    return np.sort(np.random.RandomState(seed).choice(n, limit, replace=False))


def failures(evaluations: Sequence[Evaluation]) -> list[str]:
    """Warnings of maps that are no better than for shuffled pairs, and of wrong pairs."""
    out = []
    for e in evaluations:
        if e.failed and e.aligned:
            out.append(_failure(e, e.aligned.recall_at_1))
        out += e.faults
    return out


def _failure(e: Evaluation, recall: float) -> str:
    found = f"finds {recall:.3f} of {e.n_held_out} held-out translations"
    remedy = (
        "Check that the two sides are translations of each other row by row, and that the encoder "
        "knows the language; otherwise pass more pairs."
    )
    if e.part == "bridge":
        found = f"finds {recall:.3f} of {e.n_held_out} held-out texts"
        remedy = (
            "Check that english_encoder returns one row a text, in the order of the texts; otherwise "
            "pass more English text."
        )
    chance = f"p = {e.shuffled_p_value:.3f}"
    if e.score_agreement is not None:
        found += (
            ", and scores of heads on moved rows correlate with the right ones by "
            f"{e.score_agreement:.2f}"
        )
        chance = f"p = {e.shuffled_p_value:.3f} and {e.agreement_p_value:.3f}"
    return (
        f"The {e.part} of {e.language!r} {found}, no more than for shuffled pairs ({chance}): do not "
        f"use it. {remedy}"
    )


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
