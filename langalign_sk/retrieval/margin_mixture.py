"""Mixture of wrong and right margin scores, which tells how many mined pairs are right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlog1py, xlogy
from scipy.stats import gamma, gumbel_r

__all__ = ["N_MARGINS", "N_MEAN", "Mixture", "NearestMargins", "fit_mixture"]


# Chosen on sources of pairs that `python -m benchmarks mining` does not report.
_WRONG = (0.395, 0.45)  # location and scale of standardised scores of wrong candidates
_DEVIATION = 1.2  # of standardised scores of right candidates; of near duplicates alike
_MEANS = np.linspace(1.8, 6.5, 20)  # of the same
_MOST = 10.0  # standardised score, above which candidates are equally sure
_DUPLICATE_SHARE = 0.1  # of near duplicates across collections, over those within one
_MOST_DUPLICATES = 0.7  # the same, where it is asked whether anything else stands out
_CHANCE = 3.0  # log likelihood that right candidates must add to be believed in
# Share of mutual best rows among those without a partner, and with one (`_mutual_shares`).
_MUTUAL_POWER, _LOST = 1.15, 0.1
_MUTUAL_ROWS = 300  # that their number counts as, since the shares vary with the text
_SHARES = np.linspace(0, 1, 51)
_BINS = 400  # of standardised scores
_FIRST, _LAST = 3, 7  # spacings that the scale is taken from; translations may be the first two
N_MARGINS = _LAST + 1  # of the nearest rows that a fit looks at
N_MEAN = 4  # neighbours that margins are taken over
_LEAST_LOG, _MOST_LOG = -40.0, 40.0


class NearestMargins(NamedTuple):
    """Margins of the nearest rows of every row, by means of N_MEAN neighbours.

    Attributes
    ----------
    of_source, of_target : ndarray of shape (n_rows, k)
        Margins by row, in descending order.
    of_pairs : ndarray of shape (n_candidates,)
        Margins of the candidates.
    """

    of_source: NDArray
    of_target: NDArray
    of_pairs: NDArray


@dataclass(frozen=True)
class Mixture:
    """Mixture of wrong and right candidates.

    Attributes
    ----------
    gain : float
        Log likelihood that right candidates add to wrong ones and near duplicates.
    right : ndarray of shape (n_candidates,)
        Probability of every candidate to be right.
    """

    gain: float
    right: NDArray[np.float64]

    @property
    def shares_sentences(self) -> bool:
        """Whether right candidates are more than chance."""
        return self.gain >= _CHANCE


def fit_mixture(margins: NearestMargins, within: Sequence[NearestMargins]) -> Mixture | None:
    """Mixture of the scores of candidates, fitted by maximum likelihood without a label.

    Parameters
    ----------
    margins : NearestMargins
        Margins of both sides, and of the mutual best rows, of which there is at least one.
    within : sequence of NearestMargins
        The same of each collection with itself, where no candidate is a translation.

    Returns
    -------
    Mixture or None
        None if the rows hardly differ, so that margins have no scale.

    Notes
    -----
    In a row without a translation, the nearest rows are the largest of many values. Their spacings
    are then independent, and the j-th one times j has the mean of the first, which is the scale
    (Rényi, "On the theory of order statistics", 1953). Scores less the typical second-nearest
    margin, over this scale, follow one Gumbel distribution whatever the text, the encoder and the
    sizes. Right candidates stand out by two scales or more. How many they are, and by how much they
    stand out, maximises the likelihood (as in the two-groups model of Efron, "Microarrays, empirical
    Bayes and the two-groups model", Statistical Science 2008).

    Near duplicates stand out as well. Those between a collection and itself show how many there are
    by chance.
    """
    standard = _standardised(margins)
    if standard is None:
        return None
    centres, counts, bins = _binned(standard)
    wrong = _log_wrong(centres)
    share, mean = _near_duplicates(within)
    duplicates = _log_right(centres, mean)
    n_source, n_target = len(margins.of_source), len(margins.of_target)
    rights, evidence = _mutual_shares(n_source, n_target, len(standard))

    def fitted(duplicate_share: float) -> tuple[float, NDArray]:
        with np.errstate(divide="ignore"):
            null = np.logaddexp(
                np.log1p(-duplicate_share) + wrong, np.log(duplicate_share) + duplicates
            )
        return _fitted(centres, counts, null, rights, evidence)[:2]

    gain, _ = fitted(_MOST_DUPLICATES * share)
    _, right = fitted(_DUPLICATE_SHARE * share)
    return Mixture(gain, right[bins])


def _standardised(margins: NearestMargins) -> NDArray | None:
    """Scores less the typical second margin, over the scale of the spacings."""
    spacings, locations = [], []
    for rows in margins[:2]:
        k = rows.shape[1]
        if k <= _FIRST:
            return None
        j = np.arange(_FIRST, min(_LAST, k - 1) + 1)
        spacings.append((j * (rows[:, j - 1] - rows[:, j])).ravel())
        locations.append(float(np.median(rows[:, _FIRST - 1])))
    scale = float(np.mean(np.concatenate(spacings), dtype=np.float64))
    if not scale > np.finfo(np.float32).eps * max(map(abs, locations)) * 8:
        return None
    # From the third nearest one to the second.
    second = max(locations) + scale / (_FIRST - 1)
    return np.minimum((margins.of_pairs.astype(np.float64) - second) / scale, _MOST)


def _binned(values: NDArray) -> tuple[NDArray, NDArray, NDArray[np.intp]]:
    """Centres and counts of bins, and the bin of every value."""
    low, high = float(values.min()), float(values.max())
    width = max(high - low, 1e-9) / _BINS
    bins = np.minimum(((values - low) / width).astype(np.intp), _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS).astype(np.float64)
    return low + (np.arange(_BINS) + 0.5) * width, counts, bins


def _near_duplicates(within: Sequence[NearestMargins]) -> tuple[float, float]:
    """Share of near duplicates among the candidates of collections with themselves, and their mean."""
    parts = [_standardised(margins) for margins in within]
    known = [part for part in parts if part is not None and len(part)]
    if not known:
        return 0.0, float(_MEANS[0])
    centres, counts, _ = _binned(np.concatenate(known))
    shares = 0.9 * _SHARES
    *_, share, mean = _fitted(centres, counts, _log_wrong(centres), shares, np.zeros(len(shares)))
    return share, mean


def _mutual_shares(n_source: int, n_target: int, n_found: int) -> tuple[NDArray, NDArray]:
    """Shares of right candidates by shares of rows with a partner, and their log likelihoods.

    Of the rows of the smaller side, nearly all with a partner are candidates. Of those without one,
    as many are as if all cosines were drawn independently, or a few more.
    """
    n = min(n_source, n_target)
    by_chance = 1 - (n / (n_source + n_target)) ** _MUTUAL_POWER
    with_partner = 1 - _LOST * (1 - by_chance)
    expected = _SHARES * with_partner + (1 - _SHARES) * by_chance
    found = min(n_found / n, 1.0)
    rows = min(n, _MUTUAL_ROWS)
    evidence = rows * (xlogy(found, expected) + xlog1py(1 - found, -expected))
    return np.minimum(_SHARES * with_partner / expected, 0.9999), evidence


def _fitted(
    centres: NDArray, counts: NDArray, null: NDArray, shares: NDArray, evidence: NDArray
) -> tuple[float, NDArray, float, float]:
    """Gain of the best mixture, probabilities by bin, and the share and the mean of what stands out."""
    best: tuple[float, NDArray, float, float] = (-np.inf, np.zeros(len(centres)), 0.0, 0.0)
    filled = counts > 0
    for mean in _MEANS:
        ratio = np.exp(np.clip(_log_right(centres, mean) - null, _LEAST_LOG, _MOST_LOG))
        mixed = np.log1p(shares[:, None] * (ratio[filled] - 1))
        likelihoods = mixed @ counts[filled] + evidence
        at = int(likelihoods.argmax())
        gain = float(likelihoods[at] - likelihoods[0])
        if gain > best[0]:
            share = float(shares[at])
            right = share * ratio / (share * ratio + 1 - share)
            best = gain, right, share, float(mean)
    return best


def _log_wrong(values: NDArray) -> NDArray:
    """Log density of standardised scores of wrong candidates."""
    return np.maximum(gumbel_r.logpdf(values, *_WRONG), _LEAST_LOG)


def _log_right(values: NDArray, mean: float) -> NDArray:
    """Log density of standardised scores of right candidates, a gamma distribution."""
    density = gamma.logpdf(values, (mean / _DEVIATION) ** 2, scale=_DEVIATION**2 / mean)
    return np.maximum(density, 2 * _LEAST_LOG)
