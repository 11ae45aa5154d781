"""Tests of SentenceEncoder inside pipelines, searches and aligners."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline

from langalign_sk import CrossLingualAligner, SentenceEncoder
from langalign_sk.datasets import load_service_requests, load_starter_corpus
from langalign_sk.encoders import MemoryCache
from tests.encoders.toy import LABELS, PAIRS, TEXTS, aligner, assert_rows_close
from tests.toy import ENGLISH


def test_pipeline_before_a_classifier(tiny, mean_rows):
    pipe = make_pipeline(SentenceEncoder(str(tiny)), LogisticRegression(C=100)).fit(TEXTS, LABELS)
    head = LogisticRegression(C=100).fit(mean_rows(TEXTS), LABELS)
    new = ["the rain", "a cat", "dog"]
    np.testing.assert_allclose(
        pipe.predict_proba(new), head.predict_proba(mean_rows(new)), atol=1e-4
    )
    assert pipe[:-1].get_feature_names_out().tolist()[-1] == "sentenceencoder15"
    again = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(again.predict_proba(new), pipe.predict_proba(new))


@pytest.mark.parametrize("column", ["text", ["text"]])
@pytest.mark.parametrize("library", [pd, pl])
def test_column_transformer(tiny, mean_rows, column, library):
    frame = library.DataFrame({"n": [1.0, 2, 3, 4, 5], "text": TEXTS})
    parts = [("rows", SentenceEncoder(str(tiny)), column), ("n", "passthrough", ["n"])]
    transformer = ColumnTransformer(parts)
    expected = np.column_stack([mean_rows(TEXTS), [1, 2, 3, 4, 5]])
    assert_rows_close(transformer.fit_transform(frame), expected)
    assert_rows_close(transformer.transform(frame), expected)
    names = transformer.get_feature_names_out().tolist()
    assert (names[0], names[-1], len(names)) == ("rows__sentenceencoder0", "n__n", 17)


def test_feature_union(tiny, mean_rows):
    parts = [
        ("bare", SentenceEncoder(str(tiny))),
        ("the", SentenceEncoder(str(tiny), prompt="the ")),
    ]
    rows = FeatureUnion(parts).fit_transform(TEXTS)
    expected = np.hstack([mean_rows(TEXTS), mean_rows([f"the {text}" for text in TEXTS])])
    assert_rows_close(rows, expected)


def test_grid_search_over_the_prompt(tiny, mean_rows):
    texts, y = ENGLISH[:30], np.arange(30) % 2
    prompts = [None, "the cat ", "rain "]
    pipe = make_pipeline(SentenceEncoder(str(tiny)), LogisticRegression(tol=1e-8))
    search = GridSearchCV(
        pipe,
        {"sentenceencoder__prompt": prompts},
        cv=3,
        scoring="neg_log_loss",
        error_score="raise",
    ).fit(texts, y)
    expected = [
        cross_val_score(
            LogisticRegression(tol=1e-8),
            mean_rows([(prompt or "") + text for text in texts]),
            y,
            cv=3,
            scoring="neg_log_loss",
        ).mean()
        for prompt in prompts
    ]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=1e-3)
    assert search.best_params_["sentenceencoder__prompt"] == prompts[np.argmax(expected)]
    assert pipe[0].prompt is None


def test_clone_of_an_aligner_has_handles_of_its_own(tiny):
    first = aligner(SentenceEncoder(str(tiny)), english_encoder=SentenceEncoder("minilm-english"))
    twin = clone(first)
    assert twin.encoder == first.encoder
    assert twin.encoder is not first.encoder
    twin.set_params(encoder__prompt="the ", english_encoder__normalize=True)
    assert (first.encoder.prompt, first.english_encoder.normalize) == (None, False)
    assert (twin.encoder.prompt, twin.english_encoder.normalize) == ("the ", True)


def test_clone_of_an_aligner_that_uses_one_handle_twice(tiny):
    encoder = SentenceEncoder(str(tiny))
    twin = clone(aligner(encoder, english_encoder=encoder))
    assert twin.encoder is not twin.english_encoder
    assert twin.fit(PAIRS).bridge_map_ is None  # one encoder needs no bridge to itself


def test_grid_search_over_the_prompt_of_an_aligner(tiny):
    prompts = [None, "the ", "문장 번호 sat a"]
    first = aligner(SentenceEncoder(str(tiny)), method="identity")
    grid, cv = {"encoder__prompt": prompts}, KFold(2)
    search = GridSearchCV(first, grid, cv=cv, error_score="raise").fit(PAIRS)

    def score(prompt, train, test):
        with_prompt = aligner(SentenceEncoder(str(tiny), prompt=prompt), method="identity")
        return with_prompt.fit([PAIRS[i] for i in train]).score([PAIRS[i] for i in test])

    expected = [np.mean([score(p, *split) for split in cv.split(PAIRS)]) for p in prompts]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, atol=1e-6)
    assert len(set(expected)) > 1
    assert first.encoder.prompt is None


@pytest.fixture(scope="module")
def e5(e5_folder):
    return SentenceEncoder(str(e5_folder), prompt="query: ", cache=MemoryCache())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The bridge .* has only 80 distinct English rows")
def test_bridge_from_e5_to_minilm_finds_translations(e5):
    corpus = load_starter_corpus()
    learned, unseen = corpus["en"][::8], corpus[4::16]
    bridge = CrossLingualAligner("ko", encoder=e5, english_encoder="minilm-english", corpus=None)
    bridge.set_params(random_state=0).fit(learned.tolist())
    korean = bridge.transform(unseen["ko"])
    english = SentenceEncoder("minilm-english").encode(unseen["en"])
    assert_rows_close(bridge.transform(unseen["en"]), english)
    korean = korean / np.linalg.norm(korean, axis=1, keepdims=True)
    found = (korean @ english.T).argmax(axis=1)
    assert len(unseen) == 40
    assert (found == np.arange(40)).mean() > 0.5


@pytest.mark.slow
def test_english_head_on_e5_answers_korean_requests(e5):
    pipe = make_pipeline(e5, LogisticRegression(C=100, max_iter=2000))
    pipe.fit(*load_service_requests(return_X_y=True))
    test = load_service_requests(language="ko", subset="test", return_X_y=True)
    assert pipe.score(*test) > 0.6  # of 12 intents
