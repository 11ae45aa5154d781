"""Choice of centring and of scoring by statistics of embeddings, banks and labelled queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_array, check_consistent_length

from ..metrics._core import normalize_rows

__all__ = [
    "LEAST_BANK",
    "LEAST_LABELS",
    "MATCH_SAMPLE",
    "BankMatch",
    "CentringChoice",
    "ScoringChoice",
    "choose_centring",
    "choose_scoring",
    "match_bank",
]

# These constants were found on the sets of `python -m benchmarks search`.
# Queries that are enough to tell whether a bank asks for the documents.
MATCH_SAMPLE = 200
# Queries of a bank below which "csls" lowered recall, though they asked for the documents.
LEAST_BANK = 250
# Labelled queries below which the best scoring on them is too often not the best on others.
LEAST_LABELS = 200
# Norm of the mean of unit rows. Encoders and bridges above it gained by centring in all languages
# (.56 to .91); those below it (.28 to .52) gained or lost.
_LEAST_NORM = 0.55
# Banks of other sources reached 1.4; past queries, 2.2 to 9.6.
_LEAST_RATIO = 1.75
_LEAST_GENERAL = 30  # sentences that a mean is taken over
_ROUNDING = 1e-6  # of float32 scores of equal documents


@dataclass(frozen=True)
class CentringChoice:
    """Result of a choice of centring by the anisotropy of an embedding space.

    Attributes
    ----------
    centre : bool
        Whether to subtract the mean of each language before the cosine.
    norm_targets, norm_english : float
        Norms of the means of the unit rows: from 0, for rows in all directions, to 1, for rows in
        one direction.
    n : int
        Number of rows of the side that has fewer.
    reason : str
        A sentence that says why.
    """

    centre: bool
    norm_targets: float
    norm_english: float
    n: int
    reason: str


@dataclass(frozen=True)
class BankMatch:
    """Result of a test of whether a bank of queries asks for the documents.

    Attributes
    ----------
    matches : bool
        Whether it does: the ratio less its standard error reaches 1.75.
    ratio : float
        Mean gap of the bank's queries over that of general sentences; NaN where there is none.
    standard_error : float
        Of the ratio, by the delta method; NaN where there is no ratio.
    n_bank, n_general : int
        Numbers of queries and of general sentences that were measured.
    reason : str
        A sentence that says why.
    """

    matches: bool
    ratio: float
    standard_error: float
    n_bank: int
    n_general: int
    reason: str


@dataclass(frozen=True)
class ScoringChoice:
    """Result of a choice of scoring.

    Attributes
    ----------
    chosen : str
        The chosen scoring.
    measured_on : {"labelled queries", "bank", "nothing"}
        What decided.
    recall : dict of str to float
        Share of labelled queries that found their document first, by scoring; empty without them.
    standard_errors : dict of str to float
        Of the differences in recall to the first scoring.
    n : int
        Number of labelled queries, or of queries in the bank.
    reason : str
        A sentence that says why.
    """

    chosen: str
    measured_on: str
    recall: dict[str, float]
    standard_errors: dict[str, float]
    n: int
    reason: str


def choose_centring(targets: ArrayLike, english: ArrayLike) -> CentringChoice:
    """Choose whether to centre a space, by the norm of the mean of unit rows.

    Where most of every row is one common direction, cosines are high between any two texts
    (Ethayarajh, EMNLP 2019), and the direction differs between languages. Subtracting the mean of
    each language (Libovický et al., Findings of EMNLP 2020) helps in such a space. In another one
    it gains or loses little.

    Parameters
    ----------
    targets, english : array-like of shape (n_rows, width)
        Rows of general sentences in the language of the queries and in that of the documents, as
        the view compares them. They need not be translations of each other.

    Returns
    -------
    CentringChoice
        The choice, and the norms it rests on.

    Raises
    ------
    ValueError
        If the rows are not finite, or have different widths.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.retrieval.selection import choose_centring
    >>> rows = np.random.default_rng(0).normal(size=(100, 16))
    >>> choose_centring(rows, rows).centre
    False
    >>> choose_centring(rows + 3, rows + 3).centre
    True
    """
    sides = [
        check_array(rows, dtype=[np.float64, np.float32], input_name=name)
        for rows, name in ((targets, "targets"), (english, "english"))
    ]
    widths = [rows.shape[1] for rows in sides]
    if widths[0] != widths[1]:
        raise ValueError(
            f"targets have {widths[0]} columns and english has {widths[1]}: pass rows of one space."
        )
    norm_targets, norm_english = (
        float(np.linalg.norm(normalize_rows(rows).mean(axis=0))) for rows in sides
    )
    norm = max(norm_targets, norm_english)
    n = min(len(rows) for rows in sides)
    if n < _LEAST_GENERAL:
        centre = False
        reason = f"{n} sentences are too few to tell: at least {_LEAST_GENERAL} are needed."
    else:
        centre = norm >= _LEAST_NORM
        side = "at least" if centre else "below"
        reason = f"The mean of unit rows has norm {norm:.2f}, {side} {_LEAST_NORM}."
    return CentringChoice(centre, norm_targets, norm_english, n, reason)


def match_bank(bank_scores: ArrayLike, general_scores: ArrayLike | None) -> BankMatch:
    """Test whether the queries of a bank ask for the documents.

    A query whose answer is among the documents finds it well before the second best one; a
    sentence about something else does not. The means of these gaps are compared. The bank must be
    in the language of the queries: one in the language of the documents matches them all the more,
    and lowers recall.

    Parameters
    ----------
    bank_scores : array-like of shape (n_bank, n_found)
        Scores of the documents that each query of the bank finds, best first, at least the first
        two if there are two documents; of any scale, such as a sum of standardised scores. A
        random sample of `MATCH_SAMPLE` queries is enough. Scores that are not finite stand for
        documents that were not found.
    general_scores : array-like of shape (n_general, n_found) or None
        The same for general sentences in the language of the bank, which are not about the
        documents. None: there are none, and the bank is not taken to match.

    Returns
    -------
    BankMatch
        The decision, and the ratio it rests on.

    Raises
    ------
    ValueError
        If scores are not in two dimensions, or not ordered best first.

    Examples
    --------
    >>> from langalign_sk.retrieval.selection import match_bank
    >>> asked = [[0.8, 0.4], [0.7, 0.4]] * 50
    >>> general = [[0.4, 0.3], [0.3, 0.25]] * 50
    >>> match_bank(asked, general).matches
    True
    >>> match_bank(general, general).ratio
    1.0
    """
    bank = _gaps(bank_scores, "bank_scores")
    general = np.empty(0) if general_scores is None else _gaps(general_scores, "general_scores")
    n_bank, n_general = len(bank), len(general)
    reason = _why_no_ratio(bank, general, general_scores)
    if reason:
        return BankMatch(False, np.nan, np.nan, n_bank, n_general, reason)
    ratio = float(bank.mean() / general.mean())
    error = float(
        np.hypot(
            bank.std(ddof=1) / np.sqrt(n_bank),
            ratio * general.std(ddof=1) / np.sqrt(n_general),
        )
        / general.mean()
    )
    matches = ratio - error >= _LEAST_RATIO
    reason = (
        f"The best document of its queries stands out {ratio:.2f} +- {error:.2f} times as far as that "
        f"of general sentences; {_LEAST_RATIO} or more says that they ask for the documents."
    )
    return BankMatch(matches, ratio, error, n_bank, n_general, reason)


def choose_scoring(
    match: BankMatch | None = None,
    n_bank: int = 0,
    hits: Mapping[str, ArrayLike] | None = None,
) -> ScoringChoice:
    """Choose a scoring by labelled queries, else by the bank of queries.

    Labelled queries decide where there are 200 or more: the scoring with the highest recall
    is chosen if it is more than a standard error above the first one. Otherwise "csls" is chosen
    if the bank asks for the documents and holds 250 queries or more, else the first scoring, or
    "cosine".

    Parameters
    ----------
    match : BankMatch or None, default=None
        Result of `match_bank`; None: there is no bank.
    n_bank : int, default=0
        Number of queries in the bank, of which `match` may have measured a sample.
    hits : mapping of str to array-like of shape (n_queries,), dtype bool, default=None
        By scoring, whether each labelled query found its document first. The queries must not be
        in the bank. The first scoring is the one to fall back to.

    Returns
    -------
    ScoringChoice
        The choice, and the figures it rests on.

    Raises
    ------
    ValueError
        If the scorings were measured on different numbers of queries, or on none.

    Examples
    --------
    >>> import numpy as np
    >>> from langalign_sk.retrieval.selection import choose_scoring
    >>> choose_scoring().chosen
    'cosine'
    >>> first = np.arange(300) % 2 == 0
    >>> choose_scoring(hits={"cosine": first, "csls": first | (np.arange(300) < 30)}).chosen
    'csls'
    """
    recall, errors, gains, n = _recall_of(hits)
    fallback = next(iter(recall), "cosine")
    if n >= LEAST_LABELS:
        best = max(gains, key=gains.__getitem__)
        if gains[best] > errors[best]:
            reason = (
                f"It finds {100 * gains[best]:.1f} points more labelled queries than {fallback!r}, "
                f"with a standard error of {100 * errors[best]:.1f}."
            )
        else:
            best = fallback
            reason = "No other scoring gains more than a standard error on the labelled queries."
        return ScoringChoice(best, "labelled queries", recall, errors, n, reason)
    few = f" {n} labelled queries are too few to decide ({LEAST_LABELS})." if n else ""
    if match is None:
        reason = f"There is no bank of queries.{few}"
        return ScoringChoice(fallback, "nothing", recall, errors, n, reason)
    chosen, reason = fallback, match.reason
    if match.matches and n_bank < LEAST_BANK:
        reason = f"{n_bank} queries of the bank are too few for 'csls' ({LEAST_BANK})."
    elif match.matches:
        chosen = "csls"
    return ScoringChoice(chosen, "bank", recall, errors, n_bank, reason + few)


def _gaps(scores: ArrayLike, name: str) -> NDArray[np.float64]:
    """Differences of the best two scores of each query that found two documents."""
    found: NDArray[np.float64] = check_array(
        scores,
        dtype=np.float64,
        ensure_all_finite=False,
        ensure_min_samples=0,
        input_name=name,
    )
    if found.shape[1] < 2:
        return np.empty(0)
    pairs = found[:, :2]
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    gaps: NDArray[np.float64] = pairs[:, 0] - pairs[:, 1]
    if (gaps < -_ROUNDING * np.abs(pairs).max(initial=0)).any():
        raise ValueError(f"{name} must hold the scores of each query best first.")
    return np.maximum(gaps, 0)


def _why_no_ratio(bank: NDArray, general: NDArray, given: ArrayLike | None) -> str:
    """Reason why gaps cannot be compared; empty if they can be."""
    if given is None:
        return "There are no general sentences to compare the bank with."
    if len(bank) < 2:
        return "Fewer than two queries of the bank found two documents."
    if len(general) < _LEAST_GENERAL:
        return f"Fewer than {_LEAST_GENERAL} general sentences found two documents."
    if not general.mean() > 0:
        return "The best documents of general sentences are all the same."
    return ""


def _recall_of(
    hits: Mapping[str, ArrayLike] | None,
) -> tuple[dict[str, float], dict[str, float], dict[str, float], int]:
    """Recall by scoring, standard errors of the gains over the first one, gains, and queries."""
    if not hits:
        return {}, {}, {}, 0
    found = {name: np.asarray(hit, dtype=np.float64).ravel() for name, hit in hits.items()}
    check_consistent_length(*found.values())
    first = next(iter(found.values()))
    n = len(first)
    if not n:
        raise ValueError("hits hold no query: pass hits=None where there are no labelled queries.")
    recall, errors, gains = {}, {}, {}
    for name, hit in found.items():
        difference = hit - first
        recall[name], gains[name] = float(hit.mean()), float(difference.mean())
        errors[name] = float(difference.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0
    return recall, errors, gains, n
