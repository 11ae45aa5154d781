"""mine_pairs: against plain loops, and on collections whose translations are known."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import CrossLingualAligner, LinearAligner, ParallelCorpus
from langalign_sk.datasets import load_starter_corpus
from langalign_sk.retrieval import MinedPairs, exact, mine_pairs
from tests.retrieval.references import cosine_error
from tests.retrieval.toy import aligner
from tests.toy import ENGLISH, KOREAN, PAIRS, NeverEncode

EVERYTHING = -10.0  # no margin of the toys is as low


def in_loops(S, T, k):
    """Mutual best rows by margin among the 2 k nearest ones by cosine, from the definition."""
    S, T = (X / np.linalg.norm(X, axis=1, keepdims=True) for X in (S, T))
    near_s = [[float(s @ t) for t in T] for s in S]
    near_t = [[float(s @ t) for s in S] for t in T]
    means_s = [np.mean(sorted(row)[-k:]) for row in near_s]
    means_t = [np.mean(sorted(row)[-k:]) for row in near_t]

    def margin(i, j):
        return near_s[i][j] / max((means_s[i] + means_t[j]) / 2, 1e-6)

    def candidates(row):
        return sorted(range(len(row)), key=lambda place: -row[place])[: 2 * k]

    best_t = [max(candidates(row), key=lambda j: margin(i, j)) for i, row in enumerate(near_s)]
    best_s = [max(candidates(row), key=lambda i: margin(i, j)) for j, row in enumerate(near_t)]
    pairs = [(margin(i, j), i, j) for i, j in enumerate(best_t) if best_s[j] == i]
    return sorted(pairs, reverse=True)


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize(("n_source", "n_target"), [(1, 1), (8, 5), (2, 30), (40, 37)])
def test_margins_and_mutual_best_rows_of_plain_loops(k, n_source, n_target, monkeypatch):
    monkeypatch.setattr(exact, "_ROW_BLOCK", 7)
    monkeypatch.setattr(exact, "QUERY_BLOCK", 6)
    rng = np.random.default_rng(n_source)
    S = rng.normal(size=(n_source, 6)) + 0.5
    T = rng.normal(size=(n_target, 6)) + 0.5
    shared = min(n_source, n_target) // 2
    T[:shared] = S[:shared] * 3 + 0.3 * T[:shared]
    expected = in_loops(S, T, k)
    mined = mine_pairs(S, T, n_neighbors=k, threshold=EVERYTHING)
    assert pairs_of(mined) == {(i, j) for _, i, j in expected}
    if k > 1:  # else all margins are 1, and the order says nothing
        assert mined.source_index.tolist() == [i for _, i, _ in expected]
    # Margins are cosines over means of cosines, which are above 1 / 8 here.
    assert_allclose(mined.score, [score for score, _, _ in expected], rtol=16 * cosine_error(6))
    assert mined.n_candidates == len(expected)
    assert mined.threshold == EVERYTHING
    assert np.isnan(mined.expected_precision)
    assert np.isnan(mined.expected_recall)
    middle = expected[len(expected) // 2][0] - 1e-4
    above = mine_pairs(S, T, n_neighbors=k, threshold=middle)
    kept = sum(score >= middle for score, _, _ in expected)
    assert len(above.score) == kept
    assert above.n_candidates == len(expected)
    assert_array_equal(above.source_index, mined.source_index[:kept])


# Known truth


def known(noise, seed, n=400, own=200, width=48):
    """Two shuffled collections that share n meanings, and the place of every translation."""
    rng = np.random.default_rng(seed)
    meaning = rng.normal(size=(n + 2 * own, width))
    source = meaning[: n + own]
    target = np.r_[meaning[:n], meaning[n + own :]]
    target = target + noise * rng.normal(size=target.shape)
    order, order_t = rng.permutation(n + own), rng.permutation(n + own)
    where = np.argsort(order_t)
    truth = {(i, int(where[m])) for i, m in enumerate(order) if m < n}
    return source[order], target[order_t], truth


def pairs_of(mined):
    return set(zip(mined.source_index.tolist(), mined.target_index.tolist(), strict=True))


def f1(mined, truth):
    return 2 * len(pairs_of(mined) & truth) / (len(mined.score) + len(truth))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("noise", "least"), [(0.1, 0.999), (0.5, 0.995), (1.0, 0.96)])
def test_known_pairs_are_found(noise, least, seed):
    S, T, truth = known(noise, seed)
    mined = mine_pairs(S, T)
    assert f1(mined, truth) >= least
    assert (mined.score >= mined.threshold).all()
    assert (np.diff(mined.score) <= 0).all()
    for index in (mined.source_index, mined.target_index):
        assert index.dtype == np.intp
        assert len(set(index.tolist())) == len(index)  # no row is in two pairs
    by_cosine = np.einsum("ij,ij->i", S[mined.source_index], T[mined.target_index])
    assert by_cosine.min() > 0


@pytest.mark.parametrize("noise", [0.8, 1.2, 1.5])
def test_expected_precision_and_recall_are_near_the_true_ones(noise):
    errors = []
    for seed in range(6):
        S, T, truth = known(noise, seed)
        mined, candidates = mine_pairs(S, T), mine_pairs(S, T, threshold=EVERYTHING)
        right = len(pairs_of(mined) & truth)
        precision = right / len(mined.score)
        recall = right / len(pairs_of(candidates) & truth)
        errors.append((mined.expected_precision - precision, mined.expected_recall - recall))
        assert candidates.n_candidates == mined.n_candidates
        assert pairs_of(mined) <= pairs_of(candidates)
    # Estimates are less exact where a third of the translations is lost in noise.
    assert np.abs(np.mean(errors, axis=0)).max() < (0.1 if noise == 1.5 else 0.06)
    assert np.abs(errors).max() < 0.15


def test_the_threshold_is_near_the_best_one():
    for seed in range(3):
        S, T, truth = known(1.2, seed)
        candidates = mine_pairs(S, T, threshold=EVERYTHING)
        right = np.array([pair in truth for pair in zip(*_places(candidates), strict=True)])
        best = max(2 * right[:m].sum() / (m + len(truth)) for m in range(1, len(right) + 1))
        assert f1(mine_pairs(S, T), truth) > best - 0.03


def _places(mined):
    return mined.source_index.tolist(), mined.target_index.tolist()


HARDLY = "hardly a sentence in common"


@pytest.mark.parametrize("seed", range(4))
def test_unrelated_collections_are_warned_of(seed):
    rng = np.random.default_rng(seed)
    with pytest.warns(UserWarning, match=HARDLY):
        mined = mine_pairs(rng.normal(size=(400, 48)), rng.normal(size=(400, 48)))
    assert mined.n_candidates > 50
    assert len(mined.score) == mined.expected_precision == mined.expected_recall == 0
    assert mined.threshold == np.inf


@pytest.mark.parametrize("noise", [0.5, 1.0])
def test_few_translations_among_many_other_rows(noise):
    warned = []
    for seed in range(6):
        S, T, truth = known(noise, seed, n=40, own=400)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            mined = mine_pairs(S, T)
        assert f1(mined, truth) >= 0.5
        warned.append(any(HARDLY in str(w.message) for w in seen))
        assert warned[-1] == (len(mined.score) < 0.1 * 440 or mined.expected_precision < 0.7)
    assert any(warned)


def test_repeatable_and_without_a_trace_in_the_global_state():
    S, T, _ = known(1.2, 0)
    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = mine_pairs(S, T), mine_pairs(S, T, random_state=0)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert first.threshold == second.threshold
    assert first.expected_precision == second.expected_precision
    assert_array_equal(first.source_index, second.source_index)
    state = np.random.RandomState(0)
    assert mine_pairs(S, T, random_state=state).threshold == first.threshold
    with pytest.raises(ValueError, match="cannot be used to seed"):
        mine_pairs(S, T, random_state="first")


def test_inputs_stay_as_they_are():
    S, T, _ = known(0.5, 1)
    for dtype in (np.float32, np.float64):
        sides = [X.astype(dtype) for X in (S, T)]
        copies = [X.copy() for X in sides]
        for X in sides:
            X.flags.writeable = False
        mine_pairs(*sides)
        for X, copy in zip(sides, copies, strict=True):
            assert_array_equal(X, copy)


@pytest.mark.parametrize(
    ("backend", "backend_params"),
    [("faiss", None), ("faiss", {"factory": "HNSW32"}), ("hnswlib", {"M": 32, "ef": 200})],
)
def test_other_indexes(backend, backend_params):
    pytest.importorskip(backend, reason=f"needs pip install langalign-sk[{backend}]")
    S, T, truth = known(0.8, 2)
    right = mine_pairs(S, T)
    mined = mine_pairs(S, T, backend=backend, backend_params=backend_params)
    if backend_params is None:
        assert pairs_of(mined) == pairs_of(right)
    assert f1(mined, truth) > f1(right, truth) - 0.02


def claimed(S, T, **parameters):
    """Pairs, and the warnings that came with them."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        mined = mine_pairs(S, T, **parameters)
    return mined, [str(one.message) for one in seen]


@pytest.mark.parametrize("n_neighbors", [1, 2, 10])
def test_unrelated_collections_by_other_means_of_neighbours(n_neighbors):
    rng = np.random.default_rng(n_neighbors)
    mined, messages = claimed(*rng.normal(size=(2, 300, 48)), n_neighbors=n_neighbors)
    assert len(mined.score) == mined.expected_precision == 0
    assert HARDLY in messages[0]
    S, T, truth = known(1.0, n_neighbors)
    mined = mine_pairs(S, T, n_neighbors=n_neighbors)
    precision = len(pairs_of(mined) & truth) / len(mined.score)
    assert mined.expected_precision == pytest.approx(precision, abs=0.1)


@pytest.mark.parametrize("n", [30, 50, 100, 300, 1000])
@pytest.mark.parametrize("width", [2, 3, 48])
def test_unrelated_collections_of_many_sizes_and_widths(n, width):
    rng = np.random.default_rng(n)
    sides = rng.normal(size=(n, width)), rng.normal(size=(n, width))
    mined, messages = claimed(*sides)
    assert not mined.expected_precision > 0.2
    assert messages
    assert mined.to_frame().shape == (len(mined.score), 3)


@pytest.mark.parametrize(
    ("n_source", "n_target"), [(1000, 100), (100, 1000), (600, 60)], ids=["10x", "a tenth", "60"]
)
def test_collections_of_different_sizes(n_source, n_target):
    rng = np.random.default_rng(n_source)
    S, noise = rng.normal(size=(max(n_source, n_target), 48)), 0.7
    T = S + noise * rng.normal(size=S.shape)
    S, T = S[:n_source], T[:n_target]
    mined, _ = claimed(S, T)
    right = np.mean(mined.source_index == mined.target_index)
    assert len(mined.score) > 0.9 * min(n_source, n_target)
    assert mined.expected_precision == pytest.approx(right, abs=0.1)
    mined, messages = claimed(S, rng.normal(size=T.shape))
    assert len(mined.score) == 0
    assert HARDLY in messages[0]


@pytest.mark.parametrize("kind", ["equal", "near", "half of them", "both sides"])
def test_sentences_with_two_translations(kind):
    """One of the two is found; the other one does not make it look like chance."""
    rng = np.random.default_rng(0)
    S = rng.normal(size=(300, 48))
    T = S + 0.5 * rng.normal(size=S.shape)
    again = T + (0.3 * rng.normal(size=T.shape) if kind != "equal" else 0)
    again = again[:150] if kind == "half of them" else again
    both = np.r_[S, S + 0.3 * rng.normal(size=S.shape)] if kind == "both sides" else S
    mined, messages = claimed(both, np.r_[T, again])
    right = mined.source_index % 300 == mined.target_index % 300
    assert mined.expected_precision == pytest.approx(right.mean(), abs=0.1)
    assert len(mined.score) > 280
    assert not messages


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (np.ones((60, 8)), np.ones((60, 8))),
        (np.zeros((60, 8)), np.zeros((60, 8))),
        (np.eye(8), np.eye(8)[:1]),
        (np.eye(8)[:1], np.eye(8)[:1]),
        (np.repeat(np.eye(8), 20, axis=0), np.repeat(np.eye(8), 20, axis=0)),
        (np.r_[np.eye(40), np.zeros((5, 40))], np.r_[np.zeros((5, 40)), np.eye(40)]),
    ],
    ids=[
        "one row many times",
        "zeros",
        "8 x 1",
        "1 x 1",
        "8 rows many times",
        "zeros among others",
    ],
)
def test_rows_without_a_distribution(source, target):
    mined, messages = claimed(source, target)
    assert not 0 < mined.expected_precision < 0.9
    assert messages or mined.expected_precision > 0.9
    frame = mined.to_frame()
    assert frame["source_index"].dtype == frame["target_index"].dtype == np.intp
    assert mined.score.dtype == np.float32
    assert np.isfinite(mined.score).all()


def test_no_pairs_are_a_table_and_no_corpus():
    english, korean = ENGLISH[:60], KOREAN[60:130]
    mined, messages = claimed(english, korean, aligner=aligner().fit(PAIRS))
    assert HARDLY in messages[0]
    assert (mined.source, mined.target, mined.target_lang) == ((), (), "ko")
    frame = mined.to_frame()
    assert frame.columns.tolist() == ["source_index", "target_index", "score", "source", "target"]
    assert len(frame) == 0
    with pytest.raises(ValueError, match="No pairs were mined, so there is no corpus"):
        mined.to_corpus()


def test_a_repeated_sentence_is_looked_at_where_it_stands_first():
    english, korean, truth = halves()
    fitted = aligner().fit(PAIRS)
    once = mine_pairs(english, korean, fitted)
    twice = mine_pairs([*english, *english[:40]], [*korean, *korean[:70]], fitted)
    assert pairs_of(once) == pairs_of(twice)
    assert twice.expected_precision == pytest.approx(once.expected_precision)
    assert f1(twice, truth) > 0.95


# Text


def halves():
    """English sentences 0 to 149 and Korean ones 50 to 199, the latter shuffled."""
    order = np.random.default_rng(4).permutation(150) + 50
    return (
        ENGLISH[:150],
        [KOREAN[i] for i in order],
        {(m, i) for i, m in enumerate(order) if m < 150},
    )


@pytest.mark.parametrize(
    "kind", [list, tuple, np.array, pd.Series, lambda side: pd.DataFrame({"a": side})]
)
def test_texts_make_a_corpus(kind):
    english, korean, truth = halves()
    fitted = aligner().fit(PAIRS)
    mined = mine_pairs(kind(english), kind(korean), fitted)
    assert f1(mined, truth) > 0.95
    assert mined.target_lang == "ko"
    assert mined.source == tuple(english[i] for i in mined.source_index)
    assert mined.target == tuple(korean[i] for i in mined.target_index)
    rows = mine_pairs(fitted.transform(english), fitted.transform(korean))
    assert pairs_of(rows) == pairs_of(mined)


def test_mined_pairs_teach_an_aligner():
    english, korean, _ = halves()
    mined = mine_pairs(english, korean, aligner().fit(PAIRS[:40]))
    corpus = mined.to_corpus()
    assert isinstance(corpus, ParallelCorpus)
    assert (corpus.name, corpus.target_lang, corpus.n_pairs) == ("mined", "ko", len(mined.score))
    assert corpus.source == mined.source
    assert corpus.target == mined.target
    assert mined.to_corpus(None).name is None
    taught = aligner().fit(english, parallel=corpus)
    right = [(KOREAN[i], ENGLISH[i]) for i in range(200)]
    assert taught.score(right) > aligner(method="identity").fit(PAIRS).score(right) + 0.1
    frame = mined.to_frame()
    assert frame.columns.tolist() == ["source_index", "target_index", "score", "source", "target"]
    assert frame["source"].tolist() == list(mined.source)
    assert frame["score"].is_monotonic_decreasing
    assert f"n_pairs={len(mined.score)}" in repr(mined)


def test_an_aligner_that_is_not_fitted_learns_from_its_corpus(tmp_path):
    english, korean, truth = halves()
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(f"{en}\t{ko}" for ko, en in PAIRS), encoding="utf-8")
    unfitted = aligner(corpus=path)
    mined = mine_pairs(english, korean, unfitted)
    assert not hasattr(unfitted, "language_map_")
    assert pairs_of(mined) == pairs_of(mine_pairs(english, korean, aligner().fit(PAIRS).freeze()))
    assert f1(mined, truth) > 0.95


def test_embeddings_have_no_texts():
    S, T, _ = known(0.1, 0, n=60, own=5)
    mined = mine_pairs(S, T)
    assert isinstance(mined, MinedPairs)
    assert mined.source is mined.target is mined.target_lang is None
    assert mined.to_frame().columns.tolist() == ["source_index", "target_index", "score"]
    with pytest.raises(ValueError, match="mined from embeddings"):
        mined.to_corpus()


def test_too_few_candidates():
    S, T, truth = known(0.1, 0, n=12, own=3)
    with pytest.warns(UserWarning, match="candidates are too few.*1.0 is used"):
        mined = mine_pairs(S, T)
    assert mined.threshold == 1.0
    assert np.isnan(mined.expected_precision)
    assert np.isnan(mined.expected_recall)
    assert truth <= pairs_of(mined)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mine_pairs(S, T, threshold=1.2).threshold == 1.2
    none = mine_pairs(S, T, threshold=1e6)
    assert len(none.score) == len(none.source_index) == len(none.to_frame()) == 0


STRICT = aligner(encoder=NeverEncode())


@pytest.mark.parametrize(
    ("source", "target", "parameters", "match"),
    [
        (KOREAN, ENGLISH, {"aligner": STRICT}, "sides look swapped"),
        (ENGLISH, KOREAN, {}, "aligner of one language"),
        (ENGLISH, KOREAN, {"aligner": LinearAligner()}, "aligner of one language"),
        (
            ENGLISH,
            KOREAN,
            {"aligner": CrossLingualAligner(["ko", "ja"], encoder=NeverEncode())},
            "aligner of one language",
        ),
        (ENGLISH, [], {"aligner": STRICT}, "There are no target sentences"),
        ([], KOREAN, {"aligner": STRICT}, "There are no source sentences"),
        (ENGLISH, [*KOREAN, None], {"aligner": STRICT}, "row 200 is missing"),
        (ENGLISH, "문장", {"aligner": STRICT}, "X is a single str"),
        (ENGLISH, np.eye(3), {"aligner": STRICT}, "One side is text and the other embeddings"),
        (np.eye(3), KOREAN, {"aligner": STRICT}, "One side is text and the other embeddings"),
        (np.eye(3), np.eye(3), {"aligner": STRICT}, "leave aligner=None"),
        (np.eye(3), np.eye(4), {}, "Target rows have 4 features, but the index has 3"),
        (np.eye(3), [[np.nan, 1, 2]], {}, "target contains NaN"),
        (np.empty((0, 3)), np.eye(3), {}, "0 sample"),
        (np.eye(3), np.ones(3), {}, "Expected 2D array"),
        (np.eye(3), np.eye(3), {"n_neighbors": 0}, "n_neighbors == 0"),
        (np.eye(3), np.eye(3), {"backend": "annoy"}, "backend must be one of"),
        (np.eye(3), np.eye(3), {"backend_params": {"M": 4}}, "does not know"),
        (ENGLISH, PAIRS, {"aligner": STRICT}, "target sentences must be one column of text"),
        (PAIRS, KOREAN, {"aligner": STRICT}, "source sentences must be one column of text"),
    ],
)
def test_refused(source, target, parameters, match):
    with pytest.raises(ValueError, match=match):
        mine_pairs(source, target, **parameters)


@pytest.mark.parametrize("threshold", ["best", None, [1.0]])
def test_a_threshold_is_a_number(threshold):
    with pytest.raises(TypeError, match="threshold must be an instance of"):
        mine_pairs(np.eye(3), np.eye(3), threshold=threshold)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
def test_shuffled_halves_of_real_text(embedded, language):
    english, target = embedded("ntrex", language, 500)
    rng = np.random.default_rng(0)
    left, right = (rng.permutation(500)[:350] for _ in range(2))
    where = {m: i for i, m in enumerate(right.tolist())}
    truth = {(i, where[m]) for i, m in enumerate(left.tolist()) if m in where}
    mined = mine_pairs(english[left], target[right])
    assert 220 < len(truth) < 270
    # `python -m benchmarks retrieval` prints the F1 on all of NTREX.
    assert f1(mined, truth) >= 0.93
    precision = len(pairs_of(mined) & truth) / len(mined.score)
    assert mined.expected_precision == pytest.approx(precision, abs=0.04)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
@pytest.mark.parametrize("n", [50, 100, 300])
def test_text_of_one_kind_that_shares_no_sentence(language, n):
    pairs = load_starter_corpus()
    fitted = CrossLingualAligner(language, method="identity", corpus=None).fit(["."])
    english, target = (fitted.transform(pairs[side].tolist()) for side in ("en", language))
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(english))
        mined, messages = claimed(english[order[:n]], target[order[n : 2 * n]])
        assert not mined.expected_precision > 0.2
        assert HARDLY in messages[0]


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
@pytest.mark.parametrize("removed", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("same_size", [True, False], ids=["same size", "smaller"])
def test_claims_where_translations_are_removed(embedded, language, removed, same_size):
    """`python -m benchmarks mining` measures more of them."""
    english, target = embedded("ntrex", language, 1997)
    n = len(english)
    order = np.random.default_rng(0).permutation(n)
    left, right = order, order[: round(n * (1 - removed))]
    if same_size:
        size = int(n / (1 + removed))
        shared = round((1 - removed) * size)
        left, right = order[:size], np.r_[order[:shared], order[size : 2 * size - shared]]
    mined, _ = claimed(english[left], target[right])
    precision = np.mean(left[mined.source_index] == right[mined.target_index])
    # A tenth of either collection is some hundred pairs, whose share varies by some points.
    tolerance = 0.15 if same_size and removed == 0.9 else 0.1
    assert mined.expected_precision == pytest.approx(precision, abs=tolerance)


@pytest.mark.parametrize(
    ("source", "target", "named"),
    [
        (0, 1, "All source rows"),
        (1, 0, "All target rows"),
        (0, 0, "All source and all target rows"),
    ],
)
def test_rows_that_are_all_the_same_are_named(source, target, named):
    rows = np.ones((30, 4)), np.random.default_rng(0).normal(size=(30, 4))
    with pytest.warns(UserWarning, match=rf"^{named} are the same"):
        mine_pairs(rows[source], rows[target], threshold=1.0)
