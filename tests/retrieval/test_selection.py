"""Choice of centring and of scoring, against figures by hand and by the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from langalign_sk.retrieval.selection import (
    LEAST_BANK,
    LEAST_LABELS,
    BankMatch,
    choose_centring,
    choose_scoring,
    match_bank,
)


def scores_with_gaps(gaps, best=0.9, others=(0.01, 0.02)):
    """Scores of four found documents, best first, whose first two differ by `gaps`."""
    second = best - np.asarray(gaps, dtype=float)
    return np.column_stack([np.full(len(second), best), second, *(second - o for o in others)])


def test_norms_of_means_by_hand():
    # Half of the rows are (1, 0), half (0, 1), of any length: the mean of unit rows is (1/2, 1/2).
    targets = np.repeat([[3.0, 0.0], [0.0, 0.2]], 20, axis=0)
    english = np.repeat([[1.0, 0.0], [-4.0, 0.0]], 25, axis=0)
    choice = choose_centring(targets, english)
    assert_allclose(
        [choice.norm_targets, choice.norm_english], [np.sqrt(0.5), 0], rtol=1e-12, atol=1e-12
    )
    assert choice.centre
    assert choice.n == 40
    assert "0.71, at least 0.55" in choice.reason


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_one_anisotropic_side_is_enough_to_centre(dtype):
    rng = np.random.default_rng(0)
    round_rows = rng.normal(size=(300, 12)).astype(dtype)
    cone = (rng.normal(size=(300, 12)) + 2).astype(dtype)
    assert not choose_centring(round_rows, round_rows).centre
    assert choose_centring(cone, round_rows).centre
    assert choose_centring(round_rows, cone).centre


def test_centring_does_not_depend_on_the_length_or_order_of_rows():
    rng = np.random.default_rng(1)
    targets, english = rng.normal(size=(80, 5)) + 0.4, rng.normal(size=(60, 5)) + 0.5
    first = choose_centring(targets, english)
    lengths = rng.uniform(0.1, 9, size=(80, 1))
    again = choose_centring((lengths * targets)[::-1], 7 * english)
    assert_allclose(again.norm_targets, first.norm_targets, rtol=1e-12)
    assert_allclose(again.norm_english, first.norm_english, rtol=1e-12)
    assert again.centre == first.centre


def test_too_few_sentences_do_not_centre():
    choice = choose_centring(np.ones((29, 3)), np.ones((50, 3)))
    assert not choice.centre
    assert "29 sentences are too few" in choice.reason
    assert choose_centring(np.ones((30, 3)), np.ones((50, 3))).centre


def test_rows_of_other_widths_or_not_finite():
    with pytest.raises(ValueError, match="targets have 3 columns and english has 4"):
        choose_centring(np.ones((40, 3)), np.ones((40, 4)))
    with pytest.raises(ValueError, match="targets contains NaN"):
        choose_centring(np.full((40, 3), np.nan), np.ones((40, 3)))


def test_ratio_of_gaps_by_hand():
    bank = scores_with_gaps([0.2, 0.4] * 20)
    general = scores_with_gaps([0.1] * 40)
    match = match_bank(bank, general)
    assert_allclose(match.ratio, 3, rtol=1e-12)
    # Only the bank varies: its standard deviation is .1 * sqrt(40 / 39).
    assert_allclose(match.standard_error, np.sqrt(40 / 39) / np.sqrt(40), rtol=1e-10)
    assert match.matches
    assert (match.n_bank, match.n_general) == (40, 40)
    assert "3.00 +- 0.16 times as far" in match.reason


def test_standard_error_agrees_with_the_bootstrap():
    rng = np.random.default_rng(2)
    bank, general = rng.exponential(0.2, 200), rng.exponential(0.1, 150)
    match = match_bank(scores_with_gaps(bank), scores_with_gaps(general))
    draws = [
        rng.choice(bank, len(bank)).mean() / rng.choice(general, len(general)).mean()
        for _ in range(4_000)
    ]
    # The delta method is of first order: it agrees within some percent.
    assert_allclose(match.standard_error, np.std(draws), rtol=0.1)
    assert_allclose(match.ratio, bank.mean() / general.mean(), rtol=1e-12)


@pytest.mark.parametrize(
    ("ratio", "expected"), [(1.0, False), (1.7, False), (1.8, True), (9, True)]
)
def test_threshold_of_the_ratio(ratio, expected):
    match = match_bank(scores_with_gaps([0.05 * ratio] * 60), scores_with_gaps([0.05] * 60))
    assert_allclose(match.standard_error, 0, atol=1e-9)
    assert match.matches == expected


def test_an_uncertain_ratio_does_not_match():
    gaps = np.zeros(60)
    gaps[0] = 60 * 0.05 * 2  # one query makes a mean ratio of 2, with a standard error of 2
    match = match_bank(scores_with_gaps(gaps, best=9), scores_with_gaps([0.05] * 60))
    assert_allclose(match.ratio, 2, rtol=1e-9)
    assert_allclose(match.standard_error, 2, rtol=1e-9)
    assert not match.matches


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scale_of_scores_does_not_matter(dtype):
    rng = np.random.default_rng(3)
    bank = scores_with_gaps(rng.exponential(0.3, 100))
    general = scores_with_gaps(rng.exponential(0.1, 100))
    first = match_bank(bank, general)
    moved = [(40 * s - 12).astype(dtype) for s in (bank, general)]
    again = match_bank(*moved)
    rtol = 1e-10 if dtype is np.float64 else 1e-4
    assert_allclose(again.ratio, first.ratio, rtol=rtol)
    assert_allclose(again.standard_error, first.standard_error, rtol=rtol)


def test_queries_of_the_documents_match_and_others_do_not():
    # Documents are points; a query asks for one of them or lies anywhere.
    rng = np.random.default_rng(4)

    def unit(rows):
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    documents = unit(rng.normal(size=(900, 24)))
    past = unit(documents[:200] + 0.1 * rng.normal(size=(200, 24)))
    others, general = unit(rng.normal(size=(200, 24))), unit(rng.normal(size=(200, 24)))
    past, others, general = (-np.sort(-(Q @ documents.T), axis=1) for Q in (past, others, general))
    assert match_bank(past, general).matches
    assert not match_bank(others, general).matches
    half = np.concatenate([past[:100], others[:100]])
    ratio = match_bank(half, general).ratio
    assert match_bank(others, general).ratio < ratio < match_bank(past, general).ratio


def test_one_document_and_documents_that_are_all_the_same():
    asked = scores_with_gaps([0.3] * 50)
    one = match_bank(np.ones((50, 1)), np.ones((50, 1)))
    assert not one.matches
    assert np.isnan(one.ratio)
    assert one.n_bank == 0
    assert "Fewer than two queries of the bank found two documents" in one.reason
    # Float32 scores of equal documents differ in the last digit.
    same = np.full((50, 2), 0.8, dtype=np.float32)
    same[::2, 1] = np.nextafter(np.float32(0.8), np.float32(1))
    same = match_bank(asked, np.minimum(same, np.float32(0.8)))
    assert not same.matches
    assert "all the same" in same.reason


def test_documents_that_were_not_found_do_not_count():
    bank, general = scores_with_gaps([0.3] * 50), scores_with_gaps([0.1] * 50)
    short = bank.copy()
    short[10:, 1] = -np.inf
    match = match_bank(short, general)
    assert_allclose(match.ratio, 3, rtol=1e-9)
    assert match.n_bank == 10
    none = match_bank(np.full((50, 2), -np.inf), general)
    assert not none.matches


def test_without_general_sentences_a_bank_does_not_match():
    bank = scores_with_gaps([0.3] * 50)
    nothing = match_bank(bank, None)
    assert not nothing.matches
    assert "no general sentences" in nothing.reason
    few = match_bank(bank, scores_with_gaps([0.1] * 29))
    assert not few.matches
    assert "Fewer than 30 general sentences" in few.reason


def test_scores_must_be_best_first_in_two_dimensions():
    bank, general = scores_with_gaps([0.3] * 50), scores_with_gaps([0.1] * 50)
    with pytest.raises(ValueError, match="general_scores must hold the scores of each query best"):
        match_bank(bank, general[:, ::-1])
    with pytest.raises(ValueError, match="Expected 2D array"):
        match_bank(bank[0], general)


def a_match(matches):
    return BankMatch(matches, 3.0 if matches else 1.0, 0.1, 200, 200, "Why.")


@pytest.mark.parametrize(
    ("match", "n_bank", "chosen", "measured_on"),
    [
        (None, 0, "cosine", "nothing"),
        (a_match(True), LEAST_BANK, "csls", "bank"),
        (a_match(True), LEAST_BANK - 1, "cosine", "bank"),
        (a_match(False), 5_000, "cosine", "bank"),
    ],
)
def test_the_bank_decides_without_labels(match, n_bank, chosen, measured_on):
    choice = choose_scoring(match, n_bank)
    assert (choice.chosen, choice.measured_on, choice.n) == (chosen, measured_on, n_bank)
    assert choice.recall == choice.standard_errors == {}
    assert choice.reason


def test_labelled_queries_decide_before_the_bank():
    n = 300
    cosine = np.arange(n) < 150
    hits = {"cosine": cosine, "csls": np.arange(n) < 153, "margin": np.arange(n) < 165}
    choice = choose_scoring(a_match(True), 1_000, hits)
    assert choice.chosen == "margin"
    assert choice.measured_on == "labelled queries"
    assert_allclose(list(choice.recall.values()), [0.5, 0.51, 0.55], rtol=1e-12)
    # Differences are 1 for 15 queries of 300, and 0 for the others: their variance is p (1 - p).
    p = 15 / n
    expected = np.sqrt(p * (1 - p) * n / (n - 1) / n)
    assert_allclose(choice.standard_errors["margin"], expected, rtol=1e-12)
    assert choice.standard_errors["cosine"] == 0
    assert "5.0 points" in choice.reason


def test_a_gain_below_a_standard_error_changes_nothing():
    rng = np.random.default_rng(5)
    order = rng.permutation(400)
    cosine = np.zeros(400, dtype=bool)
    cosine[order[:200]] = True
    csls = np.zeros(400, dtype=bool)
    csls[order[40:243]] = True  # 43 gained, 40 lost
    choice = choose_scoring(a_match(True), 1_000, {"cosine": cosine, "csls": csls})
    assert choice.chosen == "cosine"
    assert choice.recall["csls"] > choice.recall["cosine"]
    assert choice.standard_errors["csls"] > 3 / 400


def test_equal_and_worse_scorings_fall_back_to_the_first():
    hit = np.arange(250) < 100
    hits = {"centred cosine": hit, "csls": hit, "margin": np.arange(250) < 90}
    choice = choose_scoring(None, 0, hits)
    assert choice.chosen == "centred cosine"
    assert choose_scoring(None, 0, {"centred cosine": hit}).chosen == "centred cosine"


def test_few_labelled_queries_leave_the_choice_to_the_bank():
    n = LEAST_LABELS - 1
    hits = {"cosine": np.zeros(n, dtype=bool), "inverted_softmax": np.ones(n, dtype=bool)}
    choice = choose_scoring(a_match(True), 1_000, hits)
    assert (choice.chosen, choice.measured_on) == ("csls", "bank")
    assert "199 labelled queries are too few" in choice.reason
    assert choice.recall == {"cosine": 0, "inverted_softmax": 1}
    assert choose_scoring(hits=hits).chosen == "cosine"
    one = choose_scoring(hits={"cosine": [True], "csls": [False]})
    assert one.standard_errors == {"cosine": 0, "csls": 0}


def test_labelled_queries_of_other_numbers_or_none():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        choose_scoring(hits={"cosine": np.ones(300), "csls": np.ones(299)})
    with pytest.raises(ValueError, match="hits hold no query"):
        choose_scoring(hits={"cosine": [], "csls": []})


def test_choices_are_frozen():
    with pytest.raises(AttributeError):
        choose_scoring().chosen = "csls"
