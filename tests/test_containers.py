"""Containers of text, pairs, embeddings and labels, at every place where a user passes them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from langalign_sk import CrossLingualAligner, CrossLingualClassifier, CrossLingualRetriever
from langalign_sk.classifier import AlignedClassifier
from langalign_sk.corpus import ParallelCorpus
from langalign_sk.encoders.base import TextEncoder
from langalign_sk.encoders.models.model import Model
from langalign_sk.inspection import RetrievalDisplay
from langalign_sk.model_selection import (
    CrossLingualSplit,
    learning_curve,
    make_retrieval_scorer,
    pair_groups,
)
from langalign_sk.retrieval import mine_pairs
from tests.containers import ALL, PAIRS, TEXT, VECTORS, arrow
from tests.containers import Column as SequenceOnly
from tests.toy import ENGLISH, KOREAN, NeverEncode, ToyEncoder, rotated
from tests.toy import PAIRS as TOY_PAIRS

pytestmark = pytest.mark.filterwarnings("ignore")

N = 40
LABELS = ["even" if i % 2 else "odd" for i in range(N)]


def aligner(**parameters: Any) -> CrossLingualAligner:
    given = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner("ko", **{**given, **parameters})


@cache
def fitted() -> CrossLingualAligner:
    return aligner().fit(TOY_PAIRS)


@cache
def head() -> LogisticRegression:
    return LogisticRegression(C=10).fit(fitted().transform(ENGLISH[:N]), LABELS)


@cache
def classifier() -> CrossLingualClassifier:
    return new_classifier().fit(ENGLISH[:N], LABELS, parallel=TOY_PAIRS[:N])


def new_classifier() -> CrossLingualClassifier:
    return CrossLingualClassifier(aligner(), random_state=0)


@cache
def retriever() -> CrossLingualRetriever:
    return new_retriever().fit(ENGLISH[:N])


def new_retriever(**parameters: Any) -> CrossLingualRetriever:
    return CrossLingualRetriever(fitted().freeze(), n_neighbors=3, **parameters)


class Lengths(TextEncoder):
    """Text encoder of the package without a model."""

    def __init__(self, name="lengths", *, cache=None, verbose=False):
        self.name = name
        self.cache = cache
        self.verbose = verbose

    def _load(self):
        return Model("lengths", 2, None)

    def _settings(self):
        return {}

    def _encode(self, model, texts):
        return [[len(text), text.count(" ")] for text in texts]


def texts_and_labels(wrap: Any) -> dict[str, Any]:
    both = wrap([*ENGLISH[:N], *KOREAN[:N]])
    return {"X": both, "y": [*LABELS, *LABELS]}


def found(one: CrossLingualRetriever) -> Any:
    return one.kneighbors(KOREAN[:10])[1]


# Every place that takes a column of text: from a function that builds the container to an answer.
PLACES = {
    "fit": lambda wrap: aligner().fit(wrap(ENGLISH), parallel=TOY_PAIRS).transform(KOREAN),
    "fit_transform": lambda wrap: aligner().fit_transform(wrap(KOREAN[:N]), parallel=TOY_PAIRS),
    "fit_transform, cross-fitted": lambda wrap: aligner(
        english_encoder=ToyEncoder(width=9)
    ).fit_transform(wrap(ENGLISH), parallel=TOY_PAIRS, cross_fit=3),
    "parallel": lambda wrap: (
        aligner().fit(ENGLISH[:N], parallel=(wrap(KOREAN), wrap(ENGLISH))).transform(KOREAN[:N])
    ),
    "parallel by language": lambda wrap: (
        aligner()
        .fit(ENGLISH[:N], parallel={"ko": (wrap(KOREAN), wrap(ENGLISH))})
        .transform(KOREAN[:N])
    ),
    "transform": lambda wrap: fitted().transform(wrap(KOREAN[:N])),
    "transform of a frozen aligner": lambda wrap: fitted().freeze().transform(wrap(KOREAN[:N])),
    "quality_score": lambda wrap: fitted().quality_score(wrap(KOREAN[:N])),
    "AlignedClassifier.fit": lambda wrap: (
        AlignedClassifier(head(), aligner())
        .fit(wrap(KOREAN[:N]), LABELS, parallel=TOY_PAIRS)
        .predict_proba(KOREAN[:N])
    ),
    "AlignedClassifier.fit, parallel": lambda wrap: (
        AlignedClassifier(head(), aligner())
        .fit(KOREAN[:N], parallel=(wrap(KOREAN), wrap(ENGLISH)))
        .predict_proba(KOREAN[:N])
    ),
    "AlignedClassifier.predict": lambda wrap: (
        AlignedClassifier(head(), fitted().freeze())
        .fit(KOREAN[:N], LABELS)
        .predict(wrap(KOREAN[:N]))
    ),
    "CrossLingualClassifier.fit": lambda wrap: (
        new_classifier()
        .fit(wrap(ENGLISH[:N]), LABELS, parallel=TOY_PAIRS[:N])
        .predict_proba(KOREAN[:N])
    ),
    "CrossLingualClassifier.fit, parallel of two aligners": lambda wrap: (
        CrossLingualClassifier([aligner(), aligner(encoder=ToyEncoder(shift=2.0))], random_state=0)
        .fit(ENGLISH[:N], LABELS, parallel=(wrap(KOREAN[:N]), wrap(ENGLISH[:N])))
        .predict_proba(KOREAN[:N])
    ),
    "CrossLingualClassifier.fit, target": lambda wrap: (
        new_classifier()
        .fit(ENGLISH[:N], LABELS, target=wrap(KOREAN), parallel=TOY_PAIRS[:N])
        .predict_proba(KOREAN[:N])
    ),
    "CrossLingualClassifier.predict": lambda wrap: classifier().predict(wrap(KOREAN[:N])),
    "CrossLingualClassifier.partial_adapt": lambda wrap: (
        new_classifier()
        .fit(ENGLISH[:N], LABELS, parallel=TOY_PAIRS[:N])
        .partial_adapt(wrap(KOREAN))
        .predict_proba(KOREAN[:N])
    ),
    "retriever, documents": lambda wrap: found(new_retriever().fit(wrap(ENGLISH[:N]))),
    "retriever, parallel": lambda wrap: found(
        CrossLingualRetriever([aligner(), aligner(encoder=ToyEncoder(shift=2.0))]).fit(
            ENGLISH[:N], parallel=(wrap(KOREAN), wrap(ENGLISH))
        )
    ),
    "retriever, query_bank": lambda wrap: found(
        new_retriever(scoring="csls").fit(ENGLISH[:N], query_bank=wrap(KOREAN[N:]))
    ),
    "retriever, judgements": lambda wrap: found(
        new_retriever().fit(ENGLISH[:N], judgements=(wrap(KOREAN[:N]), range(N)))
    ),
    "retriever, ids in any container of labels": lambda wrap: (
        new_retriever().fit(ENGLISH[:N], ids=wrap(KOREAN[:N])).ids_
    ),
    "retriever, add": lambda wrap: found(new_retriever().fit(ENGLISH[N:]).add(wrap(ENGLISH[:N]))),
    "retriever, kneighbors": lambda wrap: retriever().kneighbors(wrap(KOREAN[:N]))[1],
    "retriever, search": lambda wrap: retriever().search(wrap(KOREAN[:N]))["text"],
    "mine_pairs": lambda wrap: (
        mine_pairs(wrap(ENGLISH[:N]), wrap(KOREAN[:N]), fitted(), threshold=1.0).source_index
    ),
    "CrossLingualSplit": lambda wrap: [
        test for _, test in CrossLingualSplit("ko", n_splits=4).split(**texts_and_labels(wrap))
    ],
    "learning_curve": lambda wrap: (
        learning_curve(
            aligner(),
            TOY_PAIRS[:N],
            train_sizes=[10, 20],
            n_repeats=1,
            classifier=LogisticRegression(),
            english=(wrap(ENGLISH[:N]), wrap(LABELS)),
            target_dev=(wrap(KOREAN[:N]), wrap(LABELS)),
            random_state=0,
        ).accuracy
    ),
    "ParallelCorpus": lambda wrap: (
        ParallelCorpus(wrap(KOREAN), wrap(ENGLISH), target_lang="ko").fingerprint
    ),
    "TextEncoder.encode": lambda wrap: Lengths().encode(wrap(KOREAN)),
    "TextEncoder.transform": lambda wrap: Lengths().fit(wrap(KOREAN)).transform(wrap(KOREAN)),
    "TextEncoder.fit_transform": lambda wrap: Lengths().fit_transform(wrap(KOREAN)),
    "labels": lambda wrap: (
        new_classifier().fit(ENGLISH[:N], wrap(LABELS), parallel=TOY_PAIRS[:N]).predict(KOREAN[:N])
    ),
    "labels beside an aligner": lambda wrap: (
        aligner().fit(ENGLISH[:N], wrap(LABELS), parallel=TOY_PAIRS).transform(KOREAN[:N])
    ),
    "labels of AlignedClassifier": lambda wrap: (
        AlignedClassifier(head(), fitted().freeze())
        .fit(KOREAN[:N], wrap(LABELS))
        .predict_proba(KOREAN[:N])
    ),
    "labels of a split": lambda wrap: [
        test
        for _, test in CrossLingualSplit("ko", n_splits=4).split(
            [*ENGLISH[:N], *KOREAN[:N]], wrap([*LABELS, *LABELS])
        )
    ],
}


@cache
def expected(place: str) -> Any:
    return PLACES[place](list)


# A row of these may be an identifier or label itself.
NOT_IDS = ("dict of one column", "file")


def _assert_equal(answer: Any, right: Any) -> None:
    if isinstance(right, np.ndarray) and right.dtype.kind == "f":
        assert_allclose(answer, right, rtol=1e-5, atol=1e-6 * np.abs(right).max())
    else:
        assert_array_equal(np.asarray(answer), np.asarray(right))


# A fit takes a tenth of a second: these stand for the rest, half of them at one place, and the other
# half at the next one.
SOME = (
    "array of StringDType",
    "Series of arrow",
    "polars frame",
    "arrow chunks",
    "Hugging Face column",
    "column",
    "values of a dict",
    "dict of one column",
    "generator",
    "file",
)
SLOW = ("fit", "adapt", "cross-fitted", "parallel", "learning_curve", "labels", "bank", "judge")


def _columns() -> list[tuple[str, str]]:
    return [
        (place, container)
        for n, place in enumerate(PLACES)
        for container in (SOME[n % 2 :: 2] if any(word in place for word in SLOW) else ALL)
        if not ("ids" in place and container in NOT_IDS)
    ]


@pytest.mark.parametrize(("place", "container"), _columns())
def test_column_of_text(place, container):
    _assert_equal(PLACES[place](ALL[container]), expected(place))


@pytest.mark.parametrize("container", [*ALL])
def test_chunks_of_text(container, tmp_path):
    right = Lengths().encode(KOREAN)
    chunks = Lengths().encode_iter(ALL[container](KOREAN), chunk_size=30)
    assert_array_equal(np.concatenate(list(chunks)), right)
    rows = Lengths().encode_to_file(ALL[container](KOREAN), tmp_path / "rows.npy", chunk_size=30)
    assert_array_equal(rows, right)


# Every place that takes pairs.
PLACES_OF_PAIRS = {
    "fit": lambda pairs: aligner().fit(pairs).transform(KOREAN[:N]),
    "parallel": lambda pairs: aligner().fit(ENGLISH[:N], parallel=pairs).transform(KOREAN[:N]),
    "parallel by language": lambda pairs: (
        aligner().fit(ENGLISH[:N], parallel={"ko": pairs}).transform(KOREAN[:N])
    ),
    "score": lambda pairs: fitted().score(pairs),
    "scorer": lambda pairs: make_retrieval_scorer()(fitted(), pairs),
    "display": lambda pairs: RetrievalDisplay.from_estimator(fitted(), pairs).recall,
    "learning_curve": lambda pairs: (
        learning_curve(aligner(), pairs, train_sizes=[20], n_repeats=1, random_state=0).recall
    ),
}


@cache
def expected_of_pairs(place: str) -> Any:
    return PLACES_OF_PAIRS[place](TOY_PAIRS[:100])


@pytest.mark.parametrize("container", PAIRS)
@pytest.mark.parametrize("place", PLACES_OF_PAIRS)
def test_pairs(place, container):
    answer = PLACES_OF_PAIRS[place](PAIRS[container](TOY_PAIRS[:100]))
    assert_allclose(answer, expected_of_pairs(place), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("container", PAIRS)
def test_tables_of_pairs_are_a_corpus(container):
    pairs = TOY_PAIRS[:10]
    right = ParallelCorpus(*zip(*pairs, strict=True), target_lang="ko")
    if container in ("list of tuples", "list of lists", "array", "zip", "items of a dict"):
        with pytest.raises(TypeError, match="frame must be a table with named columns"):
            ParallelCorpus.from_frame(PAIRS[container](pairs), "ko")
    elif container != "namedtuples by position":
        assert ParallelCorpus.from_frame(PAIRS[container](pairs), "ko") == right


def test_groups_of_pairs():
    right = pair_groups(TOY_PAIRS[:10])
    for name in ("pandas frame", "polars frame", "arrow table", "zip", "namedtuples"):
        assert_array_equal(pair_groups(PAIRS[name](TOY_PAIRS[:10])), right)


BAD_PAIRS = {
    "a join gone wrong": (
        pd.concat([pd.DataFrame(TOY_PAIRS, columns=["ko", "en"])] * 2, axis=1),
        r"columns of the same name, \['ko', 'en'\]",
    ),
    "names that differ in case": (
        pd.DataFrame(TOY_PAIRS, columns=["ko", "en"]).assign(EN="a"),
        r"same name, \['en', 'EN'\]",
    ),
    "names that differ in blanks": (
        pl.DataFrame({"ko": KOREAN, "en ": ENGLISH, "en": ENGLISH}),
        r"same name, \['en ', 'en'\]",
    ),
    "arrow names": (
        lambda: arrow().Table.from_arrays([KOREAN, ENGLISH, KOREAN], ["ko", "en", "ko"]),
        r"same name, \['ko'\]",
    ),
    "several levels": (
        pd.concat({"text": pd.DataFrame(TOY_PAIRS, columns=["ko", "en"])}, axis=1),
        r"several levels, \[\('text', 'ko'\), \('text', 'en'\)\]. Keep one",
    ),
    "a translation beside its columns": (
        [{"ko": "가", "translation": {"en": "a", "ko": "나"}}] * 3,
        r"same name, \['ko'\]",
    ),
    "a table of a task": (
        pd.DataFrame({"text": ENGLISH, "label": 1}),
        r"columns \['text', 'label'\].*X\['text'\]",
    ),
    "records that lack a side": ([{"ko": "가", "en": "a"}, {"ko": "나"}], "row 1 is missing"),
    "two columns as a tuple": ((KOREAN, ENGLISH), "text in 200 columns.*list\\(zip\\("),
    "columns of different lengths": ({"ko": KOREAN, "en": ["a"]}, "different lengths"),
    "swapped records": ([{"ko": en, "en": ko} for ko, en in TOY_PAIRS], "look swapped"),
}


@pytest.mark.parametrize("case", BAD_PAIRS)
def test_bad_pairs(case):
    pairs, message = BAD_PAIRS[case]
    with pytest.raises(ValueError, match=message):
        aligner(encoder=NeverEncode()).fit(pairs() if callable(pairs) else pairs)


# Every place that takes embeddings.
TARGET, SOURCE = rotated(60, noise=0.1)


@cache
def fitted_on_rows() -> CrossLingualAligner:
    return aligner().fit(TARGET, SOURCE)


PLACES_OF_VECTORS = {
    "fit": lambda wrap: aligner().fit(wrap(TARGET), wrap(SOURCE)).transform(TARGET),
    "fit_transform": lambda wrap: aligner().fit_transform(wrap(TARGET), SOURCE),
    "transform": lambda wrap: fitted_on_rows().transform(wrap(TARGET)),
    "inverse_transform": lambda wrap: fitted_on_rows().inverse_transform(wrap(TARGET)),
    "quality_score": lambda wrap: fitted_on_rows().quality_score(wrap(TARGET)),
    "score": lambda wrap: fitted_on_rows().score(wrap(TARGET), wrap(SOURCE)),
    "scorer": lambda wrap: make_retrieval_scorer()(fitted_on_rows(), wrap(TARGET), SOURCE),
    "classifier": lambda wrap: (
        CrossLingualClassifier(fitted_on_rows().freeze())
        .fit(wrap(SOURCE), [*LABELS, *LABELS[:20]])
        .predict_proba(wrap(TARGET))
    ),
    "classifier, parallel": lambda wrap: (
        CrossLingualClassifier(aligner())
        .fit(SOURCE, [*LABELS, *LABELS[:20]], parallel=(wrap(TARGET), wrap(SOURCE)))
        .predict_proba(TARGET)
    ),
    "retriever": lambda wrap: (
        CrossLingualRetriever(n_neighbors=3).fit(wrap(SOURCE)).kneighbors(wrap(TARGET))[1]
    ),
    "mine_pairs": lambda wrap: mine_pairs(wrap(SOURCE), wrap(TARGET), threshold=1.0).source_index,
    "learning_curve": lambda wrap: (
        learning_curve(
            aligner(), wrap(TARGET), wrap(SOURCE), train_sizes=[20], n_repeats=1, random_state=0
        ).recall
    ),
}


@cache
def expected_of_vectors(place: str) -> Any:
    return PLACES_OF_VECTORS[place](np.asarray)


@pytest.mark.parametrize("container", VECTORS)
@pytest.mark.parametrize("place", PLACES_OF_VECTORS)
def test_embeddings(place, container):
    right = expected_of_vectors(place)
    answer = PLACES_OF_VECTORS[place](VECTORS[container])
    assert_allclose(answer, right, rtol=1e-6, atol=1e-6 * np.abs(right).max())


@pytest.mark.parametrize("dtype", [np.float16, np.int32])
def test_embeddings_of_other_numbers(dtype):
    rows = (4 * TARGET).astype(dtype)
    right = fitted_on_rows().transform(rows.astype(np.float64))
    assert_allclose(fitted_on_rows().transform(rows), right)
    tensor = pytest.importorskip("torch").tensor((4 * TARGET).round()).bfloat16()
    assert fitted_on_rows().transform(tensor).shape == TARGET.shape


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1.0, 2.0], [1.0]], "row 1 is a vector of 1 numbers, and row 0 is a vector of 2 numbers"),
        (pd.Series([np.ones(2), None]), "row 1 is None, and row 0 is a vector of 2 numbers"),
        (np.full((2, 2, 2), "비밀"), "does not hold numbers"),
        (np.array("비밀"), "does not hold numbers"),
        (np.array([1.0, "비밀"], dtype=object), "row 0 is float, not text"),
        (pd.to_datetime(["2020-01-01"]), "row 0 is Timestamp, not text"),
        ([object()], "row 0 is object, not text"),
    ],
    ids=range(7),
)
def test_rows_that_are_neither_text_nor_embeddings(rows, message):
    with pytest.raises((TypeError, ValueError), match=message) as raised:
        fitted().transform(rows)
    assert "비밀" not in str(raised.value)


@pytest.mark.parametrize("container", ALL)
def test_text_where_embeddings_are_needed(container):
    for use in (fitted().inverse_transform, fitted_on_rows().inverse_transform):
        with pytest.raises(ValueError, match="X holds text, and embeddings are needed"):
            use(ALL[container](KOREAN[:3]))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pl.LazyFrame({"text": KOREAN}), r"LazyFrame, which is not computed yet.*\.collect\(\)"),
        ({*KOREAN}, "set, whose order is undefined"),
        (frozenset(KOREAN), "frozenset, whose order is undefined"),
        (dict(TOY_PAIRS), r"dict of single texts.*list\(X\.values\(\)\)"),
        ({"train": pl.DataFrame({"text": KOREAN})}, r"'train' is a table.*X\['train'\]"),
        ({}, "an empty dict"),
        ("문장", "X is a single str: pass a sequence of texts"),
    ],
    ids=["lazy", "set", "frozenset", "dict of texts", "dict of splits", "empty dict", "one text"],
)
def test_refused_containers(X, message):
    uses = (
        fitted().transform,
        aligner(encoder=NeverEncode()).fit,
        classifier().predict,
        lambda X: new_classifier().fit(X, LABELS),
        lambda X: CrossLingualSplit("ko").split(X).__next__(),
        Lengths().transform,
    )
    for use in uses:
        with pytest.raises((TypeError, ValueError), match=message.replace("X is", "is")):
            use(X)


async def _rows():
    return KOREAN


def test_coroutine():
    rows = _rows()
    with pytest.raises(TypeError, match=r"coroutine, which has no rows\. Pass a list of str"):
        fitted().transform(rows)
    rows.close()


def test_an_iterator_is_consumed_once():
    seen = []

    def texts():
        for text in KOREAN[:N]:
            seen.append(text)
            yield text

    aligner().fit_transform(texts(), parallel=TOY_PAIRS)
    assert seen == KOREAN[:N]


EMPTY = {name: build for name, build in ALL.items() if name not in ("pandas frame of levels",)}


@pytest.mark.parametrize("container", EMPTY)
def test_empty_batch(container):
    def empty():
        return EMPTY[container]([])

    for rows in (fitted().transform(empty()), fitted().freeze().transform(empty())):
        assert (rows.shape, rows.dtype) == ((0, 12), np.float32)
    assert fitted().quality_score(empty()).shape == (0,)
    assert fitted().inverse_transform(empty()).shape == (0, 12)
    assert Lengths().transform(empty()).shape == Lengths().encode(empty()).shape == (0, 2)
    assert list(Lengths().encode_iter(empty())) == []
    one = classifier()
    assert one.predict(empty()).shape == (0,)
    assert one.predict(empty()).dtype == one.classes_.dtype
    assert one.predict_proba(empty()).shape == (0, 2)
    assert one.decision_function(empty()).shape == (0,)
    calibrated = AlignedClassifier(head(), fitted().freeze()).fit(KOREAN[:N], LABELS)
    assert calibrated.predict(empty()).shape == (0,)
    assert calibrated.predict_proba(empty()).shape == (0, 2)
    assert calibrated.decision_function(empty()).shape == (0,)
    distances, indices = retriever().kneighbors(empty(), 2)
    assert (distances.shape, indices.shape) == ((0, 2), (0, 2))
    assert indices.dtype == np.intp
    assert list(retriever().search(empty())) == ["query", "rank", "id", "score", "text"]
    assert not len(retriever().search(empty()))


@pytest.mark.parametrize("container", ["list", "polars frame", "arrow array", "generator"])
def test_fit_without_rows(container):
    def empty():
        return EMPTY[container]([])

    for fit, message in (
        (lambda: aligner(encoder=NeverEncode()).fit(empty()), "X has no rows"),
        (lambda: aligner(encoder=NeverEncode()).fit_transform(empty()), "X has no rows"),
        (lambda: Lengths().fit(empty()), "X has no rows"),
        (lambda: new_classifier().fit(empty(), []), "no rows"),
        (lambda: new_retriever().fit(empty()), "no documents"),
        (lambda: mine_pairs(empty(), KOREAN, fitted()), "no source sentences"),
    ):
        with pytest.raises(ValueError, match=message):
            fit()


def test_empty_batch_of_vectors():
    nothing = TARGET[:0]
    one = fitted_on_rows()
    assert one.transform(nothing).shape == (0, 8)
    assert one.transform(nothing).dtype == one.transform(TARGET).dtype
    assert one.inverse_transform(nothing.astype(np.float32)).shape == (0, 8)
    assert one.quality_score(nothing).shape == (0,)
    kind = CrossLingualClassifier(one.freeze()).fit(SOURCE, [*LABELS, *LABELS[:20]])
    assert kind.predict(nothing).shape == (0,)
    assert CrossLingualRetriever().fit(SOURCE).kneighbors(nothing)[0].shape == (0, 10)
    with pytest.raises(ValueError, match=r"7 features"):
        one.transform(nothing[:, :7])


@cache
def framed(output: str) -> CrossLingualAligner:
    return aligner().fit(TOY_PAIRS).set_output(transform=output)


@pytest.mark.parametrize("output", ["pandas", "polars"])
@pytest.mark.parametrize("container", ALL)
def test_set_output(container, output):
    frame = framed(output).transform(ALL[container](KOREAN[:5]))
    assert frame.shape == (5, 12)
    assert_allclose(frame.to_numpy(), fitted().transform(KOREAN[:5]), rtol=1e-5, atol=1e-6)
    if container in EMPTY:
        assert framed(output).transform(ALL[container]([])).shape == (0, 12)


# An error names the row of the whole input, and nothing is encoded before.
FAR = 9_000
MANY = [f"document {i}" for i in range(FAR)]


@pytest.mark.parametrize(
    ("bad", "message"),
    [(None, f"row {FAR} is missing"), (7, f"row {FAR} is int"), (b"a", f"row {FAR} is bytes")],
    ids=["missing", "number", "bytes"],
)
def test_row_of_the_whole_input(bad, message):
    texts = [*MANY, bad]
    never = aligner(encoder=NeverEncode())
    here = CrossLingualRetriever(fitted().freeze()).fit(ENGLISH[:N])
    here.aligner_.estimator.encoder = NeverEncode()
    for use in (
        never.fit,
        lambda X: CrossLingualRetriever(never).fit(X),
        lambda X: CrossLingualClassifier(never).fit(X, [0] * len(X)),
        lambda X: CrossLingualClassifier(never).fit(ENGLISH[:N], LABELS, target=X),
        lambda X: mine_pairs(X, KOREAN, never),
        lambda X: mine_pairs(ENGLISH, X, never),
        here.add,
        here.kneighbors,
        lambda X: next(Lengths().encode_iter(X)),
        lambda X: next(Lengths().encode_iter(SequenceOnly(X))),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            use(texts)


def test_row_of_an_iterator_in_chunks():
    chunks = Lengths().encode_iter(iter([*MANY[:50], None]), chunk_size=20)
    assert [len(next(chunks)) for _ in range(2)] == [20, 20]
    with pytest.raises(ValueError, match="texts, row 50 is missing"):
        next(chunks)


def test_undeclared_language_of_a_late_document():
    frozen = fitted().freeze()
    frozen.estimator.set_params(on_unknown="raise")
    here = CrossLingualRetriever(frozen).fit(ENGLISH[:N])
    frozen.estimator.encoder = NeverEncode()
    texts = [*MANY, "สวัสดีครับ"]
    for use in (
        CrossLingualRetriever(frozen).fit,
        here.add,
        here.kneighbors,
        lambda X: mine_pairs(X, KOREAN, frozen.estimator),
        lambda X: CrossLingualClassifier(frozen).fit(X, [i % 2 for i in range(len(X))]),
    ):
        with pytest.raises(ValueError, match=f"Row {FAR} is written in the Thai script"):
            use(texts)


def test_scikit_learn_indexes_these_itself():
    """A search takes what scikit-learn can index; the user guide lists it."""
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline

    pipe = make_pipeline(
        aligner(corpus=None, method="identity", alpha="auto"), LogisticRegression()
    )
    right = cross_val_score(pipe, ENGLISH[:N], LABELS, cv=3)
    for name in ("list", "array of str", "array of StringDType", "Series of str", "pandas frame"):
        assert_array_equal(cross_val_score(pipe, TEXT[name](ENGLISH[:N]), LABELS, cv=3), right)
    for name in ("polars Series", "polars frame"):
        assert_array_equal(cross_val_score(pipe, TEXT[name](ENGLISH[:N]), LABELS, cv=3), right)
