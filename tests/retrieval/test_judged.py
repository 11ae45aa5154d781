"""Judged queries: weights of views and scoring that they choose, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from langalign_sk import CrossLingualRetriever
from langalign_sk.retrieval.backends import make_index
from langalign_sk.retrieval.build import EncodedView, build_view
from langalign_sk.retrieval.judged import Judged, weights_by_judgements
from tests.retrieval.references import unit
from tests.retrieval.toy import aligner
from tests.toy import ENGLISH, KOREAN, PAIRS, NeverEncode, ToyEncoder

BOTH = [None, None]


def views_of(noises, n=300, width=20, seed=0):
    """Documents and their queries in views of more or less noise."""
    rng = np.random.default_rng(seed)
    documents = [unit(rng.normal(size=(n, width))).astype(np.float32) for _ in noises]
    queries = [
        unit(rows + noise * rng.normal(size=rows.shape)).astype(np.float32)
        for rows, noise in zip(documents, noises, strict=True)
    ]
    return documents, queries


def built(documents):
    return [
        build_view(
            EncodedView("toy", None, rows, ["en"] * len(rows)),
            None,
            range(len(rows)),
            make_index("exact", None),
        )
        for rows in documents
    ]


def reciprocal_rank(documents, queries, weights, spreads):
    raw = np.array(weights) / spreads
    S = sum(c * unit(q) @ unit(d).T for c, q, d in zip(raw, queries, documents, strict=True))
    own = np.diag(S)[:, None]
    return 1 / (1 + (own < S).sum(axis=1))


def test_weights_favour_the_view_that_finds_more():
    documents, queries = views_of([0.2, 1.0])
    spreads = np.array([0.2, 0.25])
    judged = Judged(queries, np.arange(300))
    weights, reason = weights_by_judgements(built(documents), judged, spreads)
    assert weights[0] > weights[1]
    found = reciprocal_rank(documents, queries, weights, spreads).mean()
    equal = reciprocal_rank(documents, queries, [1, 1], spreads).mean()
    assert found > equal
    assert f"300 judged queries, whose mean reciprocal rank rises from {equal:.3f}" in reason
    assert reason.endswith(f"to {found:.3f}")
    swapped, _ = weights_by_judgements(
        built(documents[::-1]), Judged(queries[::-1], np.arange(300)), spreads[::-1]
    )
    assert swapped[0] < swapped[1]


def test_weights_stay_equal_where_judgements_do_not_tell():
    documents, queries = views_of([0.05, 0.05])
    for n, match in ((300, "do not gain by others"), (199, "199 judged queries are too few")):
        judged = Judged([rows[:n] for rows in queries], np.arange(n))
        weights, reason = weights_by_judgements(built(documents), judged, np.ones(2))
        assert weights.tolist() == [1, 1]
        assert match in reason


def test_a_fit_takes_the_weights_of_its_judgements():
    documents, queries = views_of([0.2, 1.0], seed=1)
    ids = [f"d{i}" for i in range(300)]
    fits = {}
    for weights in (None, [1, 1]):
        retriever = CrossLingualRetriever(BOTH, weights=weights)
        fits[weights is None] = retriever.fit(documents, ids=ids, judgements=(queries, ids))
    chosen = [view.weight for view in fits[True].report_.views]
    assert chosen[0] > chosen[1]
    assert "300 judged queries" in fits[True].report_.fusion
    assert [view.weight for view in fits[False].report_.views] == [1, 1]
    assert "weights as given" in fits[False].report_.fusion
    again = CrossLingualRetriever(BOTH, weights=chosen).fit(documents)
    assert_array_equal(again.kneighbors(queries)[1], fits[True].kneighbors(queries)[1])
    assert_allclose(again.kneighbors(queries)[0], fits[True].kneighbors(queries)[0], rtol=1e-6)


@pytest.mark.parametrize("views", [1, 2])
def test_judgements_choose_the_scoring(views):
    rng = np.random.default_rng(2)
    documents, queries = views_of([0.6] * views, seed=3)
    for rows in documents:
        rows[:20] = unit(rows[:20] + 4 * rows.mean(axis=0))
    bank = [unit(rows[rng.permutation(300)]).astype(np.float32) for rows in queries]
    X, Q, B = (rows if views == 2 else rows[0] for rows in (documents, queries, bank))
    chosen = CrossLingualRetriever([None] * views, scoring="auto")
    chosen.fit(X, query_bank=B, judgements=(Q, range(300)))
    recall = {}
    for scoring, found in chosen.report_.scores.items():
        weights = [view.weight for view in chosen.report_.views]
        retriever = CrossLingualRetriever([None] * views, scoring=scoring, weights=weights)
        retriever.fit(X, query_bank=B)
        recall[scoring] = np.mean(retriever.kneighbors(Q, 1)[1][:, 0] == np.arange(300))
        assert found == recall[scoring]
    assert sorted(recall) == ["cosine", "csls", "inverted_softmax", "margin", "query_bank"]
    assert recall[chosen.scoring_] >= recall["cosine"]
    assert chosen.report_.scoring == chosen.scoring_
    right = CrossLingualRetriever([None] * views, scoring=chosen.scoring_, weights=weights).fit(
        X, query_bank=B
    )
    assert_array_equal(chosen.kneighbors(Q)[1], right.kneighbors(Q)[1])


@pytest.mark.parametrize(
    ("judgements", "match"),
    [
        (["a", "b", "c"], r"two sequences, \(queries, ids\)"),
        ((["a"], [0, 1]), "1 queries and 2 ids"),
        ((["a"], ["nobody"]), r"name the document 'nobody'.*1 of 1 are unknown"),
        (([], []), "no judged queries"),
        ((np.ones((2, 12)), [0, 1]), "one array, and the retriever has 2 views"),
        ((["доброе утро"], [0]), "Cyrillic"),
    ],
    ids=range(6),
)
def test_refused_judgements(judgements, match):
    strict = {"encoder": NeverEncode(), "on_unknown": "raise"}
    both = [aligner(**strict), aligner(**strict, alpha=2.0)]
    with pytest.raises(ValueError, match=match):
        CrossLingualRetriever(both).fit(ENGLISH, parallel=PAIRS, judgements=judgements)


def test_judged_queries_of_text_are_encoded_once():
    encoder = ToyEncoder()
    both = [aligner(encoder=encoder), aligner(encoder=encoder, method="procrustes")]
    queries = [f"질의 {i}" for i in range(200)]
    retriever = CrossLingualRetriever(both, n_neighbors=1)
    retriever.fit(
        [f"document {i}" for i in range(200)], parallel=PAIRS, judgements=(queries, range(200))
    )
    assert len(encoder.calls) == len({*encoder.calls})
    assert {*queries, *KOREAN} <= {*encoder.calls}
