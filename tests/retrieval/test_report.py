"""SearchReport: what it says of views, centring, scoring and fusion."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from langalign_sk import CrossLingualRetriever
from langalign_sk.retrieval.report import SearchReport, SearchViewReport
from tests.retrieval.references import unit
from tests.retrieval.toy import aligner
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder


def views_of(n, seed=0, widths=(8, 5)):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(n, width)) for width in widths]


def test_report_of_one_view():
    report = CrossLingualRetriever().fit(views_of(9)[0]).report_
    assert str(report).splitlines() == [
        "embeddings 0: 8 features, not centred (a view alone)",
        "scoring: cosine (as given)",
    ]
    assert report.fusion == ""
    assert report.n_bank == 0
    assert report.scores == {}
    assert report.views == (SearchViewReport("embeddings 0", 8, False, "a view alone"),)


def test_report_of_several_views():
    D = views_of(60)
    report = CrossLingualRetriever([None, None], weights=[1, 3]).fit(D).report_
    spreads = [np.std(unit(rows)[::2] @ unit(rows)[1::2].T) for rows in D]
    raw = np.array([1, 3]) / spreads
    assert [view.weight for view in report.views] == [1, 3]
    assert_allclose([view.spread for view in report.views], spreads, rtol=1e-5)
    assert_allclose([view.coefficient for view in report.views], raw / raw.sum(), rtol=1e-5)
    assert [view.n_features for view in report.views] == [8, 5]
    assert "weights as given" in report.fusion
    lines = str(report).splitlines()
    assert f"weight 3, spread {spreads[1]:.3f}, coefficient {raw[1] / raw.sum():.3f}" in lines[1]
    assert lines[2:] == ["scoring: cosine (as given)", f"fusion: {report.fusion}"]


@pytest.mark.parametrize("fusion", ["sum", "rank"])
def test_report_says_how_views_are_fused(fusion):
    retriever = CrossLingualRetriever([None, None], fusion=fusion).fit(views_of(30))
    assert "equal weights" in retriever.report_.fusion
    assert ("reciprocal ranks" in retriever.report_.fusion) == (fusion == "rank")


def test_report_of_banks_that_grow():
    D, bank = views_of(40), views_of(70, 1)
    retriever = CrossLingualRetriever([None, None], centre=True, scoring="csls")
    retriever.fit(D, query_bank=bank)
    report = retriever.report_
    assert [(view.centred, view.centring) for view in report.views] == [(True, "as asked")] * 2
    assert report.n_bank == 70
    retriever.partial_adapt(views_of(1_000, 2))
    assert report.n_bank == 70  # reports do not change
    assert retriever.report_.n_bank == 1_070
    assert str(retriever.report_).endswith("bank: 1,070 queries")
    assert str(retriever.report_).splitlines()[2] == "scoring: csls (as given)"


def test_report_of_views_of_text():
    both = [aligner(), aligner(encoder=ToyEncoder(9, shift=9.0))]
    retriever = CrossLingualRetriever(both, n_neighbors=3).fit(ENGLISH, parallel=PAIRS)
    assert [view.view for view in retriever.report_.views] == ["ToyEncoder", "ToyEncoder"]
    assert [view.n_features for view in retriever.report_.views] == [12, 9]
    assert all("norm" in view.centring for view in retriever.report_.views)
    off = CrossLingualRetriever(both, centre=False, n_neighbors=3).fit(ENGLISH, parallel=PAIRS)
    assert [(view.centred, view.centring) for view in off.report_.views] == [
        (False, "as asked"),
        (False, "as asked"),
    ]
    assert off.kneighbors(KOREAN[:3])[1].shape == (3, 3)


def test_report_as_a_table():
    table = CrossLingualRetriever([None, None]).fit(views_of(30)).report_.to_frame()
    assert table.columns.tolist() == [
        "view",
        "n_features",
        "centred",
        "centring",
        "spread",
        "weight",
        "coefficient",
    ]
    assert table["view"].tolist() == ["embeddings 0", "embeddings 1"]
    assert_allclose(table["coefficient"].sum(), 1, rtol=1e-12)
    alone = CrossLingualRetriever().fit(views_of(30)[0]).report_.to_frame()
    assert alone.shape == (1, 7)
    assert alone["coefficient"].tolist() == [1]


def test_scores_that_were_compared():
    view = SearchViewReport("toy", 3, False, "a view alone")
    scores = {"cosine": 0.5, "csls": 0.625}
    report = SearchReport((view,), "csls", "labelled queries", scores, n_bank=1)
    assert str(report).splitlines()[1:] == [
        "scoring: csls (labelled queries)",
        "    cosine 0.500, csls 0.625",
        "bank: 1 queries",
    ]
