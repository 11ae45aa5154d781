"""Parameters of a CrossLingualRetriever that were passed and have no effect."""

from __future__ import annotations

import numpy as np
import pytest

from langalign_sk import CrossLingualRetriever
from tests.idle import said
from tests.retrieval.toy import few

D, Q = few(40, 300)


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({"hub_neighbors": 5}, "hub_neighbors has"),
        ({"temperature": 0.1}, "temperature has"),
        ({"scoring": "csls", "temperature": 0.1}, "temperature has"),
        ({"scoring": "query_bank", "hub_neighbors": 5}, "hub_neighbors has"),
        ({"scoring": "auto", "temperature": 0.1}, "temperature has"),
        ({"fusion": "rank"}, "fusion has"),
        (
            {"fusion": "sum", "weights": [1.0], "n_candidates": 20},
            "fusion, weights and n_candidates have",
        ),
    ],
)
def test_what_has_no_effect(parameters, names):
    retriever = CrossLingualRetriever(**parameters)
    (message,) = said(lambda: retriever.fit(D, query_bank=Q))
    assert message.startswith(f"{names} no effect here: ")
    plain = CrossLingualRetriever(scoring=retriever.scoring).fit(D, query_bank=Q)
    for one, other in zip(retriever.kneighbors(Q), plain.kneighbors(Q), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not said(lambda: retriever.fit(D, query_bank=Q))


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"scoring": "csls", "hub_neighbors": 5},
        {"scoring": "auto", "hub_neighbors": 5},
        {"scoring": "inverted_softmax", "temperature": 0.1},
        {"n_neighbors": 3, "centre": True},
    ],
    ids=lambda parameters: ", ".join(parameters) or "defaults",
)
def test_what_has_an_effect(parameters):
    assert not said(lambda: CrossLingualRetriever(**parameters).fit(D, query_bank=Q))


def test_several_views_are_fused():
    retriever = CrossLingualRetriever([None, None], weights=[1, 2], fusion="rank", n_candidates=20)
    assert not said(lambda: retriever.fit([D, D[:, ::-1]]))
