"""CrossLingualRetriever with several views: scores, centring, documents that come and go."""

from __future__ import annotations

import copy
import pickle
import threading
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import CrossLingualRetriever
from tests.retrieval.references import (
    EPS,
    SCORINGS,
    assert_distances,
    assert_same,
    cosine_error,
    found,
    reference,
    score_error,
    unit,
)
from tests.retrieval.toy import aligner, every_kind, fitted_aligner, of_kind
from tests.toy import ENGLISH, JAPANESE, KOREAN, PAIRS, EnglishOnly, ToyEncoder

WIDTHS = 8, 5
BOTH = [None, None]
ERROR = 2 * cosine_error(sum(WIDTHS))


def views_of(n, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, width)) + shift for width in WIDTHS]


def part_of(views, rows):
    return [view[rows] for view in views]


def spread(rows):
    """Standard deviation of the cosines of every other document to those between them."""
    return np.std(unit(rows)[::2] @ unit(rows)[1::2].T)


def coefficients(documents, weights=(1, 1)):
    raw = [w / spread(rows) for w, rows in zip(weights, documents, strict=True)]
    return np.array(raw) / np.sum(raw)


def fused(Q, D, shares):
    parts = zip(shares, Q, D, strict=True)
    return sum(share * unit(q) @ unit(d).T for share, q, d in parts)


def joined(views, shares):
    return np.hstack([np.sqrt(s) * unit(rows) for s, rows in zip(shares, views, strict=True)])


@pytest.mark.parametrize("weights", [None, [1, 3], (0, 2), np.array([0.5, 0.1])])
@pytest.mark.parametrize("fusion", ["auto", "sum"])
def test_scores_are_means_of_cosines_by_weight_over_spread(weights, fusion):
    D, Q = views_of(60, 0), views_of(15, 1)
    retriever = CrossLingualRetriever(BOTH, fusion=fusion, weights=weights).fit(D)
    S = fused(Q, D, coefficients(D, (1, 1) if weights is None else weights))
    order = np.argsort(-S, axis=1)[:, :10]
    distances, indices = retriever.kneighbors(Q)
    assert_array_equal(indices, order)
    assert_allclose(1 - distances, np.take_along_axis(S, order, axis=1), rtol=0, atol=ERROR)


def test_ranks_are_weighted_by_the_weights_alone():
    D, Q = views_of(30, 2), views_of(9, 3)
    D[1] += 2  # another spread
    retriever = CrossLingualRetriever(BOTH, fusion="rank", weights=[1, 3]).fit(D)
    distances, indices = retriever.kneighbors(Q, 5)
    expected = np.zeros((9, 30))
    for weight, q, d in zip((0.25, 0.75), Q, D, strict=True):
        ranks = np.argsort(np.argsort(-unit(q) @ unit(d).T, axis=1), axis=1) + 1
        expected += weight / (60 + ranks)
    best = -np.sort(-expected, axis=1)[:, :5]
    assert_allclose(1 - distances, best, rtol=0, atol=4 * EPS)
    assert_allclose(np.take_along_axis(expected, indices, axis=1), best, rtol=0, atol=4 * EPS)


@every_kind
@pytest.mark.parametrize("scoring", SCORINGS)
def test_hubness_is_that_of_joined_rows(kind, scoring):
    D, Q, bank = views_of(80, 4), views_of(12, 5), views_of(30, 6)
    parameters = {"scoring": scoring, "hub_neighbors": 4, "temperature": 0.2}
    retriever = of_kind(kind, aligner=BOTH, **parameters).fit(D, query_bank=bank)
    shares = coefficients(D)
    right = reference(scoring, *(joined(views, shares) for views in (Q, D, bank)), 4, 0.2)
    distances, indices = retriever.kneighbors(Q, 9)
    assert_array_equal(indices, right.order[:, :9])
    assert_distances(distances, right.scores[:, :9], 4 * right.error[:, :9])


def test_a_list_of_one_view_is_the_view():
    D, Q = views_of(40, 7), views_of(9, 8)
    alone = CrossLingualRetriever().fit(D[0])
    listed = CrossLingualRetriever([None]).fit(D[0])
    assert_array_equal(listed.kneighbors(Q[0])[0], alone.kneighbors(Q[0])[0])
    assert_array_equal(listed.kneighbors(Q[0])[1], alone.kneighbors(Q[0])[1])
    assert listed.aligner_ == [None]
    assert alone.aligner_ is None


@pytest.mark.parametrize("parameters", [{}, {"fusion": "rank"}, {"centre": True}], ids=str)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_a_query_is_scored_alike_in_every_batch(scoring, parameters):
    if "fusion" in parameters:
        scoring = "cosine"  # that ranks are by
    D, Q, bank = views_of(70, 9), views_of(20, 10), views_of(40, 11)
    retriever = CrossLingualRetriever(BOTH, scoring=scoring, n_candidates=30, **parameters)
    retriever.fit(D, query_bank=bank)
    distances, indices = retriever.kneighbors(Q, 6)
    scores = 1 - distances.astype(np.float64)
    # Centred rows are scaled up, and so is their rounding.
    error = 4 * score_error(scores, scoring, width=sum(WIDTHS))
    for parts in ([slice(i, i + 1) for i in range(20)], [slice(7), slice(7, 20)]):
        answers = [retriever.kneighbors(part_of(Q, part), 6) for part in parts]
        assert_array_equal(np.concatenate([i for _, i in answers]), indices)
        assert_distances(np.concatenate([d for d, _ in answers]), scores, error)
    back = retriever.kneighbors([rows[::-1] for rows in Q], 6)
    assert_array_equal(back[1][::-1], indices)
    assert_distances(back[0][::-1], scores, error)


@every_kind
def test_threads_find_what_one_does(kind):
    D, Q = views_of(300, 12), views_of(48, 13)
    retriever = of_kind(kind, aligner=BOTH, scoring="csls").fit(D, query_bank=part_of(Q, slice(9)))
    parts = [part_of(Q, slice(i, i + 8)) for i in range(0, 48, 8)]
    expected = [retriever.kneighbors(part)[1] for part in parts]
    results, start = [None] * 6, threading.Barrier(6)

    def run(i):
        start.wait()
        results[i] = [retriever.kneighbors(parts[i])[1] for _ in range(4)]

    threads = [threading.Thread(target=run, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for several, right in zip(results, expected, strict=True):
        for indices in several:
            assert_array_equal(indices, right)


# Centring


def mean_asked_for(documents, bank):
    """Mean of the unit rows that unit rows of a bank find first."""
    return documents[np.argmax(bank @ documents.T, axis=1)].mean(axis=0)


def test_centred_scores_by_hand():
    D, Q, bank = views_of(40, 14, 0.5), views_of(9, 15, 1.0), views_of(60, 16, 1.0)
    retriever = CrossLingualRetriever(centre=True).fit(D[0], query_bank=bank[0])
    d, q, b = (unit(views[0]) for views in (D, Q, bank))
    S = unit(q - b.mean(axis=0)) @ unit(d - mean_asked_for(d, b)).T
    order = np.argsort(-S, axis=1)[:, :10]
    distances, indices = retriever.kneighbors(Q[0])
    assert_array_equal(indices, order)
    assert_allclose(1 - distances, np.take_along_axis(S, order, axis=1), rtol=0, atol=4 * ERROR)


def test_centred_views_of_text_by_hand():
    first, second = (
        fitted_aligner(corpus=None),
        fitted_aligner(corpus=None, encoder=ToyEncoder(9, shift=4)),
    )
    both = [first.freeze(), second.freeze()]
    documents, queries, bank = ENGLISH[:60], KOREAN[:30], KOREAN[60:150]
    retriever = CrossLingualRetriever(both, centre=True, n_neighbors=5)
    retriever.fit(documents, query_bank=bank)
    parts, spreads = [], []
    for one in (first, second):
        d = unit(one.encoder.encode(documents))
        q, b = unit(one.transform(queries)), unit(one.transform(bank))
        d_mean, q_mean = mean_asked_for(d, b), b.mean(axis=0)
        d, q, b = unit(d - d_mean), unit(q - q_mean), unit(b - q_mean)
        parts.append(q @ d.T)
        spreads.append(np.std(b @ d.T))
    shares = (1 / np.array(spreads)) / np.sum(1 / np.array(spreads))
    S = shares[0] * parts[0] + shares[1] * parts[1]
    order = np.argsort(-S, axis=1)[:, :5]
    distances, indices = retriever.kneighbors(queries)
    assert_array_equal(indices, order)
    assert_allclose(1 - distances, np.take_along_axis(S, order, axis=1), rtol=0, atol=8 * ERROR)


@every_kind
@pytest.mark.parametrize("scoring", SCORINGS)
def test_adapted_means_are_those_of_a_fit_with_the_same_bank(kind, scoring):
    D, Q, bank = (views_of(*each)[0] for each in ((70, 17, 0.4), (12, 18, 0.8), (90, 19, 0.8)))
    parameters = {"scoring": scoring, "centre": True, "temperature": 0.2}
    whole = of_kind(kind, **parameters).fit(D, query_bank=bank)
    if scoring != "cosine":  # hubness is measured by the bank of the fit, whatever comes later
        whole = of_kind(kind, **parameters).fit(D, query_bank=bank[:30])
        whole.partial_adapt(bank[30:])
    for ends in ([30, 31, 60, 90], [30, 90], [30, *range(40, 91, 10)]):
        parts = of_kind(kind, **parameters).fit(D, query_bank=bank[:30])
        for start, stop in pairwise(ends):
            assert parts.partial_adapt(bank[start:stop]) is parts
        assert_same(parts, whole, Q)
        assert parts.report_.n_bank == whole.report_.n_bank == 90


def test_adaptation_of_several_views():
    D, Q, bank = views_of(50, 20, 0.5), views_of(9, 21, 1.0), views_of(200, 22, 1.0)
    retriever = CrossLingualRetriever(BOTH, centre=True, scoring="csls")
    retriever.fit(D, query_bank=part_of(bank, slice(40)), ids=[f"d{i}" for i in range(50)])
    shares = [view.coefficient for view in retriever.report_.views]
    retriever.partial_adapt(part_of(bank, slice(40, 90))).partial_adapt(
        part_of(bank, slice(90, 200))
    )
    whole = [(unit(d), unit(q), unit(b)) for d, q, b in zip(D, Q, bank, strict=True)]
    means = [(mean_asked_for(d, b), b.mean(axis=0)) for d, _, b in whole]
    centred = [
        (d - d_mean, q - q_mean, b[:40] - q_mean)
        for (d, q, b), (d_mean, q_mean) in zip(whole, means, strict=True)
    ]
    d, q, b = (joined(views, shares) for views in zip(*centred, strict=True))
    right = reference("csls", q, d, b)
    distances, indices = retriever.kneighbors(Q, 7)
    assert_array_equal(indices, right.order[:, :7])
    assert_distances(distances, right.scores[:, :7], 8 * right.error[:, :7])
    assert retriever.ids_ == [f"d{i}" for i in range(50)]


def test_adaptation_that_is_refused_changes_nothing():
    D, Q, bank = views_of(40, 23), views_of(9, 24), views_of(30, 25)
    retriever = CrossLingualRetriever(BOTH, centre=True).fit(D, query_bank=bank)
    unknown = Q[1].copy()
    unknown[3, 2] = np.nan
    before, report = retriever.kneighbors(Q), retriever.report_
    for wrong, match in (
        ([Q[0], Q[1][:, :4]], "4 features, but the index has 5"),
        ([Q[0], unknown], "NaN"),
        (Q[0], "one array, and the retriever has 2 views"),
        (["text"], "are text"),
    ):
        with pytest.raises(ValueError, match=match):
            retriever.partial_adapt(wrong)
    assert retriever.report_ is report
    for now, then in zip(retriever.kneighbors(Q), before, strict=True):
        assert_array_equal(now, then)
    plain = CrossLingualRetriever(BOTH).fit(D)
    with pytest.raises(ValueError, match="No view is centred"):
        plain.partial_adapt(Q)


def test_removed_documents_stay_away_after_adaptation():
    D, Q, bank = views_of(40, 26, 0.5), views_of(9, 27, 1.0), views_of(80, 28, 1.0)
    changed = CrossLingualRetriever(BOTH, centre=True).fit(D, query_bank=part_of(bank, slice(30)))
    changed.remove([0, 7, 39]).partial_adapt(part_of(bank, slice(30, 80)))
    assert not {0, 7, 39} & {*changed.search(Q, 37)["id"]}
    changed.add(part_of(D, slice(3)))
    assert changed.ids_[-3:] == [40, 41, 42]


# Documents that come and go


@every_kind
@pytest.mark.parametrize("scoring", SCORINGS)
def test_what_was_added_and_removed_is_as_if_it_had_always_been_so(kind, scoring):
    D, Q, bank = views_of(200, 30), views_of(12, 31), views_of(50, 32)
    ids = np.array([f"doc-{i}" for i in range(200)])
    # An index is 200 documents at most, so that all are candidates. Equal views have equal spreads
    # in every part of the documents.
    D, Q, bank = ([views[0], views[0][:, ::-1].copy()] for views in (D, Q, bank))

    def fitted(rows):
        retriever = of_kind(kind, aligner=BOTH, scoring=scoring)
        return retriever.fit(part_of(D, rows), ids=ids[rows], query_bank=bank)

    retriever = fitted(np.arange(120))
    assert retriever.add(part_of(D, slice(120, 200)), ids=ids[120:]) is retriever
    assert_same(retriever, fitted(np.arange(200)), Q)
    kept = np.setdiff1d(np.arange(200), np.r_[0:40:2, 199, 100:130])
    gone = np.setdiff1d(np.arange(200), kept)
    assert retriever.remove(ids[gone]) is retriever
    assert_same(retriever, fitted(kept), Q)
    back = gone[::3]
    retriever.add(part_of(D, back), ids=ids[back]).remove(ids[kept[:10]])
    assert_same(retriever, fitted(np.r_[kept[10:], back]), Q)


@every_kind
@pytest.mark.parametrize("scoring", ["cosine", "query_bank", "csls"])
@pytest.mark.parametrize("adapted", [False, True])
def test_views_may_become_empty_and_fill_again(kind, scoring, adapted):
    D, Q, bank = views_of(40, 33), views_of(12, 34), views_of(60, 35)
    retriever = of_kind(kind, aligner=BOTH, scoring=scoring, centre=adapted)
    retriever.fit(D, query_bank=part_of(bank, slice(30)))
    expected = copy.deepcopy(retriever)
    retriever.remove(range(40))
    assert retriever.n_documents_ == 0
    with pytest.raises(ValueError, match="index is empty"):
        retriever.kneighbors(Q, 1)
    if adapted:
        with pytest.raises(ValueError, match="index is empty"):
            retriever.partial_adapt(part_of(bank, slice(30, 60)))
    ids = [f"d{i}" for i in range(40)]
    retriever.add(D, ids=ids)
    expected_ids = np.array(ids)[expected.kneighbors(Q, 5)[1]]
    assert_array_equal(found(retriever, Q)[1], expected_ids)


@every_kind
def test_refused_changes_leave_all_views_as_they_were(kind):
    D, Q = views_of(60, 36), views_of(12, 37)
    retriever = of_kind(kind, aligner=BOTH).fit(D, ids=[f"doc-{i}" for i in range(60)])
    before = found(retriever, Q)
    for ids in (["doc-3", "nobody"], "doc", [None]):
        with pytest.raises(KeyError, match="no document with the id"):
            retriever.remove(ids)
    two = part_of(Q, slice(2))
    endless = two[1].copy()
    endless[0, 0] = np.inf
    for new, ids, match in (
        (two, None, "identifiers of its own: pass ids="),
        (two, ["new", "doc-7"], "'doc-7' stands for two documents"),
        (two, ["new"], "1 ids for 2 documents"),
        ([two[0], two[1][:, :4]], ["a", "b"], "Documents have 4 features, but the index has 5"),
        ([two[0], two[1][:1]], ["a", "b"], "have 2, 1 rows in the views"),
        ([two[0]], ["a", "b"], "list of 1 arrays, and the retriever has 2 views"),
        ([two[0], endless], ["a", "b"], "infinity"),
        (two[0], ["a", "b"], "one array, and the retriever has 2 views"),
        (["text"], ["a"], "are text, and without an aligner"),
    ):
        with pytest.raises(ValueError, match=match):
            retriever.add(new, ids=ids)
    assert retriever.n_documents_ == 60
    for now, then in zip(found(retriever, Q), before, strict=True):
        assert_array_equal(now, then)
    assert [view.index.n_documents for view in retriever._state.views] == [60, 60]


# Text


def test_views_of_one_encoder_encode_every_text_once():
    encoder, system = ToyEncoder(), EnglishOnly()
    both = [
        aligner(encoder=encoder),
        aligner(encoder=encoder, method="procrustes"),
        aligner(encoder=encoder, english_encoder=system),
    ]
    retriever = CrossLingualRetriever(both, scoring="csls", n_neighbors=3, centre=True)
    documents = [f"document {letter}" for letter in "abcdefghij"]
    queries = [f"질의 {i}" for i in range(90)]
    retriever.fit(documents, parallel=PAIRS, query_bank=[*KOREAN[:50], *queries[:50]])
    assert sorted(encoder.calls) == sorted([*KOREAN, *ENGLISH, *documents, *queries[:50]])
    assert len(system.calls) == len({*system.calls})
    assert {*documents} <= {*system.calls}
    encoder.calls.clear(), system.calls.clear()
    retriever.kneighbors([queries[50], queries[51], queries[50]])
    assert encoder.calls == queries[50:52]
    assert not system.calls
    encoder.calls.clear()
    retriever.partial_adapt(queries[60:])
    assert sorted(encoder.calls) == queries[60:]
    encoder.calls.clear()
    retriever.add(["document one", "document two"])
    assert sorted(encoder.calls) == ["document one", "document two"]
    assert sorted(system.calls) == ["document one", "document two"]


def test_frozen_views_of_one_encoder_encode_every_text_once():
    encoder = ToyEncoder()
    both = [
        aligner(encoder=encoder, corpus=None, method=method).fit(PAIRS).freeze()
        for method in ("ridge", "procrustes")
    ]
    encoder.calls.clear()
    retriever = CrossLingualRetriever(both, n_neighbors=2).fit(ENGLISH[:40])
    assert sorted(encoder.calls) == sorted(ENGLISH[:40])
    encoder.calls.clear()
    retriever.search(KOREAN[:9])
    assert sorted(encoder.calls) == sorted(KOREAN[:9])


def test_views_of_several_languages():
    frame = pd.DataFrame({"ko": KOREAN, "ja": JAPANESE, "en": ENGLISH})
    both = [
        aligner(target_lang=["ko", "ja"], encoder=encoder, on_unknown="raise").fit(frame).freeze()
        for encoder in (ToyEncoder(), ToyEncoder(9))
    ]
    documents = [(KOREAN, JAPANESE, ENGLISH)[i % 3][i] for i in range(60)]
    for centre in (False, True):
        retriever = CrossLingualRetriever(both, n_neighbors=1, centre=centre)
        retriever.fit(documents)
        for queries in (ENGLISH, KOREAN, JAPANESE):
            indices = retriever.kneighbors(queries[:60], return_distance=False)[:, 0]
            assert np.mean(indices == np.arange(60)) > 0.9
        with pytest.raises(ValueError, match="Row 1 is written in the Cyrillic script"):
            retriever.kneighbors([KOREAN[0], "доброе утро"])
    rows = [one.estimator.encoder.encode(KOREAN[:3]) for one in both]
    with pytest.raises(ValueError, match="Embeddings carry no script"):
        retriever.kneighbors(rows)


def test_embeddings_of_views_with_aligners():
    both = [fitted_aligner(corpus=None), fitted_aligner(corpus=None, encoder=ToyEncoder(9))]
    frozen = [one.freeze() for one in both]
    texts = CrossLingualRetriever(frozen).fit(ENGLISH[:50])
    rows = CrossLingualRetriever(frozen).fit([one.encoder.encode(ENGLISH[:50]) for one in both])
    assert rows.documents_ is None
    queries = [one.encoder.encode(KOREAN[:20]) for one in both]
    expected = texts.kneighbors(KOREAN[:20])
    for retriever in (texts, rows):
        distances, indices = retriever.kneighbors(queries)
        assert_array_equal(indices, expected[1])
        assert_allclose(distances, expected[0], rtol=0, atol=8 * cosine_error(12))


@every_kind
@pytest.mark.parametrize("scoring", ["cosine", "query_bank"])
def test_pickle_and_deep_copy(kind, scoring):
    D, Q, bank = views_of(60, 38), views_of(12, 39), views_of(30, 40)
    retriever = of_kind(kind, aligner=BOTH, scoring=scoring, centre=True)
    retriever.fit(D, query_bank=bank).remove([0, 4])
    for twin in (pickle.loads(pickle.dumps(retriever)), copy.deepcopy(retriever)):
        assert_same(twin, retriever, Q)
        assert twin.report_ == retriever.report_
        before = found(retriever, Q)
        twin.partial_adapt(Q).remove([9]).add(part_of(D, slice(2)))
        for now, then in zip(found(retriever, Q), before, strict=True):
            assert_array_equal(now, then)
