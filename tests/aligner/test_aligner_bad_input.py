"""Bad input to CrossLingualAligner: a clear error, before anything is encoded."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer

from langalign_sk import CrossLingualAligner, ParallelCorpus
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, NeverEncode, ToyEncoder


def strict(**parameters):
    """An aligner whose encoder fails the test when it is asked for anything."""
    return CrossLingualAligner(**{"encoder": NeverEncode(), "random_state": 0} | parameters)


@pytest.mark.parametrize(
    ("X", "error", "match"),
    [
        ([("안녕", "hello"), (None, "bye")], ValueError, "row 1 is missing"),
        ([("안녕", "hello"), (float("nan"), "bye")], ValueError, "row 1 is missing"),
        (
            pd.DataFrame({"ko": ["안녕", pd.NA], "en": ["hi", "bye"]}),
            ValueError,
            "row 1 is missing",
        ),
        ([("안녕", "hello"), ("잘 가", " ")], ValueError, r"row 1 is an empty string.*clean\(\)"),
        ([("안녕", "hello"), (b"bye", "bye")], TypeError, "row 1 is bytes; decode"),
        ([("안녕", "hello"), (7, "bye")], TypeError, "row 1 is int, not text"),
        ([("안녕", "hello"), ("잘 가", "bye", "x")], ValueError, "rows of different lengths"),
        ([("안녕", "hello")], ValueError, "only 1 translation pair for 'ko'.*at least 2"),
        ([("hello", "안녕"), ("bye", "잘 가")], ValueError, "look swapped"),
        (pd.DataFrame({"a": KOREAN, "b": ENGLISH}), ValueError, "columns .*'a', 'b'.*rename"),
        (np.array([["a", "b", "c"]] * 3), ValueError, "text in 3 columns"),
        (["안녕", None], ValueError, "row 1 is missing"),
        ([None, "안녕", pd.NA], ValueError, r'rows 0, 2 \(2 of 3 rows\).*pass missing="empty"'),
        ([b"hello", b"bye"], TypeError, "row 0 is bytes; decode"),
        ([pd.NA, "안녕"], ValueError, "row 0 is missing"),
        (np.array([None, "안녕"], dtype=object), ValueError, "row 0 is missing"),
        (pd.Series([pd.NA, "안녕"], dtype=object), ValueError, "row 0 is missing"),
        ([(pd.NA, "hi"), ("안녕", "hi")], ValueError, "row 0 is missing"),
        (["안녕", 3], TypeError, "row 1 is int, not text"),
        ("안녕", ValueError, "pass a sequence of texts"),
        (["こんにちは"], ValueError, "Row 0 is written in the Kana script.*'ko'"),
        (["สวัสดี"], ValueError, "Thai script"),
    ],
)
def test_bad_rows(X, error, match):
    with pytest.raises(error, match=match):
        strict().set_params(on_unknown="raise").fit(X)


@pytest.mark.parametrize(
    ("parallel", "error", "match"),
    [
        ((KOREAN, ENGLISH[:-1]), ValueError, "200 target sentences and 199 English"),
        ((KOREAN[:1], ENGLISH[:1]), ValueError, "only 1 translation pair"),
        ((ENGLISH, KOREAN), ValueError, "look swapped"),
        (KOREAN, ValueError, "parallel holds no pairs.*fit\\(X, parallel="),
        (("안녕", "hello"), ValueError, "parallel holds no pairs"),
        (3, ValueError, "parallel holds no pairs"),
        ({"ja": (KOREAN, ENGLISH)}, ValueError, "key 'ja', which target_lang does not declare"),
        (
            ParallelCorpus(["はい", "いいえ"], ["yes", "no"], target_lang="ja"),
            ValueError,
            "ParallelCorpus is in 'ja'",
        ),
        (ParallelCorpus(["네", ""], ["yes", "no"], target_lang="ko"), ValueError, "empty string"),
        ({}, ValueError, "No translation pairs"),
    ],
)
def test_bad_parallel(parallel, error, match):
    with pytest.raises(error, match=match):
        strict().fit(["a task"], ["label"], parallel=parallel)


@pytest.mark.parametrize(
    ("X", "y"),
    [
        (KOREAN[:20], ENGLISH[:20]),
        (KOREAN[:2], ENGLISH[:2]),
        (ENGLISH[:2], KOREAN[:2]),
        (KOREAN[:20], pd.Series(ENGLISH[:20])),
        (KOREAN[:20], np.array(ENGLISH[:20])),
    ],
)
def test_sentences_as_y(X, y):
    with pytest.raises(ValueError, match=r"look like sentences.*X itself.*parallel="):
        strict().fit(X, y)


def test_class_labels_as_y_are_ignored():
    aligner = CrossLingualAligner("ko", encoder=ToyEncoder(), corpus=None)
    aligner.fit(["red", "blue"], ["warm", "cold"])
    aligner.fit(KOREAN, [str(i % 7) for i in range(200)])
    aligner.fit(KOREAN, np.arange(200))
    assert aligner.method_ == "identity"


def test_pairs_with_y_or_parallel():
    with pytest.raises(ValueError, match=r"y must be None.*parallel="):
        strict().fit(PAIRS, ["label"] * 200)
    with pytest.raises(ValueError, match="X holds pairs already"):
        strict().fit(PAIRS, parallel=PAIRS)


@pytest.mark.parametrize(
    ("parameters", "error", "match"),
    [
        ({"target_lang": "en"}, ValueError, "names English"),
        ({"target_lang": ()}, ValueError, "language code or a sequence"),
        ({"target_lang": ("ko", "ko")}, ValueError, "twice"),
        ({"target_lang": "de"}, ValueError, "detect="),
        ({"target_lang": ("ru", "uk")}, ValueError, "share the Cyrillic script"),
        ({"method": "magic"}, ValueError, "method must be one of .*'magic'"),
        ({"alpha": -1.0}, ValueError, "alpha must be"),
        ({"bridge_alpha": -1.0}, ValueError, "bridge_alpha must be"),
        ({"output_space": "french"}, ValueError, "output_space must be"),
        ({"normalize": "NFD"}, ValueError, "normalize must be one of .*'NFD'"),
        ({"missing": "ignore"}, ValueError, "missing must be one of .*'ignore'"),
        ({"corpus": "no/such/file.tsv"}, FileNotFoundError, "neither a file nor .*'starter'"),
        ({"corpus": PAIRS}, ValueError, "Pairs in memory go to fit as parallel="),
        ({"encoder": 3}, TypeError, "encoder must be a name"),
        ({"encoder": ToyEncoder}, TypeError, "pass an instance"),
        ({"english_encoder": TfidfVectorizer()}, NotFittedError, "Fit it on the English"),
    ],
)
def test_bad_parameters(parameters, error, match):
    with pytest.raises(error, match=match):
        strict(**parameters).fit([*ENGLISH[:50], KOREAN[0]])


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("<tmx><body><tu><tuv xml:lang='en'><seg>yes</seg>", "line 1: broken XML"),
        ("no tmx at all", "broken XML"),
    ],
)
def test_broken_tmx(tmp_path, content, match):
    path = tmp_path / "broken.tmx"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=match):
        strict(corpus=path).fit(["a task"])


def test_too_few_english_rows_for_a_bridge():
    aligner = strict(english_encoder=NeverEncode(), corpus=None)
    with pytest.raises(ValueError, match="found 5 distinct English rows; it needs at least 20"):
        aligner.fit(ENGLISH[:5] * 10)
    with pytest.raises(ValueError, match="found 0 distinct English rows"):
        aligner.fit(KOREAN)
    aligner = CrossLingualAligner(
        encoder=ToyEncoder(), english_encoder=EnglishOnly(), corpus=None, random_state=0
    )
    with pytest.warns(UserWarning, match="only 50 distinct English rows"):
        aligner.fit(ENGLISH[:50])


@pytest.mark.parametrize("name", ["no-such-encoder", "use-multilingal", "someone/some-model"])
def test_unknown_encoder_without_a_network(name):
    start = time.perf_counter()
    with pytest.raises(ValueError, match=rf"{name}.*cache.*use-multilingual"):
        CrossLingualAligner(encoder=name).fit(["a task"])
    assert time.perf_counter() - start < 60  # a loader that asks the hub tries for minutes


def test_embeddings():
    X = ToyEncoder().encode(KOREAN)
    with pytest.raises(ValueError, match="requires y to be passed"):
        strict().set_params(on_unknown="raise").fit(X)
    with pytest.raises(ValueError, match=r"got 1D array.*Class labels"):
        strict().fit(X, np.arange(200))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        strict().fit(X, X[:-1])
    with pytest.raises(ValueError, match="English ones as y"):
        strict().fit(X, X, parallel=PAIRS)
    with pytest.raises(ValueError, match="one aligner per language"):
        strict(target_lang=("ko", "ja")).fit(X, X)
    with pytest.raises(ValueError, match="NaN"):
        strict().fit(np.where(X > 2, np.nan, X), X)
    aligner = strict(method="identity").fit(X, X)
    with pytest.raises(
        ValueError, match="X has 5 features, but CrossLingualAligner is expecting 12"
    ):
        aligner.transform(X[:, :5])
    with pytest.raises(ValueError, match="inverse_transform expects 12"):
        aligner.inverse_transform(X[:, :5])


def test_transform():
    aligner = CrossLingualAligner(encoder=ToyEncoder(), random_state=0, on_unknown="raise")
    with pytest.raises(NotFittedError):
        aligner.transform(KOREAN)
    aligner.fit(PAIRS)
    aligner.encoder = NeverEncode()
    with pytest.raises(ValueError, match="pairs of two columns"):
        aligner.transform(PAIRS)
    with pytest.raises(ValueError, match=r"Row 1 is written in the Han script.*'ko'.*你好"):
        aligner.transform(["안녕", "你好"])
    with pytest.raises(ValueError, match="score needs pairs"):
        aligner.score(KOREAN)
    with pytest.raises(ValueError, match="X has 5 features, but the aligner was fitted"):
        aligner.transform(np.ones((2, 5)))
    aligner.encoder = ToyEncoder(width=5)
    with pytest.raises(ValueError, match="use the same encoder"):
        aligner.transform(KOREAN)


def test_encoder_that_misbehaves():
    class Wrong:
        def encode(self, texts):
            return np.zeros((1, 4))

    with pytest.raises(ValueError, match=r"Wrong returned shape \(1, 4\) for 200 texts"):
        CrossLingualAligner(encoder=Wrong(), random_state=0).fit(PAIRS)


class Constant:
    """An encoder whose rows do not depend on the text, as the first token of the embeddings."""

    def encode(self, texts):
        return np.full((len(texts), 4), 0.3, dtype=np.float32)


@pytest.mark.parametrize("method", ["auto", "identity", "centre", "ridge", "mse", "contrastive"])
def test_encoder_that_tells_no_text_from_another(method):
    aligner = CrossLingualAligner("ko", encoder=Constant(), method=method)
    with pytest.raises(ValueError, match=r"same row for all \d+ texts.*rows depend on the text"):
        aligner.fit(list(zip(KOREAN, ENGLISH, strict=True)))
    assert not hasattr(aligner, "language_map_")


class Zeros:
    """An encoder that failed without a word, as a server with a wrong model does."""

    def encode(self, texts):
        return np.zeros((len(texts), 4), dtype=np.float32)


def encoding(rows_of):
    """An encoder whose rows are those of the toy, changed."""

    def encode(texts):
        return rows_of(ToyEncoder().encode(texts), texts)

    return encode


@pytest.mark.parametrize("broken", [Constant(), Zeros()], ids=["constant", "zeros"])
@pytest.mark.parametrize(
    ("given", "X"),
    [
        ({}, PAIRS),
        ({"corpus": None}, ENGLISH),
        ({"corpus": None}, KOREAN),
        ({"english_encoder": EnglishOnly(), "corpus": None}, ENGLISH),
    ],
    ids=["pairs", "English text", "target text", "bridge"],
)
def test_encoder_of_constant_rows_is_named_by_every_fit(broken, given, X):
    of_zeros = ", of zeros alone," if isinstance(broken, Zeros) else ", so"
    message = (
        rf"The encoder {type(broken).__name__} returns the same row for all \d+ texts{of_zeros}"
    )
    aligner = CrossLingualAligner("ko", encoder=broken, random_state=0, **given)
    with pytest.raises(ValueError, match=message):
        aligner.fit(X)


def test_english_encoder_of_constant_rows_is_named():
    aligner = CrossLingualAligner(
        "ko", encoder=ToyEncoder(), english_encoder=Zeros(), corpus=None, random_state=0
    )
    with pytest.raises(
        ValueError, match=r"The encoder Zeros returns the same row for all 200 texts"
    ):
        aligner.fit(ENGLISH)


def test_rows_of_zeros_for_some_texts_are_rows():
    def some(rows, texts):
        rows[[i for i, text in enumerate(texts) if text.endswith("7")]] = 0
        return rows

    aligner = CrossLingualAligner("ko", encoder=encoding(some), random_state=0).fit(PAIRS)
    moved = aligner.transform(KOREAN[:8])
    assert np.isfinite(moved).all()


@pytest.mark.parametrize("spread", [0.05, 0.2])
def test_rows_in_a_narrow_cone_are_rows(spread):
    # Mean cosines of .98 and above, as plain checkpoints of transformers have them.
    def narrow(rows, texts):
        return 10 + spread * rows

    rows = encoding(narrow)(KOREAN)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    assert (unit @ unit.T).mean() > 0.98
    aligner = CrossLingualAligner("ko", encoder=encoding(narrow), random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        aligner.fit(PAIRS)
    bare = CrossLingualAligner("ko", encoder=encoding(narrow), corpus=None, random_state=0)
    bare.fit(ENGLISH)


def test_texts_that_differ_in_capitals_alone_may_have_one_row():
    CrossLingualAligner("ko", encoder=Constant(), corpus=None).fit(
        ["Good morning", "good  Morning"]
    )
