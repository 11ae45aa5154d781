"""Identifiers of documents: what an index keeps, and how a saved one writes them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Hashable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np

from .._utils.containers import plain_values

__all__ = ["from_json", "is_plain", "kept_ids", "listed_ids", "to_json"]


_KINDS = "str, int, float, bool, bytes, tuple, UUID, Path, Decimal, or a date or time"

# Kinds that JSON has no value for. The first kind that fits is taken: a datetime is a date too.
_TAGS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "float": (float, repr, float),
    "bytes": (
        bytes,
        lambda key: base64.b64encode(key).decode("ascii"),
        lambda text: base64.b64decode(text, validate=True),
    ),
    "uuid": (UUID, str, UUID),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "decimal": (Decimal, str, Decimal),
    "path": (Path, str, Path),
}


def listed_ids(ids: Any) -> list[Any]:
    """Identifiers as a list, with Python's numbers and times in place of NumPy's.

    Parameters
    ----------
    ids : iterable
        Such as a list, an array, or a column of a table.

    Returns
    -------
    list
        Nothing is checked.

    Raises
    ------
    TypeError
        If `ids` is a set, which has no order, or not iterable.
    """
    if isinstance(ids, set | frozenset):
        raise TypeError("ids is a set, which has no order: pass a list of them.")
    if isinstance(ids, np.ndarray) and ids.dtype.kind == "M":
        return [_converted(key) for key in ids]  # tolist() would make numbers of nanoseconds
    try:
        listed = plain_values(ids)
    except TypeError as error:
        raise TypeError(f"ids must be a sequence of identifiers, got {ids!r}.") from error
    return [_converted(key) for key in listed]


def kept_ids(ids: Any, n: int) -> list[Hashable]:
    """Identifiers of n documents, each of which a saved index can restore.

    Parameters
    ----------
    ids : iterable of hashable
        As `listed_ids` takes them.
    n : int
        Number of documents.

    Returns
    -------
    list of hashable
        Identifiers. Whether they are unique is not checked.

    Raises
    ------
    TypeError
        If an identifier is of another kind.
    ValueError
        If there are more or fewer than n, or one is missing.
    """
    if isinstance(ids, str | bytes):
        raise ValueError(f"ids is a single {type(ids).__name__}: pass one identifier per document.")
    listed = listed_ids(ids)
    if len(listed) != n:
        raise ValueError(f"There are {len(listed)} ids for {n} documents.")
    for row, key in enumerate(listed):
        if _is_missing(key):
            raise ValueError(
                f"The id of document {row} is missing ({key!r}): give every document one, or pass "
                "ids=None to number them."
            )
        try:
            restored = from_json(to_json(key))
            same = restored == key and hash(restored) == hash(key)
        except (TypeError, ValueError):
            same = False
        if not same:
            raise TypeError(
                f"The id of document {row}, {key!r}, is {type(key).__name__}, which a saved index "
                f"could not restore: pass str(id). Identifiers are {_KINDS}."
            )
    return listed


def is_plain(key: Any) -> bool:
    """Whether JSON has a value for an identifier."""
    return isinstance(key, str | int)


def to_json(key: Any) -> Any:
    """Identifier as JSON: itself, or a dict of its kind and its text.

    Raises
    ------
    TypeError
        If it is of another kind.
    """
    if is_plain(key):
        return key
    if isinstance(key, tuple):
        return {"tuple": [to_json(part) for part in key]}
    for tag, (kind, written, _) in _TAGS.items():
        if isinstance(key, kind):
            return {tag: written(key)}
    raise TypeError(
        f"The id {key!r} is {type(key).__name__}, which a saved index could not restore: use str(id). "
        f"Identifiers are {_KINDS}."
    )


def from_json(value: Any) -> Any:
    """Identifier that `to_json` wrote.

    Raises
    ------
    ValueError
        If it is not such a value.
    """
    if is_plain(value):
        return value
    if isinstance(value, dict) and len(value) == 1:
        ((tag, text),) = value.items()
        if tag == "tuple" and isinstance(text, list):
            return tuple(from_json(part) for part in text)
        if tag in _TAGS and isinstance(text, str):
            try:
                return _TAGS[tag][2](text)
            except (binascii.Error, InvalidOperation) as error:
                raise ValueError(f"{value!r} is not an identifier.") from error
    raise ValueError(f"{value!r} is not an identifier.")


def _converted(key: Any) -> Any:
    """Python's value of a NumPy scalar."""
    if type(key) is tuple:
        return tuple(map(_converted, key))
    if isinstance(key, np.datetime64):
        micro = key.astype("datetime64[us]")  # item() makes a number of nanoseconds
        return micro.item() if micro == key else key
    return key.item() if isinstance(key, np.generic) else key


def _is_missing(key: Any) -> bool:
    """Whether a value stands for a missing one: None, NaN, or the NA and NaT of pandas."""
    if key is None or type(key).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(key, np.datetime64):
        return bool(np.isnat(key))
    return isinstance(key, float | Decimal) and key != key
