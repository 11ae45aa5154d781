"""Several views: what is refused, what fails, and data that leave nothing to compare."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from langalign_sk import CrossLingualRetriever
from tests.retrieval.references import cosine_error
from tests.retrieval.toy import KINDS, aligner, few, fitted_aligner, of_kind
from tests.toy import ENGLISH, KOREAN, PAIRS, NeverEncode, ToyEncoder

WIDTHS = 8, 5
BOTH = [None, None]


def views_of(n, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, width)) for width in WIDTHS]


def strict(**parameters):
    return aligner(encoder=NeverEncode(), **parameters)


def twice(**parameters):
    return CrossLingualRetriever(BOTH, **parameters)


class Failing(ToyEncoder):
    """Works until it is told to fail."""

    def __init__(self, width=9):
        super().__init__(width)
        self.down = False

    def encode(self, texts):
        if self.down:
            raise ConnectionError(f"endpoint of width {self.width} is down")
        return super().encode(texts)


class Constant:
    """One row for all English texts, and rows of their own for others."""

    def encode(self, texts):
        english = np.array([t.isascii() for t in texts])[:, None]
        return np.where(english, np.ones((1, 12)), ToyEncoder().encode(texts)).astype(np.float32)


# Refused


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"weights": [1]}, r"weights must be 2 numbers, one per view, .* got \[1\]"),
        ({"weights": [1, 2, 3]}, "weights must be 2 numbers"),
        ({"weights": [[1, 2]]}, "weights must be 2 numbers"),
        ({"weights": 2}, "weights must be 2 numbers"),
        ({"weights": [1, -1]}, "weights must be 2 numbers, one per view, at least 0"),
        ({"weights": [0, 0]}, "not all 0"),
        ({"weights": [1, np.nan]}, "weights contains NaN"),
        ({"weights": [1, np.inf]}, "weights contains infinity"),
        ({"weights": ["a", "b"]}, "could not convert string to float"),
        ({"fusion": "mean"}, "fusion must be one of"),
        ({"fusion": None}, "fusion must be one of"),
        ({"centre": "yes"}, "centre must be one of"),
        ({"centre": 1}, "centre must be one of"),
        ({"n_candidates": 0}, "n_candidates == 0"),
        ({"n_candidates": -3}, "n_candidates == -3"),
        ({"centre": True}, "neither pairs of text nor past queries.*query_bank="),
        ({"scoring": "csls"}, "pass fit.*query_bank="),
    ],
    ids=str,
)
def test_refused_parameters(parameters, match):
    retriever = twice(**parameters)
    with pytest.raises(ValueError, match=match):
        retriever.fit(views_of(9))
    assert not hasattr(retriever, "ids_")


@pytest.mark.parametrize("n_candidates", [2.5, "many"])
def test_number_of_candidates_of_another_type(n_candidates):
    with pytest.raises(TypeError, match="n_candidates must be an instance of int"):
        twice(n_candidates=n_candidates).fit(views_of(9))


@pytest.mark.parametrize(
    ("X", "match"),
    [
        ([views_of(9)[0], views_of(8)[1]], "The documents have 9, 8 rows in the views"),
        (views_of(9)[:1], "list of 1 arrays, and the retriever has 2 views"),
        ([*views_of(9), views_of(9)[0]], "list of 3 arrays, and the retriever has 2 views"),
        (views_of(9)[0], "one array, and the retriever has 2 views: pass text, or a list of one"),
        (np.zeros((2, 9, 8)), "one array, and the retriever has 2 views"),
        (["a text", "another"], "are text, and without an aligner"),
        ([np.empty((0, 8)), np.empty((0, 5))], "0 sample"),
        ([np.full((2, 8), np.nan), np.ones((2, 5))], "NaN"),
        ([np.ones((2, 8)), np.full((2, 5), np.inf)], "infinity"),
    ],
)
def test_refused_embeddings(X, match):
    retriever = twice()
    with pytest.raises(ValueError, match=match):
        retriever.fit(X)
    assert not hasattr(retriever, "ids_")
    if "text" not in match:
        retriever.fit(views_of(9), query_bank=views_of(30, 1))
        if "0 sample" in match:  # a batch of queries may be empty
            assert retriever.kneighbors(X, 4)[1].shape == (0, 4)
            return
        with pytest.raises(ValueError, match=match.replace("documents", "queries")):
            retriever.kneighbors(X, 1)
        with pytest.raises(ValueError, match=match.replace("documents", "queries of the bank")):
            retriever.fit(views_of(9), query_bank=X)


def test_sparse_embeddings_are_refused_as_such():
    with pytest.raises(TypeError, match="Sparse data was passed"):
        twice().fit([sparse.csr_matrix(np.eye(3))] * 2)


def test_views_that_cannot_be_one_retriever():
    with pytest.raises(ValueError, match="aligner is an empty list"):
        CrossLingualRetriever([]).fit(ENGLISH)
    with pytest.raises(ValueError, match="different languages: give all of them one target_lang"):
        CrossLingualRetriever([strict(), strict(target_lang="ja")]).fit(ENGLISH)
    with pytest.raises(TypeError, match=r"None or a list of them, got 'ko'"):
        CrossLingualRetriever([strict(), "ko"]).fit(ENGLISH)
    with pytest.raises(ValueError, match="are text, and without an aligner"):
        CrossLingualRetriever([strict(), None]).fit(ENGLISH)
    one = fitted_aligner().freeze()
    with pytest.raises(ValueError, match=r"fitted\.freeze\(\)"):
        CrossLingualRetriever([one, strict()]).fit([few(9, width=12)[0]] * 2)
    with pytest.raises(NotFittedError):
        CrossLingualRetriever([one, aligner().freeze()]).fit(ENGLISH)
    with pytest.raises(ValueError, match="parallel= is for an aligner that is fitted here"):
        CrossLingualRetriever([one, one]).fit(ENGLISH, parallel=PAIRS)


@pytest.mark.parametrize(
    ("parameters", "X", "fit", "match"),
    [
        ({}, ["a", None], {}, "row 1 is missing"),
        ({}, ["a", "b"], {"ids": [1]}, "1 ids for 2 documents"),
        ({}, ["a", "b"], {"ids": [1, 1]}, "stands for two documents"),
        ({}, ["a", "b"], {"query_bank": []}, "no queries of"),
        (
            {},
            ["a", "b"],
            {"query_bank": ["안녕", "доброе утро"]},
            "Row 1 is written in the Cyrillic",
        ),
        ({}, ["a", "добро"], {"parallel": PAIRS}, "Row 1 is written in the Cyrillic"),
        ({}, ["a", "b"], {"parallel": [("a",)]}, "pairs"),
        ({"weights": [1]}, ["a", "b"], {}, "weights must be 2 numbers"),
        ({"scoring": "margin"}, ["a", "b"], {}, "query_bank="),
        ({"centre": "no"}, ["a", "b"], {}, "centre must be"),
    ],
)
def test_everything_is_checked_before_a_text_is_encoded(parameters, X, fit, match):
    views = [strict(on_unknown="raise"), strict(on_unknown="raise", alpha=2.0)]
    with pytest.raises(ValueError, match=match):
        CrossLingualRetriever(views, **parameters).fit(X, **fit)


def test_the_plans_of_all_views_are_checked_before_the_first_encodes():
    views = [strict(), aligner(encoder=ToyEncoder(), method="nonsense")]
    with pytest.raises(ValueError, match="nonsense"):
        CrossLingualRetriever(views).fit(ENGLISH, parallel=PAIRS)


def test_a_bank_in_another_language_is_refused():
    both = [
        fitted_aligner(encoder=encoder, on_unknown="raise").freeze()
        for encoder in (ToyEncoder(), ToyEncoder(9))
    ]
    retriever = CrossLingualRetriever(both, scoring="csls", centre=True)
    retriever.fit(ENGLISH, query_bank=KOREAN)
    before = retriever.kneighbors(KOREAN)
    for call in (
        lambda bank: retriever.fit(ENGLISH, query_bank=bank),
        retriever.partial_adapt,
        retriever.kneighbors,
    ):
        with pytest.raises(ValueError, match="Row 1 is written in the Cyrillic script"):
            call([KOREAN[0], "доброе утро", KOREAN[1]])
    for now, then in zip(retriever.kneighbors(KOREAN), before, strict=True):
        assert_array_equal(now, then)


def test_unfitted():
    for retriever in (CrossLingualRetriever(), twice(centre=True)):
        for call in (retriever.partial_adapt, retriever.kneighbors, retriever.add):
            with pytest.raises(NotFittedError):
                call(np.eye(3))


# Failures


def two_encoders():
    encoders = Failing(12), Failing(9)
    both = [fitted_aligner(encoder=one, corpus=None).freeze() for one in encoders]
    return encoders, both


@pytest.mark.parametrize("parameters", [{}, {"fusion": "rank"}, {"scoring": "csls"}], ids=str)
@pytest.mark.parametrize("down", [0, 1])
def test_views_that_answer_answer_alone(down, parameters):
    encoders, both = two_encoders()
    retriever = CrossLingualRetriever(both, n_neighbors=3, **parameters)
    retriever.fit(ENGLISH, query_bank=KOREAN[100:])
    other = CrossLingualRetriever(both[1 - down], n_neighbors=3).fit(ENGLISH)
    expected = other.kneighbors(KOREAN[:20])
    encoders[down].down = True
    match = (
        rf"view 'Failing' does not answer \(ConnectionError: endpoint of width {(12, 9)[down]} is"
    )
    with pytest.warns(UserWarning, match=match):
        distances, indices = retriever.kneighbors(KOREAN[:20])
    if "scoring" in parameters:  # the correction is by the hubness of both
        assert np.mean(indices[:, 0] == expected[1][:, 0]) > 0.9
    else:
        assert_array_equal(indices, expected[1])
    if not parameters:
        assert_allclose(distances, expected[0], rtol=0, atol=4 * cosine_error(12))
    with pytest.warns(UserWarning, match=match):
        assert len(retriever.search(KOREAN[:2])) == 6
    encoders[down].down = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        retriever.kneighbors(KOREAN[:20])


def test_all_views_that_fail_raise_the_error_of_the_first():
    encoders, both = two_encoders()
    retriever = CrossLingualRetriever(both).fit(ENGLISH)
    for encoder in encoders:
        encoder.down = True
    with pytest.raises(ConnectionError, match="endpoint of width 12 is down"):
        retriever.kneighbors(KOREAN[:3])
    alone = CrossLingualRetriever(both, weights=[0, 1])
    encoders[0].down = encoders[1].down = False
    alone.fit(ENGLISH)
    encoders[0].down = True  # a view of weight 0 is not asked
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alone.kneighbors(KOREAN[:3])
    encoders[1].down = True
    with pytest.raises(ConnectionError, match="endpoint of width 9 is down"):
        alone.kneighbors(KOREAN[:3])


def test_one_view_that_fails_raises_its_error():
    encoders, both = two_encoders()
    retriever = CrossLingualRetriever(both[:1]).fit(ENGLISH)
    encoders[0].down = True
    with pytest.raises(ConnectionError):
        retriever.kneighbors(KOREAN[:3])


def test_failures_of_encoders_leave_the_fit_as_it_was():
    encoders, both = two_encoders()
    retriever = CrossLingualRetriever(both, centre=True, n_neighbors=3)
    retriever.fit(ENGLISH[:100], query_bank=KOREAN[:50])
    before, report = retriever.kneighbors(KOREAN), retriever.report_
    for encoder in encoders:
        encoder.down = True
        for call in (
            lambda: retriever.fit(ENGLISH, query_bank=KOREAN),
            lambda: retriever.add(ENGLISH[100:]),
            lambda: retriever.partial_adapt(KOREAN[50:]),
        ):
            with pytest.raises(ConnectionError):
                call()
        encoder.down = False
    assert retriever.report_ is report
    assert retriever.documents_ == ENGLISH[:100]
    assert retriever.ids_ == list(range(100))
    for now, then in zip(retriever.kneighbors(KOREAN), before, strict=True):
        assert_array_equal(now, then)


# Nothing to compare


def test_a_view_of_constant_scores_is_left_out():
    D, Q = views_of(40), views_of(9, 1)
    D[1] = np.tile(D[1][:1], (40, 1))
    for fusion in ("sum", "rank"):
        retriever = twice(fusion=fusion)
        with pytest.warns(UserWarning, match="'embeddings 1' gives all documents the same score"):
            retriever.fit(D)
        assert retriever._state.fusion.coefficients.tolist() == [1, 0]
        expected = CrossLingualRetriever().fit(D[0]).kneighbors(Q[0])[1]
        assert_array_equal(retriever.kneighbors(Q)[1], expected)
    retriever = twice(weights=[1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nobody asked for this view
        retriever.fit(D)


def test_an_encoder_of_constant_rows_is_left_out():
    pairs = PAIRS[:100]
    good = fitted_aligner(pairs, corpus=None).freeze()
    constant = aligner(encoder=Constant(), corpus=None, method="identity", alpha="auto")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        constant = constant.fit(KOREAN[:100]).freeze()
    retriever = CrossLingualRetriever([constant, good], n_neighbors=4)
    with pytest.warns(UserWarning, match="'Constant' gives all documents the same score"):
        retriever.fit(ENGLISH)
    expected = CrossLingualRetriever(good, n_neighbors=4).fit(ENGLISH).kneighbors(KOREAN[:30])
    assert_array_equal(retriever.kneighbors(KOREAN[:30])[1], expected[1])


@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("fusion", ["sum", "rank"])
def test_ten_thousand_identical_documents(fusion, centre):
    D, Q = views_of(1), views_of(30, 1)
    same = [np.tile(rows, (10_000, 1)) for rows in D]
    retriever = twice(fusion=fusion, centre=centre).fit(same, query_bank=Q)
    distances, indices = retriever.kneighbors(Q, 5)
    assert np.isfinite(distances).all()
    assert all(len({*row}) == 5 for row in indices.tolist())
    if fusion == "sum":  # which ranks equal documents get depends on the rounding of each view
        assert_allclose(np.ptp(distances, axis=1), 0, rtol=0, atol=4 * cosine_error(13))
    assert retriever.remove(range(9_999)).kneighbors(Q, 1)[1].tolist() == [[0]] * 30


def test_many_identical_documents_beside_others():
    D, Q = views_of(300), views_of(9, 1)
    for rows in D:
        rows[:290] = rows[0]
    retriever = twice(centre=True).fit(D, query_bank=views_of(50, 2))
    for query in range(290, 300):
        found = retriever.kneighbors([rows[[query]] for rows in D], 1)[1]
        assert found.shape == (1, 1)
    assert np.isfinite(retriever.kneighbors(Q, 300)[0]).all()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cells"])  # of 4 rows or more
@pytest.mark.parametrize("scoring", ["cosine", "csls", "query_bank"])
@pytest.mark.parametrize("centre", [False, True])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_documents_and_one_query(kind, scoring, centre, n):
    D, bank = views_of(n), views_of(5, 1)
    retriever = of_kind(kind, aligner=BOTH, scoring=scoring, centre=centre)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        retriever.fit(D, query_bank=bank)
        distances, indices = retriever.kneighbors([rows[:1] for rows in bank], n)
    assert np.isfinite(distances).all()
    assert sorted(indices[0].tolist()) == list(range(n))
    retriever.add(views_of(4, 2))
    assert retriever.kneighbors(views_of(4, 2), 1)[1].shape == (4, 1)


def test_a_bank_of_one_query():
    D, Q = views_of(30), views_of(1, 1)
    for centre in (False, True):
        retriever = twice(scoring="csls", centre=centre).fit(D, query_bank=Q)
        assert np.isfinite(retriever.kneighbors(Q, 30)[0]).all()


@pytest.mark.parametrize("corpus", [None, "starter"])
@pytest.mark.parametrize("views", [1, 2])
def test_a_bank_of_english_alone(corpus, views):
    both = [aligner(corpus=corpus), aligner(corpus=corpus, encoder=ToyEncoder(9))][:views]
    for centre in ("auto", True, False):
        retriever = CrossLingualRetriever(both, centre=centre, n_neighbors=2)
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            warnings.simplefilter("ignore", UserWarning)
            retriever.fit(ENGLISH[:40], query_bank=ENGLISH[100:])
            for queries in (KOREAN[:5], ENGLISH[:5]):
                assert np.isfinite(retriever.kneighbors(queries)[0]).all()
        assert np.mean(retriever.kneighbors(ENGLISH[:40])[1][:, 0] == np.arange(40)) == 1


# As an estimator


def test_clone_parameters_and_representation():
    frozen = fitted_aligner().freeze()
    retriever = CrossLingualRetriever(
        [aligner(), frozen, None], weights=[1, 2, 3], fusion="rank", centre=True, n_candidates=7
    )
    twin = clone(retriever)
    assert twin is not retriever
    assert isinstance(twin.aligner, list)
    assert twin.aligner[0] is not retriever.aligner[0]
    assert twin.aligner[0].get_params() == retriever.aligner[0].get_params()
    assert twin.aligner[1].estimator is frozen.estimator  # frozen ones stay fitted
    assert twin.aligner[2] is None
    parameters = retriever.get_params(deep=False)
    assert {name: twin.get_params()[name] for name in ("weights", "fusion", "centre")} == {
        name: parameters[name] for name in ("weights", "fusion", "centre")
    }
    assert twin.set_params(fusion="sum", aligner=[None, None]).get_params()["fusion"] == "sum"
    for text in (repr(retriever), repr(twin), retriever._repr_html_()):
        assert "CrossLingualRetriever" in text
    assert "n_candidates=7" in repr(retriever)


def test_a_clone_is_fitted_alike():
    D, Q = views_of(40), views_of(9, 1)
    retriever = twice(weights=[2, 1], centre=True).fit(D, query_bank=Q)
    twin = clone(retriever)
    assert not hasattr(twin, "ids_")
    for now, then in zip(
        twin.fit(D, query_bank=Q).kneighbors(Q), retriever.kneighbors(Q), strict=True
    ):
        assert_array_equal(now, then)


def test_output_of_aligners_may_be_frames():
    pytest.importorskip("pandas")
    plain = [fitted_aligner(corpus=None), fitted_aligner(corpus=None, encoder=ToyEncoder(9))]
    rows = [one.encoder.encode(KOREAN[:20]) for one in plain]
    documents = [one.encoder.encode(ENGLISH) for one in plain]
    right = CrossLingualRetriever([one.freeze() for one in plain]).fit(documents).kneighbors(rows)
    framed = [one.set_output(transform="pandas").freeze() for one in plain]
    with sklearn.config_context(transform_output="pandas"):
        found = CrossLingualRetriever(framed).fit(documents).kneighbors(rows)
        texts = CrossLingualRetriever(framed).fit(ENGLISH).kneighbors(KOREAN[:20])
    for distances, indices in (found, texts):
        assert isinstance(distances, np.ndarray)
        assert_array_equal(indices, right[1])
        assert_allclose(distances, right[0], rtol=0, atol=8 * cosine_error(12))


def test_metadata_routing():
    D, Q = views_of(40), views_of(9, 1)
    expected = twice(scoring="csls").fit(D, query_bank=Q).kneighbors(Q)
    with sklearn.config_context(enable_metadata_routing=True):
        retriever = twice(scoring="csls").set_fit_request(query_bank=True, ids=True)
        assert retriever.get_metadata_routing().fit.requests["query_bank"] is True
        found = clone(retriever).fit(D, query_bank=Q).kneighbors(Q)
    for now, then in zip(found, expected, strict=True):
        assert_array_equal(now, then)


def test_state_holds_all_that_a_search_needs():
    encoders, both = two_encoders()
    retriever = CrossLingualRetriever(both, scoring="csls", centre=True, n_neighbors=3)
    retriever.fit(ENGLISH, query_bank=KOREAN[100:])
    twin = pickle.loads(pickle.dumps(retriever))
    for now, then in zip(twin.kneighbors(KOREAN), retriever.kneighbors(KOREAN), strict=True):
        assert_array_equal(now, then)
    twin.partial_adapt(KOREAN[:50])
    retriever.partial_adapt(KOREAN[:50])
    for now, then in zip(twin.kneighbors(KOREAN), retriever.kneighbors(KOREAN), strict=True):
        assert_array_equal(now, then)
    assert encoders[0].calls


def test_the_corpus_of_a_frozen_aligner_may_be_gone(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("\n".join(f"{en}\t{ko}" for ko, en in PAIRS), encoding="utf-8")
    both = [
        aligner(corpus=path, encoder=encoder).fit(ENGLISH).freeze()
        for encoder in (ToyEncoder(), ToyEncoder(9))
    ]
    there = CrossLingualRetriever(both, centre=True).fit(ENGLISH)
    assert [view.centred for view in there.report_.views] == [True, True]
    path.unlink()
    assert CrossLingualRetriever(both[0]).fit(ENGLISH).n_documents_ == 200
    gone = CrossLingualRetriever(both).fit(ENGLISH)
    assert [view.centred for view in gone.report_.views] == [False, False]
    with pytest.raises(ValueError, match="neither pairs of text nor past queries"):
        CrossLingualRetriever(both, centre=True).fit(ENGLISH)
