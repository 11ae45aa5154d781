"""Rows from what an encoder returns."""

from __future__ import annotations

import array
import contextlib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from numbers import Number
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

__all__ = ["RowError", "as_rows", "awaited_error", "numbered_in", "one_by_one"]


# Dense rows of a vectorizer without dimension reduction are wider than any map can learn.
_MAX_WIDTH = 4096
# Names under which libraries return sentence embeddings: FlagEmbedding, Milvus,
# sentence-transformers, ModelScope, transformers, vLLM, and the HTTP clients.
_NAMES = (
    "dense_vecs",
    "dense",
    "sentence_embedding",
    "sentence_embeddings",
    "text_embedding",
    "text_embeds",
    "embeddings",
    "embedding",
    "data",
    "outputs",
    "float",
    "float_",
    "values",
)
# Methods of answers that return their rows: of a future, and of Triton's client.
_METHODS = {"result": ".result()", "as_numpy": ".as_numpy(...)"}
_SHOWN = 60  # characters of a text in a message
_DEPTH = 4  # of responses within responses
_ROW = "{row}"
_OF_NUMBERS = list | tuple | Number | array.array


class RowError(ValueError):
    """Error about the row of one text.

    Parameters
    ----------
    message : str
        With "{row}" in the place of the text.
    text : str
        The text.
    row : int, default=None
        Number of the text in the call; None where the caller did not number it.
    """

    def __init__(self, message: str, text: str, row: int | None = None) -> None:
        super().__init__(message, text, row)
        self.message, self.text, self.row = message, text, row

    def __reduce__(self) -> tuple[Any, ...]:
        return RowError, (self.message, self.text, self.row)

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}..."
        number = "the text" if self.row is None else f"text {self.row} of the call,"
        return self.message.replace(_ROW, f"{number} {shown!r}", 1)


@contextlib.contextmanager
def numbered_in(texts: Sequence[str], asked: Sequence[str] | None = None) -> Iterator[None]:
    """Number the text of a RowError by its first place in a whole input.

    Parameters
    ----------
    texts : sequence of str
        All texts, as an encoder inside the context gets them.
    asked : sequence of str, default=None
        The same texts as they were passed; None if there is no difference.
    """
    try:
        yield
    except RowError as error:
        row = next((i for i, text in enumerate(texts) if text == error.text), None)
        error.text = error.text if row is None or asked is None else asked[row]
        error.row = row
        raise


def as_rows(
    out: Any, texts: Sequence[str], name: str, call: str = "model.encode(texts)"
) -> NDArray:
    """Output of an encoder as float32 rows, one per text; they share no memory with the output.

    Parameters
    ----------
    out : object
        Array, tensor or sparse matrix of shape (n_texts, width); list, generator or other iterable
        of rows or of batches of rows; or a dict or response that holds one of these under a name in
        use for sentence embeddings.
    texts : sequence of str
        What was encoded.
    name : str
        Name of the encoder, for errors.
    call : str, default="model.encode(texts)"
        The call that returned `out`, for the remedy in an error.

    Returns
    -------
    ndarray of shape (n_texts, width), float32
        The rows.

    Raises
    ------
    TypeError
        If the output must be awaited.
    ValueError
        If it is anything else than rows.
    RowError
        If the row of one text is missing, of another width or not finite; a ValueError too.

    Examples
    --------
    >>> from langalign_sk.encoders.outputs import as_rows
    >>> as_rows({"dense_vecs": iter([[1, 2], [3, 4]])}, ["a", "b"], "Model").tolist()
    [[1.0, 2.0], [3.0, 4.0]]
    """
    return _Output(texts, name, call).rows(out)


def awaited_error(name: str, call: str, *, generator: bool = False) -> TypeError:
    """Error about an encoder whose answer must be awaited."""
    if generator:
        return TypeError(
            f"The encoder {name} returns an asynchronous generator instead of rows. Pass a function "
            "that collects them:\n"
            f"    async def collected(texts): return [row async for row in {call}]\n"
            "    encoder=lambda texts: asyncio.run(collected(texts))"
        )
    return TypeError(
        f"The encoder {name} is asynchronous: it returns a coroutine instead of rows. Pass a function "
        f"that waits for it:\n    encoder=lambda texts: asyncio.run({call})"
    )


def one_by_one(call: str) -> str:
    """Function that calls an encoder of one text with each."""
    return f"encoder=lambda texts: [{call.replace('(texts', '(text')} for text in texts]"


class _Output:
    """Reader of what an encoder returned for some texts."""

    def __init__(self, texts: Sequence[str], name: str, call: str) -> None:
        self.texts, self.name, self.call = texts, name, call
        self.n = len(texts)

    def rows(self, out: Any) -> NDArray:
        """Rows of the output, checked."""
        if inspect.isawaitable(out) or hasattr(out, "__aiter__"):
            if inspect.iscoroutine(out):
                out.close()  # so that Python does not warn of it as well
            raise awaited_error(self.name, self.call, generator=hasattr(out, "__aiter__"))
        held = self._held(out)
        if held is None and out is not None:
            raise self._refused(_described(out), self._remedy_of_names(out))
        rows = self._numbers(held)
        if rows is not None and rows.dtype == object and rows.shape == (self.n, 1):
            rows = rows[:, 0]  # a frame with a column of rows
        if rows is None or (rows.dtype == object and rows.ndim == 1):
            rows = self._of_items(held if rows is None else list(rows), out)
        rows = self._floats(rows, out)
        if rows.ndim == 1 and self.n == 1:
            rows = rows[None, :]
        if rows.ndim == 3 and rows.shape[:2] == (self.n, 1):
            rows = rows[:, 0]
        if rows.ndim != 2 or len(rows) != self.n:
            raise self._refused(f"shape {rows.shape}", self._remedy_of_shape(rows.shape))
        if not rows.shape[1]:
            raise self._refused(f"shape {rows.shape}", "Its rows hold no numbers.")
        if not np.isfinite(rows).all():
            bad = int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])
            raise self._of_row("returned NaN or infinity for {row}.", bad)
        return rows

    def _held(self, out: Any) -> Any:
        """What a dict or a response holds, None if it cannot be told; anything else as it is."""
        for _ in range(_DEPTH):
            if isinstance(out, Mapping) and self.n:
                for keys in (self.texts, range(self.n)):
                    if len(out) <= self.n and all(key in out for key in keys):
                        return [out[key] for key in keys]
            inner = _inner(out)
            if inner is out or inner is None:
                return inner
            out = inner
        return out

    def _of_items(self, held: Any, out: Any) -> NDArray:
        """Array of rows that come one by one, or in batches."""
        if (
            isinstance(held, str | bytes | AbstractSet | Number | None)
            or callable(held)
            or not isinstance(held, Iterable)
        ):
            raise self._refused(_described(out), self._remedy_of_kind(held))
        if isinstance(held, list | tuple) and all(
            isinstance(row, list | tuple | Number) for row in held
        ):
            whole = _plain(held)
            if whole is not None:
                return whole
        if isinstance(held, list | tuple) and len(held) not in (1, self.n):
            self._check_not_several(held, out)
        # One more than there may be, since a generator may never end. Each row is copied before the
        # next is asked for: an encoder may fill one buffer again and again.
        items = held if isinstance(held, list | tuple) else islice(held, self.n + 1)
        rows = [self._row(row, i, out) for i, row in enumerate(_in_order(items))]
        if len(rows) != self.n and rows and all(row.ndim == 2 for row in rows):
            widths = {row.shape[1] for row in rows}
            if len(widths) == 1 and sum(map(len, rows)) == self.n:
                return np.concatenate(rows)
        rows = [row[0] if row.ndim == 2 and len(row) == 1 else row for row in rows]
        if len(rows) != self.n:
            shapes = {row.shape for row in rows}
            shape = (len(rows), *shapes.pop()) if len(shapes) == 1 else (len(rows),)
            many = rows and len(rows) > self.n and not isinstance(held, list | tuple)
            what = f"more than {self.n} rows" if many else f"shape {shape}"
            raise self._refused(what, self._remedy_of_shape(shape))
        for i, row in enumerate(rows):
            if row.ndim > 1:
                raise self._refused(
                    f"an array of shape {row.shape} for each text, such as "
                    f"{_shown(self.texts[i])},",
                    "These may be rows of tokens: pool them, as\n"
                    f"    encoder=lambda texts: [np.mean(rows, axis={_but_last(row.ndim)}) "
                    f"for rows in {self.call}]",
                )
            if row.shape != rows[0].shape:
                raise self._of_row(
                    f"returned {_width(row)} for {_ROW}, and {_width(rows[0])} for the first text: "
                    "all rows must be of one width.",
                    i,
                )
        return np.stack(rows) if rows else np.empty(0, dtype=np.float32)

    def _check_not_several(self, held: Sequence[Any], out: Any) -> None:
        """Raise ValueError for rows beside other outputs of a model."""
        shapes = [_shape(item) for item in held]
        of_texts = [i for i, shape in enumerate(shapes) if len(shape) > 1 and shape[0] == self.n]
        rows = [i for i in of_texts if len(shapes[i]) == 2]
        # Batches of rows add up to as many as there are texts.
        batches = all(len(shape) == 2 for shape in shapes)
        if of_texts and not (batches and sum(shape[0] for shape in shapes) == self.n):
            at = (rows or of_texts)[0]
            raise self._refused(
                _described(out), f"Pass a function:\n    encoder=lambda texts: {self.call}[{at}]"
            )

    def _numbers(self, out: Any) -> NDArray | None:
        """Array of a tensor, sparse matrix, frame or array of any package; None for others."""
        if hasattr(out, "detach"):  # a torch tensor, on any device and of any float type
            out = out.detach()
            if str(getattr(out, "layout", "torch.strided")) != "torch.strided":
                self._check_sparse_width(out.shape)
                out = out.to_dense()
            # Tensors of other packages in the manner of torch have no types that numpy lacks.
            return np.asarray((out.float() if hasattr(out, "float") else out).cpu().numpy())
        if issparse(out) or hasattr(out, "todense"):
            self._check_sparse_width(out.shape)
            return np.asarray(out.toarray() if hasattr(out, "toarray") else out.todense())
        if isinstance(out, np.ma.MaskedArray):
            return np.where(np.ma.getmaskarray(out), np.nan, out.data)
        if hasattr(out, "__array__"):
            try:
                return np.asarray(out)
            except TypeError:  # cupy asks for an explicit copy
                return np.asarray(out.get()) if hasattr(out, "get") else None
        if hasattr(out, "__dlpack__"):
            try:
                return np.from_dlpack(out)
            except (BufferError, RuntimeError, TypeError, ValueError):  # of another device or type
                return np.asarray(out.tolist()) if hasattr(out, "tolist") else None
        if isinstance(out, memoryview):
            return np.asarray(out)
        return np.asarray(out.numpy()) if hasattr(out, "numpy") else None

    def _check_sparse_width(self, shape: tuple[int, ...]) -> None:
        if shape[-1] > _MAX_WIDTH:
            raise ValueError(
                f"The encoder {self.name} returns sparse rows of width {shape[-1]}, over {_MAX_WIDTH}. "
                "Put sklearn.decomposition.TruncatedSVD behind it, and train the English head on its "
                "output."
            )

    def _row(self, row: Any, i: int, out: Any) -> NDArray:
        """Copy of one item, which is mostly the row of text i."""
        held = self._held(row)
        found = self._numbers(held)
        if found is None:
            found = _plain(held) if isinstance(held, _OF_NUMBERS) else None
        if found is None:
            what = f"{_described(row)} for {_ROW}"
            remedy = self._remedy_of_kind(row if held is None else held, of_row=True)
            if i >= self.n:
                raise self._refused(_described(out), remedy)
            raise self._of_row(f"returned {what}. {remedy}", i)
        return self._floats(found, row)

    def _floats(self, array: NDArray, out: Any) -> NDArray:
        """Copy of an array as float32."""
        kind = array.dtype.kind
        # Types that numpy learned from a package, such as bfloat16, are of kind V.
        if kind in "biufO" or (kind == "V" and array.dtype.fields is None):
            try:
                with np.errstate(over="ignore"):  # infinity is refused
                    return array.astype(np.float32)
            except (TypeError, ValueError):
                pass
        raise self._refused(f"{_described(out)} of {array.dtype}", "Rows must consist of numbers.")

    def _refused(self, what: str, remedy: str) -> ValueError:
        return ValueError(
            f"The encoder {self.name} returned {what} for {self.n} texts; it must return "
            f"({self.n}, width). {remedy}".rstrip()
        )

    def _of_row(self, message: str, i: int) -> RowError:
        return RowError(f"The encoder {self.name} {message}", self.texts[i], i)

    def _remedy_of_names(self, out: Any, *, of_row: bool = False) -> str:
        names = _names_of(out)
        if "indices" in names:
            return "These are sparse embeddings: ask the model for the dense ones."
        dimensions = 1 if of_row else 2
        fitting = [name for name in names if len(_shape(_value(out, name))) == dimensions]
        at = f"[{[*fitting, *names][0]!r}]" if names else "[...]"
        rows = f"[row{at} for row in {self.call}]" if of_row else f"{self.call}{at}"
        return f"Pass a function that takes the rows out:\n    encoder=lambda texts: {rows}"

    def _taken(self, values: str, of_row: bool) -> str:
        """Function that applies a method to an answer, or to the answer of each text."""
        one, many = f"[answer{values} for answer in {self.call}]", f"{self.call}{values}"
        return f"encoder=lambda texts: {one if of_row else many}"

    def _remedy_of_kind(self, held: Any, *, of_row: bool = False) -> str:
        if isinstance(held, Number):
            return f"It may take one text at a time: pass a function\n    {one_by_one(self.call)}"
        if isinstance(held, Mapping) or hasattr(held, "indices"):
            return self._remedy_of_names(held, of_row=True)
        if held is None:
            return "A return statement or a result may be missing."
        if isinstance(held, str | bytes):
            return (
                "A row holds numbers: ask for them instead of base64, and read an answer in JSON "
                f"first, as\n    encoder=lambda texts: json.loads({self.call})['embeddings']"
            )
        if isinstance(held, list | tuple):
            return (
                "A row holds numbers: pass a function that converts them, as\n"
                f"    encoder=lambda texts: np.array({self.call}, dtype=float)"
            )
        for name, values in _METHODS.items():
            if callable(getattr(held, name, None)):
                return f"Pass a function that takes the numbers out:\n    {self._taken(values, of_row)}"
        return (
            "Pass a function that returns an array, such as\n"
            f"    encoder=lambda texts: np.array([answer.vector for answer in {self.call}])"
        )

    def _remedy_of_shape(self, shape: tuple[int, ...]) -> str:
        if len(shape) > 2 and shape[0] == self.n:
            return (
                "These may be rows of tokens: pool them, and leave padding out, as\n"
                f"    encoder=lambda texts: np.mean({self.call}, axis={_but_last(len(shape), 1)})"
            )
        if len(shape) == 2 and shape[1] == self.n:
            return f"Pass its transpose:\n    encoder=lambda texts: {self.call}.T"
        if len(shape) == 1 and shape[0] not in (0, self.n):
            return f"It may take one text at a time: pass a function\n    {one_by_one(self.call)}"
        if len(shape) in (1, 2):
            return "Each text must have one row, in the order of the texts, also an empty one."
        return ""


def _but_last(n_axes: int, first: int = 0) -> int | tuple[int, ...]:
    """Axes between the first ones and the last, as `axis` of numpy."""
    axes = tuple(range(first, n_axes - 1))
    return axes[0] if len(axes) == 1 else axes


def _plain(rows: Any) -> NDArray | None:
    """Array of lists of numbers; None for anything else."""
    try:
        array = np.asarray(rows)
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in "biuf" else None


def _inner(out: Any) -> Any:
    """What a dict or a response holds; None if it cannot be told, and itself if it is neither."""
    if isinstance(out, Mapping):
        if "indices" in out:  # a sparse embedding
            return None
        return _only(out, [name for name in _NAMES if out.get(name) is not None])
    if out is None or isinstance(out, str | bytes | list | tuple | Number) or _is_array(out):
        return out
    fields = [name for name in _NAMES if _is_field(getattr(out, name, None))]
    if not fields or hasattr(out, "indices"):  # a sparse embedding
        return out
    return _only(out, fields)


def _is_array(out: Any) -> bool:
    return any(hasattr(out, name) for name in ("__array__", "__dlpack__", "detach", "todense"))


def _is_field(value: Any) -> bool:
    """Whether an attribute holds rows; not a method, nor a buffer."""
    return value is not None and not callable(value) and not isinstance(value, memoryview)


def _only(out: Any, names: list[str]) -> Any:
    return _value(out, names[0]) if len(names) == 1 else None


def _value(out: Any, name: Any) -> Any:
    return out[name] if isinstance(out, Mapping) else getattr(out, name)


def _names_of(out: Any) -> list[str]:
    if isinstance(out, Mapping):
        return [*out]
    names = ("indices", *_NAMES)
    return [name for name in names if _is_field(getattr(out, name, None))]


def _in_order(items: Iterable[Any]) -> Iterable[Any]:
    """Items of a list in the order of the numbers that a response gave them, if any."""
    if not isinstance(items, list | tuple):
        return items
    place = {_number(item): item for item in items}
    wanted = range(len(items))
    return [place[i] for i in wanted] if all(i in place for i in wanted) else items


def _number(item: Any) -> int | None:
    """Number of an item of a response in the manner of OpenAI's; None for anything else."""
    if isinstance(item, Mapping):
        number = item.get("index") if "embedding" in item else None
    else:
        number = getattr(item, "index", None) if hasattr(item, "embedding") else None
    return number if isinstance(number, int) else None


def _shape(value: Any) -> tuple[int, ...]:
    """Shape of an array, or of lists of numbers; () for anything else."""
    array = _plain(value) if isinstance(value, list | tuple) else value
    return tuple(getattr(array, "shape", ()))


def _width(row: NDArray) -> str:
    return f"a row of width {len(row)}" if row.ndim == 1 else f"shape {row.shape}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")


def _described(out: Any) -> str:
    """What an output is, in words."""
    if out is None:
        return "None"
    name = type(out).__name__
    what = f"{'an' if name[0] in 'aeiouAEIOU' or name == 'ndarray' else 'a'} {name}"
    if isinstance(out, Mapping):
        keys = ", ".join(map(repr, islice(out, 8)))
        return f"{what} with the keys {keys}" if out else f"{what} that is empty"
    if isinstance(out, list | tuple) and out:
        kinds = sorted({type(item).__name__ for item in out})
        return f"{what} of {' and '.join(kinds[:3])}"
    return what
