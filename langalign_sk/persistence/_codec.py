"""Fitted objects as JSON and arrays, and back; reading executes nothing that was saved."""

from __future__ import annotations

import dataclasses
import math
import os
from contextlib import suppress
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.arrays import WIDEST_IDENTITY, is_diagonal, is_identity
from .._utils.stamp import complete_state
from ._kinds import Kind, kind_in_json

__all__ = ["decode", "encode"]


# Types of arrays, without their byte order.
_DTYPES = ("f4", "f8", "i4", "i8", "u1", "b1")
_SCALARS = bool | int | float | str | np.bool_ | np.integer | np.floating | os.PathLike


def encode(value: Any, arrays: dict[str, NDArray], given: dict[str, Any], path: str = "") -> Any:
    """JSON tree of a value; its arrays are put into a dict.

    Parameters
    ----------
    value : object
        A value of plain Python types, arrays, and classes of this package.
    arrays : dict
        Receives the arrays, by their place in the value.
    given : dict
        Values that are not saved, by their place: the user passes them again to `load`.
    path : str
        Place of the value, in names joined by dots.

    Returns
    -------
    object
        The tree, for json.dumps.

    Raises
    ------
    TypeError
        If a part of the value cannot be saved; the message names its place.
    """
    if path in given:
        return {"$given": path}
    if value is None or isinstance(value, _SCALARS):
        return _scalar(value)
    if isinstance(value, np.ndarray):
        return _array(value, arrays, path)

    def inner(child: Any, name: Any) -> Any:
        return encode(child, arrays, given, f"{path}.{name}" if path else str(name))

    if isinstance(value, list):
        return [inner(child, i) for i, child in enumerate(value)]
    if isinstance(value, tuple):
        return {"$tuple": [inner(child, i) for i, child in enumerate(value)]}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{path} is a dict with keys that are not str, which cannot be saved.")
        return {"$dict": {key: inner(child, key) for key, child in value.items()}}
    kind = _kind_of(value, path)
    state = {k: None if k in kind.left_out else v for k, v in vars(value).items()}
    return {"$object": kind.name, "state": {k: inner(child, k) for k, child in state.items()}}


def decode(tree: Any, arrays: dict[str, NDArray], given: dict[str, Any]) -> Any:
    """Value of a tree that `encode` returned.

    Parameters
    ----------
    tree : object
        The tree, from json.loads.
    arrays, given : dict
        As in `encode`.

    Returns
    -------
    object
        The value.

    Raises
    ------
    Exception
        If the tree is damaged: mostly a ValueError, TypeError or KeyError.
    """
    if isinstance(tree, list):
        return [decode(child, arrays, given) for child in tree]
    if not isinstance(tree, dict):
        return tree
    if set(tree) == {"$object", "state"}:
        return _rebuilt(tree["$object"], tree["state"], arrays, given)
    if len(tree) != 1:
        raise ValueError("a node has one key")
    (kind, content), *_ = tree.items()
    if kind == "$given":
        return given[content]
    if kind == "$float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
    if kind == "$tuple":
        return tuple(decode(child, arrays, given) for child in content)
    if kind == "$dict":
        return {str(key): decode(child, arrays, given) for key, child in content.items()}
    return _array_of(kind, content, arrays)


def _array_of(kind: str, content: Any, arrays: dict[str, NDArray]) -> NDArray:
    """Array of a node that `_array` returned."""
    if kind == "$array":
        return arrays[content]
    if kind == "$turned":
        return arrays[content].T
    if kind == "$names":
        return np.array([str(name) for name in content], dtype=object)
    if kind == "$eye":
        n, dtype = content
        if dtype not in ("<f4", "<f8") or not 0 < int(n) <= WIDEST_IDENTITY:
            raise ValueError("not an identity matrix")
        return np.eye(int(n), dtype=dtype)
    if kind == "$diagonal":
        if arrays[content].ndim != 1 or len(arrays[content]) > WIDEST_IDENTITY:
            raise ValueError("not the diagonal of a matrix")
        return np.diag(arrays[content])
    raise ValueError(f"unknown kind of node {kind!r}")


def _scalar(value: Any) -> Any:
    """JSON of a value without parts."""
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else {"$float": repr(number)}
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _array(value: NDArray, arrays: dict[str, NDArray], path: str) -> Any:
    """Node of an array, which goes to `arrays` unless JSON holds it."""
    if value.dtype.str[1:] not in _DTYPES:
        if all(isinstance(name, str) for name in value.flat):
            return {"$names": value.tolist()}  # feature_names_in_, after a fit on a table
        raise _not_saved(value, path)
    if is_identity(value):
        return {"$eye": [len(value), value.dtype.str]}
    if is_diagonal(value):
        arrays[path] = np.diagonal(value).astype(value.dtype.newbyteorder("="))
        return {"$diagonal": path}
    # Products of the other memory order differ in the last digits.
    turned = value.flags.f_contiguous and not value.flags.c_contiguous
    native = value.dtype.newbyteorder("=")
    arrays[path] = np.asarray(value.T if turned else value, dtype=native, order="C")
    return {"$turned" if turned else "$array": path}


def _kind_of(value: Any, path: str) -> Kind:
    """Kind of an object in JSON; of the class itself, not of another one by its name."""
    with suppress(KeyError):
        kind = kind_in_json(type(value).__name__)
        if kind.cls is type(value):
            return kind
    raise _not_saved(value, path)


def _not_saved(value: Any, path: str) -> TypeError:
    return TypeError(
        f"{path} is a {type(value).__name__}, which cannot be saved without pickle: leave it out, "
        "or dump the estimator by joblib."
    )


def _rebuilt(name: str, state: dict[str, Any], arrays: dict[str, NDArray], given: Any) -> Any:
    """Object of a class in the table of kinds, with the decoded attributes."""
    kind: Any = kind_in_json(name).cls
    values = {str(key): decode(child, arrays, given) for key, child in state.items()}
    if any(hasattr(getattr(kind, key, None), "__call__") for key in values):  # noqa: B004
        raise ValueError("a value would hide a method")
    if values.get("trust_remote_code"):
        raise ValueError("a file must not decide whether the code of a repository runs")
    if dataclasses.is_dataclass(kind):
        make: Any = kind
        return make(**values)
    values = complete_state(kind, values)
    missing = set(signature(kind).parameters) - set(values)
    if missing:
        raise ValueError(f"parameters are missing: {missing}")
    out = kind.__new__(kind)
    out.__dict__.update(values)
    return out
