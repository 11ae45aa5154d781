"""Tests of encoders made from a user's own objects."""

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from langalign_sk.encoders import SentenceEncoder, as_encoder
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
