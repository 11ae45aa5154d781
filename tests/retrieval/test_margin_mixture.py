"""Mixture of wrong and right margins: against draws of the model, and its limits."""

from __future__ import annotations

import numpy as np
import pytest

from langalign_sk.retrieval.margin_mixture import N_MARGINS, NearestMargins, fit_mixture


def drawn(n, share, seed, stands_out=4.0):
    """Margins of rows whose spacings are exponential, and of n candidates; which are right."""
    rng = np.random.default_rng(seed)
    n_rows = round(n * (share + (1 - share) / 0.55))  # of those without a partner, 55 % are mutual
    j = np.arange(N_MARGINS - 1, 0, -1)
    # The j-th spacing of the largest of many exponential values has the mean 1 / j (Rényi, 1953).
    sides = []
    for _ in range(2):
        steps = rng.exponential(size=(n_rows, N_MARGINS - 1)) / j
        last = rng.normal(scale=0.3, size=(n_rows, 1))
        sides.append(np.cumsum(np.c_[last, steps], axis=1)[:, ::-1])
    right = np.arange(n) < share * n
    # Right ones stand out from the median of the second largest.
    second = max(float(np.median(side[:, 1])) for side in sides)
    scores = second + rng.gumbel(0.4, 0.45, size=n)
    scores[right] = second + rng.gamma(stands_out**2, 1 / stands_out, size=right.sum())
    return NearestMargins(1 + 0.1 * sides[0], 1 + 0.1 * sides[1], 1 + 0.1 * scores), right


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("seed", range(3))
def test_the_share_of_right_candidates_is_found(share, seed):
    margins, right = drawn(2000, share, seed)
    mixture = fit_mixture(margins, [])
    assert mixture.shares_sentences
    assert mixture.right.mean() == pytest.approx(share, abs=0.1)
    sure = mixture.right > 0.9
    assert right[sure].mean() > 0.9


@pytest.mark.parametrize("n", [20, 100, 2000])
def test_wrong_candidates_alone_share_nothing(n):
    found = [fit_mixture(drawn(n, 0, seed)[0], []).shares_sentences for seed in range(20)]
    assert sum(found) <= 1


def test_what_stands_out_within_a_collection_too_is_no_translation():
    margins, _ = drawn(300, 0.1, 0)
    assert fit_mixture(margins, []).shares_sentences
    assert not fit_mixture(margins, [drawn(300, 0.3, 1)[0], drawn(300, 0.3, 2)[0]]).shares_sentences


def test_probabilities_rise_with_the_score_and_do_not_depend_on_the_unit():
    margins, _ = drawn(500, 0.4, 0, stands_out=3.0)
    right = fit_mixture(margins, []).right
    assert (np.diff(right[np.argsort(margins.of_pairs)]) >= -1e-9).all()
    assert ((right >= 0) & (right <= 1)).all()
    scaled = NearestMargins(*(2 + 5 * each for each in margins))
    np.testing.assert_allclose(fit_mixture(scaled, []).right, right, atol=1e-6)


@pytest.mark.parametrize("k", [1, 3, 8])
def test_margins_without_a_scale(k):
    same = np.ones((30, k))
    assert fit_mixture(NearestMargins(same, same, np.ones(30)), []) is None
