"""Tests of what an encoder may return, and of the errors about the rest."""

import array
import collections
import pickle
import types
from concurrent.futures import Future
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from langalign_sk.encoders.outputs import RowError, as_rows, numbered_in

TEXTS = ["one", "two", "three"]
ROWS = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
Answer = types.SimpleNamespace


def read(out):
    return as_rows(out, TEXTS, "Model")


def tensors(**how):
    torch = pytest.importorskip("torch")
    return torch.tensor(ROWS.tolist(), **how)


class Exporting:
    """An array of a package that numpy knows by DLPack alone."""

    def __dlpack__(self, **how):
        return ROWS.__dlpack__(**how)

    def __dlpack_device__(self):
        return ROWS.__dlpack_device__()


class Elsewhere:
    """An array of a device or type that numpy does not read, as bfloat16 of mlx."""

    def __dlpack__(self, **how):
        raise BufferError("of another type")

    def __dlpack_device__(self):
        return (1, 0)

    def tolist(self):
        return ROWS.tolist()


class OfTorch:
    """A tensor in the manner of torch without its methods for types, as those of paddle."""

    def detach(self):
        return self

    def cpu(self):
        return self

    def numpy(self):
        return ROWS


class OnDevice:
    """An array that refuses to be copied silently, as those of cupy do."""

    def __array__(self, *args, **kwargs):
        raise TypeError("implicit conversion is not allowed")

    def get(self):
        return ROWS


def reused():
    """Rows in one buffer that is filled again and again."""
    buffer = np.empty(2, dtype=np.float32)
    for row in ROWS:
        buffer[:] = row
        yield buffer


# Read

LIBRARIES = {
    "vLLM": lambda: [Answer(outputs=Answer(embedding=[*row]), finished=True) for row in ROWS],
    "dict by position": lambda: dict(enumerate(ROWS)),
    "BGE-M3": lambda: {"dense_vecs": ROWS, "lexical_weights": [{}] * 3, "colbert_vecs": None},
    "Milvus": lambda: {"dense": [*ROWS], "sparse": sp.csr_array(ROWS)},
    "sentence-transformers, all outputs": lambda: [
        {"sentence_embedding": row, "token_embeddings": np.ones((4, 2))} for row in ROWS
    ],
    "OpenAI, in another order": lambda: Answer(
        data=[Answer(index=i, embedding=ROWS[i].tolist()) for i in (2, 0, 1)]
    ),
    "OpenAI as JSON": lambda: {
        "object": "list",
        "data": [{"index": i, "embedding": ROWS[i].tolist()} for i in (1, 2, 0)],
        "model": "m",
    },
    "Ollama": lambda: Answer(embeddings=ROWS.tolist(), model="m"),
    "Cohere": lambda: {"id": "1", "embeddings": {"float": ROWS.tolist(), "int8": None}},
    "Gemini": lambda: Answer(embeddings=[Answer(values=row.tolist()) for row in ROWS]),
    "flair": lambda: [Answer(embedding=row) for row in ROWS],
    "FastEmbed": lambda: (row for row in ROWS),
}
CONTAINERS = {
    "list of lists": ROWS.tolist,
    "list of rows": lambda: [*ROWS],
    "list of rows of shape (1, width)": lambda: [row[None] for row in ROWS],
    "list of array.array": lambda: [array.array("d", row) for row in ROWS],
    "tuple": lambda: tuple(ROWS.tolist()),
    "deque": lambda: collections.deque(ROWS),
    "map": lambda: map(list, ROWS),
    "generator of batches": lambda: iter([ROWS[:2], ROWS[2:]]),
    "generator of one batch": lambda: iter([ROWS]),
    "generator with one buffer": reused,
    "dict by text": lambda: dict(zip(TEXTS, ROWS, strict=True)),
    "array of objects": lambda: ROWS.astype(object),
    "array of rows": lambda: pd.Series([*ROWS]).to_numpy(),
    "series of rows": lambda: pd.Series([*ROWS], index=[7, 8, 9]),
    "frame": lambda: pd.DataFrame(ROWS),
    "frame with a column of rows": lambda: pd.DataFrame({"vector": [*ROWS]}),
    "shape (n, 1, width)": lambda: ROWS[:, None],
    "memoryview": lambda: memoryview(ROWS),
    "dlpack": Exporting,
    "dlpack of another type": Elsewhere,
    "tensor in the manner of torch": OfTorch,
    "explicit copy": OnDevice,
    "masked array without masks": lambda: np.ma.masked_array(ROWS),
}
SPARSE = {
    "csr_matrix": lambda: sp.csr_matrix(ROWS),
    "coo_array": lambda: sp.coo_array(ROWS),
    "list of sparse rows": lambda: [sp.csr_array(row[None]) for row in ROWS],
    "sparse tensor": lambda: tensors().to_sparse(),
}
TYPES = {
    "float16": lambda: ROWS.astype(np.float16),
    "float64": lambda: ROWS.astype(np.float64),
    "int8": lambda: ROWS.astype(np.int8),
    "uint8": lambda: ROWS.astype(np.uint8),
    "big-endian": lambda: ROWS.astype(">f4"),
    "bfloat16 of numpy": lambda: ROWS.astype(pytest.importorskip("ml_dtypes").bfloat16),
    "bfloat16 tensor with a gradient": lambda: tensors(
        dtype=pytest.importorskip("torch").bfloat16, requires_grad=True
    ),
    "list of tensors": lambda: [*tensors()],
}


@pytest.mark.parametrize("make", [pytest.param(m, id=i) for i, m in LIBRARIES.items()])
def test_what_libraries_return(make):
    assert_array_equal(read(make()), ROWS, strict=True)


@pytest.mark.parametrize(
    "make", [pytest.param(m, id=i) for i, m in {**CONTAINERS, **SPARSE, **TYPES}.items()]
)
def test_containers_and_types(make):
    assert_array_equal(read(make()), ROWS, strict=True)


@pytest.mark.parametrize("frames", ["polars", "pyarrow"])
def test_columns_of_lists_of_other_packages(frames):
    package = pytest.importorskip(frames)
    column = package.Series if frames == "polars" else package.array
    assert_array_equal(read(column(ROWS.tolist())), ROWS, strict=True)


def test_bits_are_numbers():
    assert read(ROWS > 2).tolist() == [[0, 0], [1, 1], [1, 1]]


def test_one_vector_of_numbers_for_one_text():
    assert as_rows([1, 2, 3], ["one"], "Model").tolist() == [[1, 2, 3]]


def test_zero_rows_are_rows():
    assert read(np.zeros((3, 2))).tolist() == [[0, 0]] * 3


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_share_no_memory_with_the_output(dtype):
    out = ROWS.astype(dtype)
    rows = read(out)
    out[:] = 0
    assert_array_equal(rows, ROWS)


# Refused


async def coroutine():
    return ROWS


async def asynchronous_generator():
    for row in ROWS:
        yield row


def test_a_coroutine_is_closed_and_refused():
    waiting = coroutine()
    with pytest.raises(TypeError, match=r"Model is asynchronous.*\n.*asyncio\.run\(model\.encode"):
        read(waiting)
    assert waiting.cr_frame is None  # closed, so that Python does not warn


def test_an_asynchronous_generator_is_refused():
    with pytest.raises(TypeError, match="asynchronous generator"):
        read(asynchronous_generator())


REFUSED = {
    "dict of unknown names": (
        {"vecs": ROWS, "x": 1},
        "returned a dict with the keys 'vecs', 'x' for 3 texts",
        "model.encode(texts)['vecs']",
    ),
    "dict with two candidates": (
        {"embeddings": ROWS, "data": ROWS},
        "a dict with the keys 'embeddings', 'data'",
        "['embeddings']",
    ),
    "outputs of transformers": (
        {"last_hidden_state": np.ones((3, 4, 2)), "pooler_output": ROWS},
        "'last_hidden_state', 'pooler_output'",
        "['pooler_output']",
    ),
    "empty dict": ({}, "a dict that is empty", "Pass a function"),
    "list of dicts": ([{"v": [1, 2]}] * 3, "a dict with the keys 'v'", "row['v'] for row in"),
    "sparse embeddings": ([{"indices": [1], "values": [0.5]}] * 3, "for text 0", "dense ones"),
    "sparse objects": ([Answer(indices=[1], values=[0.5])] * 3, "SimpleNamespace", "dense ones"),
    "rows and something else": ((ROWS, {"tokens": 3}), "a tuple of dict and ndarray", "(texts)[0]"),
    "None": (None, "returned None", "may be missing"),
    "str": ("abc", "a str", "json.loads(model.encode(texts))"),
    "base64": ([Answer(embedding="AAAA")] * 3, "SimpleNamespace for text 0", "instead of base64"),
    "decimal numbers": ([[Decimal(1)]] * 3, "a list of Decimal for text 0", "dtype=float"),
    "list of several outputs": (
        [np.ones((3, 4, 2)), ROWS],
        "a list of ndarray for 3 texts",
        "encoder=lambda texts: model.encode(texts)[1]",
    ),
    "future": (Future(), "a Future", "encoder=lambda texts: model.encode(texts).result()"),
    "futures": (
        [Future()] * 3,
        "a Future for text 0",
        "encoder=lambda texts: [answer.result() for answer in model.encode(texts)]",
    ),
    "int": (3, "an int", "[model.encode(text) for text in texts]"),
    "set": ({1.0, 2.0, 3.0}, "a set", "np.array"),
    "function": (len, "a builtin_function_or_method", "np.array"),
    "objects without a vector": ([object()] * 3, "an object for text 0", "answer.vector"),
    "numbers as text": ([["1", "2"]] * 3, "a list of str for text 0", "np.array"),
    "complex": (ROWS * 1j, "an ndarray of complex", "Rows must consist of numbers"),
    "dates": (pd.DataFrame({"a": pd.to_datetime(["2020-01-01"] * 3)}), "datetime64", "numbers"),
    "missing in a frame": (
        pd.DataFrame(ROWS).astype("Float64").mask(ROWS == 3),
        "a DataFrame of object",
        "Rows must consist of numbers",
    ),
    "tokens": (np.ones((3, 4, 2)), "shape (3, 4, 2)", "np.mean(model.encode(texts), axis=1)"),
    "tokens of a pipeline": (np.ones((3, 1, 4, 2)).tolist(), "shape (3, 1, 4, 2)", "axis=(1, 2)"),
    "tokens of each text": ([np.ones((k, 2)) for k in (2, 3, 4)], "shape (2, 2)", "pool them"),
    "nested tokens": ([[[[1.0, 2.0]] * k] for k in (2, 3, 4)], "shape (1, 2, 2)", "axis=(0, 1)"),
    "transposed": (np.ones((8, 3)), "shape (8, 3) for 3 texts", "(texts).T"),
    "one row for all": (ROWS[0], "shape (2,)", "[model.encode(text) for text in texts]"),
    "row too few": (ROWS[:2], "shape (2, 2)", "one row, in the order of the texts"),
    "row too many": (np.ones((4, 2)), "shape (4, 2)", "one row"),
    "list too short": ([*ROWS[:2]], "shape (2, 2)", "one row"),
    "nothing": ([], "shape (0,)", "one row"),
    "no columns": (np.ones((3, 0)), "shape (3, 0)", "rows hold no numbers"),
    "wide and sparse": (sp.csr_array((3, 5000)), "sparse rows of width 5000", "TruncatedSVD"),
    "None for a row": ([ROWS[0], None, ROWS[1]], "None for text 1 of the call, 'two'", "missing"),
    "None in a row": ([[1, 2], [None, 1], [2, 2]], "list of NoneType and int for text 1", "array"),
    "ragged lists": ([[1, 2], [1, 2], [1, 2, 3]], "width 3 for text 2 of the call, 'three'", "one"),
    "ragged arrays": ([ROWS[0], ROWS[1][:1], ROWS[2]], "width 1 for text 1", "of one width"),
    "NaN": (np.where(ROWS == 3, np.nan, ROWS), "NaN or infinity for text 1 of the call, 'two'", ""),
    "masked": (np.ma.masked_array(ROWS, ROWS == 6), "NaN or infinity for text 2", ""),
}


@pytest.mark.parametrize(
    ("out", "what", "remedy"), [pytest.param(*case, id=i) for i, case in REFUSED.items()]
)
def test_anything_else_is_named_with_a_remedy(out, what, remedy):
    with pytest.raises(ValueError, match=r"^The encoder Model return") as raised:
        read(out)
    assert what in str(raised.value)
    assert remedy in str(raised.value)
    assert str(raised.value).count("\n") <= 1


def test_a_generator_that_never_ends():
    with pytest.raises(ValueError, match="more than 3 rows for 3 texts"):
        read(ROWS[0] for _ in iter(int, 1))


def test_an_error_inside_a_generator_is_the_users_own():
    def failing():
        yield ROWS[0]
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        read(failing())


def test_rows_are_numbered_by_their_first_place_in_the_whole_input():
    with (
        pytest.raises(RowError, match="text 2 of the call, 'x'"),
        numbered_in(["a", "b", "x", "x"]),
    ):
        raise RowError("nothing for {row}", "x", 0)
    asked = ["A", "X"]
    with pytest.raises(RowError, match="text 1 of the call, 'X'"), numbered_in(["a", "x"], asked):
        raise RowError("nothing for {row}", "x")
    with pytest.raises(RowError, match=r"for the text 'x'$"), numbered_in(["a"]):
        raise RowError("nothing for {row}", "x", 0)


def test_errors_about_rows_can_be_pickled_and_stay_short():
    error = RowError("nothing for {row}", "x" * 1000, 3)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert len(str(error)) < 120
