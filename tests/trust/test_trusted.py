"""Fits that are trusted and fits that are not, with the default encoder."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner
from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.trust import AlignmentWarning

ENGLISH = [str(text) for text in load_service_requests(language="en", return_X_y=True)[0]]
CORPUS = load_starter_corpus("ko")
TARGET, SOURCE = list(CORPUS.target[:200]), list(CORPUS.source[:200])
SYSTEMS = {
    "TF-IDF of words": TfidfVectorizer(),
    "TF-IDF of letters": TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3), max_features=300),
    "TF-IDF and SVD": make_pipeline(TfidfVectorizer(), TruncatedSVD(50, random_state=0)),
    "hashed words": HashingVectorizer(n_features=256),
}


def fitted(pairs=None, **parameters):
    given = {"method": "ridge", "alpha": 10.0, "random_state": 0}
    aligner = CrossLingualAligner("ko", **given | parameters)
    return aligner.fit(ENGLISH) if pairs is None else aligner.fit(ENGLISH[:20], parallel=pairs)


def rows_moved(n, share=0.0):
    """Places of n rows, of which a share has changed places."""
    rows, some = np.arange(n), np.random.default_rng(0).permutation(n)[: int(share * n)]
    rows[some] = rows[np.roll(some, 1)]
    return rows


@pytest.mark.parametrize("name", SYSTEMS)
def test_bridge_into_sparse_vectors_is_trusted(name):
    system = SYSTEMS[name].fit(ENGLISH)
    with warnings.catch_warnings():
        warnings.simplefilter("error", AlignmentWarning)
        report = fitted(english_encoder=system, corpus=None).alignment_report_
    assert report.trusted
    assert "do not use" not in str(report)
    (bridge,) = report.evaluations
    assert bridge.agreement_p_value == 0.001
    assert report.to_frame().score_agreement.tolist() == [bridge.score_agreement]


class AnotherOrder:
    """English encoder that returns its rows in another order."""

    def __init__(self, system):
        self.system = system

    def encode(self, texts):
        rows = self.system.transform(texts).toarray().astype(np.float32)
        return rows[np.random.default_rng(0).permutation(len(texts))]


def test_bridge_into_rows_of_other_texts_is_not_trusted():
    system = AnotherOrder(TfidfVectorizer().fit(ENGLISH))
    with pytest.warns(AlignmentWarning, match="one row a text, in the order of the texts"):
        report = fitted(english_encoder=system, corpus=None).alignment_report_
    assert not report.trusted


def test_sound_pairs_are_trusted():
    with warnings.catch_warnings():
        warnings.simplefilter("error", AlignmentWarning)
        report = fitted((TARGET, SOURCE)).alignment_report_
    assert report.trusted
    (evaluation,) = report.evaluations
    assert evaluation.mismatched_share < 0.01
    assert evaluation.suspect_pairs == ()
    assert evaluation.shifted_pairs is None


def test_tenth_of_the_pairs_mismatched_is_said_with_the_rows():
    rows = rows_moved(200, 0.1)
    with pytest.warns(AlignmentWarning, match="held-out pairs of 'ko' are mismatched"):
        report = fitted((TARGET, [SOURCE[i] for i in rows])).alignment_report_
    assert not report.trusted
    (evaluation,) = report.evaluations
    wrong = {*np.flatnonzero(rows != np.arange(200)).tolist()}
    # 20 mismatched pairs: four standard errors of a binomial share.
    assert evaluation.mismatched_share == pytest.approx(0.1, abs=4 * np.sqrt(0.1 / 200))
    assert len(evaluation.suspect_pairs) == 10
    assert {*evaluation.suspect_pairs} <= wrong
    assert ", ".join(map(str, evaluation.suspect_pairs)) in str(report)


ENGLISH_TOO = "not written in the script of 'ko'"
SABOTAGED = {
    "shuffled": (TARGET, [SOURCE[i] for i in rows_moved(200, 1.0)], "no more than for shuffled"),
    "a third mismatched": (TARGET, [SOURCE[i] for i in rows_moved(200, 0.3)], "mismatched"),
    "shifted by a row": (TARGET, [*SOURCE[1:], SOURCE[0]], "suit the English ones 1 row before"),
    "a line lost in the middle": (
        TARGET[:199],
        [*SOURCE[:80], *SOURCE[81:]],
        "Rows 8[01] to 198 of the pairs of 'ko' are shifted",
    ),
    "a line doubled in the middle": (
        TARGET,
        [*SOURCE[:80], *SOURCE[79:199]],
        "suit the English ones 1 row after",
    ),
    "every third English sentence repeats the one before": (
        TARGET,
        [SOURCE[i - (i % 3 == 2)] for i in range(200)],
        "held-out pairs of 'ko' repeat a sentence of another pair",
    ),
    "Japanese pairs": (list(load_starter_corpus("ja").target[:200]), SOURCE, ENGLISH_TOO),
    "English on both sides": (SOURCE, SOURCE, ENGLISH_TOO),
    "a third swapped": (
        [*SOURCE[:66], *TARGET[66:]],
        [*TARGET[:66], *SOURCE[66:]],
        ENGLISH_TOO,
    ),
    "cut sentences": ([text[:13] for text in TARGET], SOURCE, "is cut"),
}


@pytest.mark.parametrize("name", SABOTAGED)
def test_sabotaged_pairs_are_warned_of(name):
    target, english, said = SABOTAGED[name]
    with pytest.warns(AlignmentWarning, match=said):
        report = fitted((target, english)).alignment_report_
    assert not report.trusted
    assert any(warning in str(report) for warning in report.warnings)


def test_few_shifted_rows_of_many_are_a_note_and_no_fault():
    corpus = load_starter_corpus("ko")
    english = list(corpus.source)
    english[300:307] = [*english[301:307], english[300]]
    with warnings.catch_warnings():
        warnings.simplefilter("error", AlignmentWarning)
        report = fitted((list(corpus.target), english)).alignment_report_
    assert report.trusted
    (evaluation,) = report.evaluations
    first, last, offset = evaluation.shifted_pairs
    assert offset == -1
    assert 299 <= first < last <= 307
    assert [w for w in report.warnings if "are shifted" in w]


def test_embeddings_are_judged_as_text_is():
    aligner = CrossLingualAligner("ko", method="ridge", alpha=10.0, random_state=0)
    encoder = CrossLingualAligner("ko", corpus=None, method="identity").fit(ENGLISH)
    X, Y = encoder.transform(TARGET), encoder.transform(SOURCE)
    assert aligner.fit(X, Y).alignment_report_.trusted
    with pytest.warns(AlignmentWarning, match="mismatched"):
        aligner.fit(X, Y[rows_moved(200, 0.3)])
