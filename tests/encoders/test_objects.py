"""Tests of encoders made from a user's own objects."""

import asyncio
import functools
import os
import pickle
import types
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer

from langalign_sk import CrossLingualAligner, load, save
from langalign_sk.encoders import EncodingSession, SentenceEncoder, as_encoder
from langalign_sk.encoders.models import registry
from tests.encoders.toy import SENTENCES, Counting, Returning, assert_rows_close


def test_making_a_handle_loads_nothing(no_models):
    encoder = as_encoder("no such model")
    assert (repr(encoder), hash(encoder)) == (repr(as_encoder(encoder)), hash(as_encoder(encoder)))
    assert not registry._models


def test_device_goes_to_a_name_only():
    handle = SentenceEncoder("a", device="cpu")
    assert as_encoder("a", device="cpu") == handle
    assert as_encoder(handle, device="cuda:1") is handle


def test_sentence_transformer_object(minilm, capsys):
    encoder = as_encoder(minilm)
    encoder.load()
    rows = encoder.encode(SENTENCES)
    assert_rows_close(rows, minilm.encode(SENTENCES, show_progress_bar=False))
    assert encoder.encode(["a"]).shape == (1, 384)
    assert capsys.readouterr() == ("", "")
    with ThreadPoolExecutor(4) as pool:
        for again in pool.map(encoder.encode, [SENTENCES] * 8):
            assert_rows_close(again, rows)


@pytest.mark.parametrize("kind", ["list", "float64", "int", "tensor", "tensor with gradient"])
def test_kinds_of_output(kind):
    import torch

    out = {
        "list": [[1.0, 2.0], [3.0, 4.0]],
        "float64": np.array([[1.0, 2.0], [3.0, 4.0]]),
        "int": np.array([[1, 2], [3, 4]]),
        "tensor": torch.tensor([[1.0, 2.0], [3.0, 4.0]]),
        "tensor with gradient": torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
    }[kind]
    rows = as_encoder(Returning(out)).encode(["a", "b"])
    assert type(rows) is np.ndarray
    assert rows.dtype == np.float32
    assert rows.tolist() == [[1, 2], [3, 4]]


def test_one_vector_for_one_text_becomes_a_row():
    assert as_encoder(Returning(np.arange(3.0))).encode(["a"]).tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    "out", [np.ones(3), np.ones((2, 3)), np.ones((3, 4, 5)), np.float32(1), [[1.0, 2.0]]]
)
def test_wrong_shape(out):
    shape = str(np.shape(out)).replace("(", r"\(").replace(")", r"\)")
    message = rf"Returning returned shape {shape} for 3 texts; it must return \(3, width\)"
    with pytest.raises(ValueError, match=message):
        as_encoder(Returning(out)).encode(["a", "b", "c"])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_rows_that_are_not_finite(value):
    out = np.ones((3, 2))
    out[1, 1] = value
    with (
        np.errstate(over="ignore"),
        pytest.raises(ValueError, match="Returning returned NaN or infinity for text 1 of"),
    ):
        as_encoder(Returning(out)).encode(["a", "b", "c"])


def test_loading_an_object_does_nothing():
    encoder = Counting()
    as_encoder(encoder).load()
    assert encoder.calls == []


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Counting, "encoder is the class Counting: pass an instance of it"),
        (TfidfVectorizer, "encoder is the class TfidfVectorizer"),
        (7, "fitted scikit-learn transformer of text, got int"),
        (None, "got NoneType"),
        (len, "got builtin_function_or_method"),
        (types.SimpleNamespace(encoder=1), r"got SimpleNamespace.*\n    encoder=lambda texts: "),
    ],
)
def test_what_is_not_an_encoder(encoder, message):
    with pytest.raises(TypeError, match=message):
        as_encoder(encoder)


def test_fitted_pipeline_encodes():
    pipe = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0)).fit(SENTENCES)
    encoder = as_encoder(pipe)
    encoder.load()
    rows = encoder.encode(["the dog", "rain"])
    assert rows.dtype == np.float32
    assert_rows_close(rows, pipe.transform(["the dog", "rain"]))


def test_fitted_pipeline_may_return_frames():
    pipe = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0)).fit(SENTENCES)
    expected = pipe.transform(SENTENCES)
    pipe[-1].set_output(transform="pandas")
    assert_rows_close(as_encoder(pipe).encode(SENTENCES), expected)


def test_narrow_sparse_rows_become_dense():
    vectorizer = TfidfVectorizer().fit(SENTENCES)
    rows = as_encoder(vectorizer).encode(SENTENCES)
    assert type(rows) is np.ndarray
    assert_rows_close(rows, vectorizer.transform(SENTENCES).toarray())


@pytest.mark.parametrize(("width", "ok"), [(4096, True), (4097, False)])
def test_wide_sparse_rows_need_reduction(width, ok):
    encoder = as_encoder(HashingVectorizer(n_features=width))
    encoder.load()  # has nothing to fit
    if ok:
        assert encoder.encode(SENTENCES).shape == (4, width)
        return
    with pytest.raises(ValueError, match=r"HashingVectorizer .* width 4097.*TruncatedSVD"):
        encoder.encode(SENTENCES)


def test_sparse_arrays_become_dense():
    transformer = FunctionTransformer(lambda texts: csr_array(np.eye(len(texts))))
    assert as_encoder(transformer).encode(["a", "b"]).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("transformer", "name"),
    [
        (TfidfVectorizer(), "TfidfVectorizer"),
        (make_pipeline(TfidfVectorizer(), TruncatedSVD(2)), "Pipeline"),
    ],
)
def test_unfitted_transformer(transformer, name):
    encoder = as_encoder(transformer)
    with pytest.raises(NotFittedError, match=f"The encoder {name} is not fitted"):
        encoder.load()


def test_encode_goes_before_transform():
    class Both(TransformerMixin, BaseEstimator):
        def encode(self, texts):
            return np.zeros((len(texts), 2))

        def transform(self, X):
            raise AssertionError("transform was called")

    assert as_encoder(Both()).encode(["a"]).tolist() == [[0, 0]]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_tensors_of_every_float_type_and_lists_of_them(dtype):
    torch = pytest.importorskip("torch")

    class Tensors:
        def encode(self, texts):
            return torch.ones(len(texts), 3, dtype=getattr(torch, dtype), requires_grad=True)

    class Lists(Tensors):
        def encode(self, texts):
            return list(super().encode(texts))

    for encoder in (Tensors(), Lists()):
        np.testing.assert_array_equal(
            as_encoder(encoder).encode(["a", "b"]), np.ones((2, 3), np.float32)
        )


def test_folder_as_a_path():
    assert as_encoder(Path("some") / "folder") == SentenceEncoder(os.path.join("some", "folder"))


@pytest.mark.parametrize("given", [Counting(), TfidfVectorizer().fit(SENTENCES)])
def test_old_pickles_of_handles_load(given):
    handle = as_encoder(given)
    data = pickle.dumps(handle, protocol=0)
    moved = data.replace(b"encoders.objects", b"encoders.handles")  # where the classes once were
    assert moved != data
    assert type(pickle.loads(moved)) is type(handle)


# Transformers that have nothing to fit


def lengths(texts):
    return np.array([[len(text), text.count("o"), 1.0] for text in texts])


class Stateless(TransformerMixin, BaseEstimator):
    """A transformer in the manner of embetter: `fit` does nothing, and nothing says so."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return lengths(X)


class Learning(Stateless):
    """A transformer that works before `fit`, and differently behind it."""

    def fit(self, X, y=None):
        self.scale_ = len(X)
        return self

    def transform(self, X):
        return lengths(X) * getattr(self, "scale_", 0)


class Telling(Learning):
    """A transformer that says itself whether it is fitted."""

    def __sklearn_is_fitted__(self):
        return True


class Tagged(Learning):
    """A transformer whose tags say that it needs no fit."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


class Marking(Stateless):
    """A transformer that marks itself as fitted, and learns nothing."""

    def fit(self, X, y=None):
        self.fitted_, self.n_features_in_ = True, 1
        return self


class Bare:
    """A transformer without a base class, and without `fit`."""

    def transform(self, X):
        return lengths(X)


class BareWithFit(Bare):
    def fit(self, X, y=None):
        return self


STATELESS = {
    "before fit": Stateless(),
    "behind fit": Stateless().fit(SENTENCES),
    "says that it is fitted": Telling(),
    "tagged": Tagged(),
    "marks itself": Marking(),
    "marked": Marking().fit(SENTENCES),
    "no fit": Bare(),
    "no base class": BareWithFit(),
    "function": FunctionTransformer(lengths),
    "frozen": FrozenEstimator(Stateless()),
    "union": FeatureUnion([("one", Stateless())]),
    "pipeline": make_pipeline(FunctionTransformer(), Stateless()),
    "fitted pipeline": make_pipeline(FunctionTransformer(), Stateless()).fit(SENTENCES),
    "pipelines": make_pipeline("passthrough", make_pipeline(FunctionTransformer(), Stateless())),
    "pipeline without an end": make_pipeline(Stateless(), "passthrough"),
}


@pytest.mark.parametrize("transformer", STATELESS.values(), ids=STATELESS)
def test_transformer_that_has_nothing_to_fit(transformer):
    scale = 0 if isinstance(transformer, Learning) else 1  # as it is before a fit
    before = {**vars(transformer)}
    encoder = as_encoder(transformer)
    encoder.load()
    assert_rows_close(encoder.encode(SENTENCES), scale * lengths(SENTENCES))
    assert vars(transformer) == before


@pytest.mark.parametrize(
    "pipeline",
    [
        make_pipeline(TfidfVectorizer(), Normalizer()).fit(SENTENCES),
        make_pipeline(HashingVectorizer(n_features=8), Normalizer()),
        make_pipeline(Stateless(), Normalizer()),
        make_pipeline(Stateless(), PCA(2)).fit(SENTENCES),
    ],
    ids=["fitted, stateless", "stateless", "without attributes, stateless", "stateless, fitted"],
)
def test_pipeline_of_fitted_steps_and_steps_without_a_fit(pipeline):
    encoder = as_encoder(pipeline)
    encoder.load()
    expected = pipeline.transform(SENTENCES)
    expected = expected.toarray() if hasattr(expected, "toarray") else expected
    assert_rows_close(encoder.encode(SENTENCES), expected)


@pytest.mark.parametrize(
    "transformer",
    [
        Learning(),
        make_pipeline(Learning(), Normalizer()),
        make_pipeline(TfidfVectorizer(), Normalizer()),
        FeatureUnion([("one", Stateless()), ("two", TfidfVectorizer())]),
    ],
    ids=["learns", "learns in a pipeline", "vectorizer before a stateless step", "union"],
)
def test_transformer_that_must_be_fitted_is_refused_before_anything_is_encoded(transformer):
    english = Counting()
    texts = [f"{text} {i}" for i in range(8) for text in SENTENCES]
    aligner = CrossLingualAligner("ko", encoder=english, english_encoder=transformer, corpus=None)
    with pytest.raises(NotFittedError, match=r"encoder \w+ is not fitted. Fit it on the English"):
        aligner.fit(texts)
    assert english.calls == []


def test_fitting_a_stateless_transformer_changes_no_row():
    rows = [
        CrossLingualAligner("ko", encoder=encoder, corpus=None)
        .fit(SENTENCES)
        .transform(["좋은 아침"])
        for encoder in (Stateless(), Stateless().fit(SENTENCES))
    ]
    np.testing.assert_array_equal(*rows)
    assert rows[0].tolist() == [[5, 0, 1]]


def test_error_of_a_transformer_that_cannot_reach_its_model_is_its_own():
    class Remote(Stateless):
        def transform(self, X):
            raise ConnectionError("no network")

    with pytest.raises(ConnectionError, match="no network"):
        as_encoder(Remote()).load()


class OfASeries(Stateless):
    """A transformer of single columns in the manner of skrub, which reads a Series alone."""

    __single_column_transformer__ = True

    def transform(self, X):
        assert isinstance(X, pd.Series)
        return pd.DataFrame(lengths(X))


class OfATable(Stateless):
    """A transformer of tables, which reads the columns that it was fitted on."""

    def fit(self, X, y=None):
        self.feature_names_in_ = np.array(X.columns, dtype=object)
        return self

    def transform(self, X):
        return lengths(X[self.feature_names_in_[0]])


@pytest.mark.parametrize(
    "transformer",
    [
        OfASeries(),
        make_pipeline(OfASeries(), "passthrough"),
        OfATable().fit(pd.DataFrame({"request": SENTENCES})),
    ],
    ids=["series", "series in a pipeline", "table"],
)
def test_transformer_gets_the_container_that_it_reads(transformer):
    encoder = as_encoder(transformer)
    encoder.load()
    assert_rows_close(encoder.encode(SENTENCES), lengths(SENTENCES))


def test_embetter():
    base = pytest.importorskip("embetter.base")

    class Lengths(base.EmbetterBase):
        def transform(self, X, y=None):
            return lengths(X)

    for encoder in (Lengths(), Lengths().fit(SENTENCES), make_pipeline(Lengths(), Normalizer())):
        handle = as_encoder(encoder)
        handle.load()
        assert_rows_close(handle.encode(SENTENCES), encoder.transform(SENTENCES))


@pytest.mark.parametrize("name", ["MinHashEncoder", "StringEncoder", "GapEncoder"])
def test_skrub(name):
    skrub = pytest.importorskip("skrub")
    unfitted = getattr(skrub, name)(n_components=3)
    with pytest.raises(NotFittedError, match=f"The encoder {name} is not fitted"):
        as_encoder(unfitted).load()
    column = pd.Series(SENTENCES * 3, name="text")
    fitted = unfitted.fit(column)
    encoder = as_encoder(fitted)
    encoder.load()
    expected = fitted.transform(column)[:4].to_numpy()
    assert_rows_close(encoder.encode(SENTENCES), expected)


def test_skrub_table():
    skrub = pytest.importorskip("skrub")
    table = pd.DataFrame({"text": [f"{text} {i}" for i in range(20) for text in SENTENCES]})
    text = skrub.StringEncoder(n_components=3)
    fitted = skrub.TableVectorizer(high_cardinality=text).fit(table)
    expected = fitted.transform(table)[:4].to_numpy()
    assert_rows_close(as_encoder(fitted).encode(table["text"].tolist()[:4]), expected)


# Functions, and methods of other names


class LangChain:
    def embed_documents(self, texts):
        return lengths(texts).tolist()

    def embed_query(self, text):
        raise AssertionError("queries have other rows")


class LlamaIndex:
    def __call__(self, nodes):
        raise AssertionError("nodes are not texts")

    def get_text_embedding_batch(self, texts, **more):
        return lengths(texts).tolist()


class FastEmbed:
    def embed(self, documents, batch_size=256, **more):
        yield from lengths(documents)


class Milvus:
    def encode_documents(self, documents):
        return {"dense": [*lengths(documents)], "sparse": csr_array(lengths(documents))}


class Chroma:
    def __call__(self, input):
        return [*lengths(input)]

    def embed_query(self, input):
        raise AssertionError("queries have other rows")


@pytest.mark.parametrize(
    "encoder",
    [
        LangChain(),
        LlamaIndex(),
        FastEmbed(),
        Milvus(),
        Chroma(),
        lengths,
        lambda texts: lengths(texts),
        functools.partial(lengths),
        Chroma().__call__,
        Bare().transform,
        lambda texts, *, scale=1: lengths(texts) * scale,
    ],
    ids=lambda encoder: getattr(encoder, "__qualname__", type(encoder).__name__),
)
def test_functions_and_methods_of_other_libraries(encoder):
    handle = as_encoder(encoder)
    handle.load()
    assert_rows_close(handle.encode(SENTENCES), lengths(SENTENCES))
    aligner = CrossLingualAligner("ko", encoder=encoder, corpus=None).fit(SENTENCES)
    assert aligner.transform(["좋은 아침"]).tolist() == [[5, 0, 1]]


def test_methods_are_equal_if_they_are_of_one_object():
    one, other = Bare(), Bare()
    assert as_encoder(one.transform) == as_encoder(one.transform)
    assert hash(as_encoder(one.transform)) == hash(as_encoder(one.transform))
    assert as_encoder(one.transform) != as_encoder(other.transform)


class Asynchronous:
    async def encode(self, texts):
        return lengths(texts)


class AsynchronousCall:
    async def __call__(self, texts):
        return lengths(texts)


async def asynchronous_function(texts):
    return lengths(texts)


@pytest.mark.parametrize(
    ("encoder", "call"),
    [
        (Asynchronous(), r"model\.encode\(texts\)"),
        (AsynchronousCall(), r"model\(texts\)"),
        (asynchronous_function, r"model\(texts\)"),
        (functools.partial(asynchronous_function), r"model\(texts\)"),
    ],
    ids=["method", "object", "function", "partial"],
)
def test_asynchronous_encoders_are_refused_and_the_remedy_works(encoder, call):
    with pytest.raises(TypeError, match=rf"is asynchronous.*\n.*asyncio\.run\({call}\)"):
        as_encoder(encoder)
    model = encoder.encode if isinstance(encoder, Asynchronous) else encoder
    remedy = as_encoder(lambda texts: asyncio.run(model(texts)))
    assert_rows_close(remedy.encode(SENTENCES), lengths(SENTENCES))


class NeedsMore:
    def encode(self, texts, *, task_metadata):
        return lengths(texts) * task_metadata


class NeedsName:
    def embed(self, model, input):
        return lengths(input)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (NeedsMore(), r"NeedsMore takes \(texts, \*, task_metadata\).*\n.*model\.encode\("),
        (NeedsName(), r"NeedsName takes \(model, input\).*\n.*model\.embed\("),
        (lambda: 1, r"<lambda> takes \(\)"),
    ],
    ids=["keyword", "two arguments", "no argument"],
)
def test_encoders_that_need_more_than_texts_are_refused(encoder, message):
    with pytest.raises(TypeError, match=message):
        as_encoder(encoder)


def test_an_encoder_may_empty_the_list_that_it_gets():
    def emptying(texts):
        rows = lengths(texts)
        texts.clear()
        return rows

    rows = EncodingSession().encode(as_encoder(emptying), ["a", "bb"])
    assert rows[:, 0].tolist() == [1, 2]


def test_rows_of_one_session_are_of_one_width():
    widths = iter([2, 3])
    session, encoder = (
        EncodingSession(),
        as_encoder(lambda texts: np.ones((len(texts), next(widths)))),
    )
    session.encode(encoder, ["a"])
    with pytest.raises(ValueError, match="width 3, and of width 2 before"):
        session.encode(encoder, ["a", "b"])


def test_an_encoder_may_use_its_buffer_again():
    buffer = np.empty((4, 3), dtype=np.float32)

    def reusing(texts):
        buffer[: len(texts)] = lengths(texts)
        return buffer[: len(texts)]

    session, encoder = EncodingSession(), as_encoder(reusing)
    session.encode(encoder, SENTENCES)
    session.encode(encoder, ["xxxx"])
    assert_rows_close(session.encode(encoder, SENTENCES), lengths(SENTENCES))


@pytest.mark.parametrize("language", ["ko", "en"])
def test_wrong_row_is_named_by_its_place_in_the_whole_input(language):
    wrong = {"ko": "나쁜 줄", "en": "a wrong row"}[language]

    def failing(texts):
        return [[np.nan if text == wrong else len(text), 1] for text in texts]

    aligner = CrossLingualAligner("ko", encoder=failing, corpus=None).fit(SENTENCES)
    rows = ["좋은 아침", "a dog", "a dog", "좋은 아침", wrong, "rain"]
    with pytest.raises(ValueError, match=f"failing returned NaN .* text 4 of the call, '{wrong}'"):
        aligner.transform(rows)


def test_a_saved_model_asks_for_its_function_again(tmp_path):
    aligner = CrossLingualAligner("ko", encoder=lengths, corpus=None).fit(SENTENCES)
    save(aligner, tmp_path / "model")
    assert "the function `lengths`" in (tmp_path / "model" / "README.md").read_text()
    with pytest.raises(ValueError, match=r"built with an object as encoder.*encoder="):
        load(tmp_path / "model")
    again = load(tmp_path / "model", encoder=lambda texts: lengths(texts))
    np.testing.assert_array_equal(again.transform(["좋은 아침"]), aligner.transform(["좋은 아침"]))


def without_a_module(**methods):
    """Instance of a class that was made where no module is executed."""
    made = {}
    exec("Made = type('Made', (), methods)", {"methods": methods}, made)
    return made["Made"]()


def lengths_of(model, texts):
    return lengths(texts)


@pytest.mark.parametrize("method", ["encode", "__call__", "transform", "embed"])
def test_object_whose_class_has_no_module(method):
    encoder = as_encoder(without_a_module(**{method: lengths_of}))
    encoder.load()
    assert encoder.encode(["a", "bc"]).tolist() == lengths(["a", "bc"]).tolist()


@pytest.mark.parametrize(
    ("method", "remedy"),
    [
        ("aembed_documents", "asyncio.run(model.aembed_documents(texts))"),
        ("aget_text_embedding_batch", "asyncio.run(model.aget_text_embedding_batch(texts))"),
        ("get_sentence_vector", "[model.get_sentence_vector(text) for text in texts]"),
        ("embed_query", "[model.embed_query(text) for text in texts]"),
        ("run", "[...the vector of text... for text in texts]"),
    ],
)
def test_object_with_another_method_is_named_with_a_remedy(method, remedy):
    model = types.SimpleNamespace(encode=None, **{method: lengths_of})
    with pytest.raises(TypeError) as raised:
        as_encoder(model)
    assert f"encoder=lambda texts: {remedy}" in str(raised.value)


@pytest.mark.parametrize("error", [AttributeError, TypeError, ValueError])
def test_error_of_a_model_of_one_text_has_a_note(error):
    def vector(text):
        if not isinstance(text, str):
            raise error("expected one str")
        return [1.0, 2.0]

    with pytest.raises(error, match=r"^expected one str") as raised:
        as_encoder(vector).encode(["a", "b"])
    (note,) = raised.value.__notes__
    assert "called with a list of 2 str" in note
    assert "encoder=lambda texts: [model(text) for text in texts]" in note


def test_remedy_for_the_encoder_protocol_of_mteb():
    class Model:
        def encode(self, inputs, *, task_metadata, hf_split, prompt_type=None):
            """Rows of batches of a loader."""

    with pytest.raises(TypeError) as raised:
        as_encoder(Model())
    call = 'model.encode([{"text": texts}], task_metadata=..., hf_split=...)'
    assert str(raised.value).endswith(f"encoder=lambda texts: {call}")
