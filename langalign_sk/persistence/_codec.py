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
# Bytes of all identities and diagonals together, of which a file holds next to nothing.
_MOST_MADE = 1 << 28
# Fitted attributes that describe a fit, where NaN and infinity have a meaning.
_REPORTS = ("alignment_report_", "alpha_", "cv_results_", "history_")
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
    return _Writer(arrays, given).tree(value, path)


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
    return _Reader(arrays, given).value(tree)


class _Writer:
    """Writer of a tree, which counts the bytes that JSON stands for."""

    def __init__(self, arrays: dict[str, NDArray], given: dict[str, Any]) -> None:
        self._arrays, self._given, self._made = arrays, given, 0

    def tree(self, value: Any, path: str) -> Any:
        if path in self._given:
            return {"$given": path}
        if value is None or isinstance(value, _SCALARS):
            return _scalar(value)
        if isinstance(value, np.ndarray):
            return self._array(value, path)

        def inner(child: Any, name: Any) -> Any:
            return self.tree(child, f"{path}.{name}" if path else str(name))

        if isinstance(value, list):
            return [inner(child, i) for i, child in enumerate(value)]
        if isinstance(value, tuple):
            return {"$tuple": [inner(child, i) for i, child in enumerate(value)]}
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise TypeError(
                    f"{path} is a dict with keys that are not str, which cannot be saved."
                )
            return {"$dict": {key: inner(child, key) for key, child in value.items()}}
        kind = _kind_of(value, path)
        state = {k: None if k in kind.left_out else v for k, v in vars(value).items()}
        unknown = sorted({*state} - kind.attributes)
        if unknown:
            raise TypeError(
                f"The {kind.name} has the attribute {unknown[0]!r}, which is not one of its own and "
                f"cannot be saved: remove it by `del model.{unknown[0]}`, or dump it by joblib."
            )
        return {"$object": kind.name, "state": {k: inner(child, k) for k, child in state.items()}}

    def _array(self, value: NDArray, path: str) -> Any:
        """Node of an array, which goes to the arrays unless JSON holds it."""
        if value.dtype.str[1:] not in _DTYPES:
            if all(isinstance(name, str) for name in value.flat):
                return {"$names": value.tolist()}  # feature_names_in_, after a fit on a table
            raise _not_saved(value, path)
        if self._made + value.nbytes <= _MOST_MADE:
            if is_identity(value):
                self._made += value.nbytes
                return {"$eye": [len(value), value.dtype.str]}
            if is_diagonal(value):
                self._made += value.nbytes
                self._arrays[path] = np.diagonal(value).astype(value.dtype.newbyteorder("="))
                return {"$diagonal": path}
        # Products of the other memory order differ in the last digits.
        turned = value.flags.f_contiguous and not value.flags.c_contiguous
        native = value.dtype.newbyteorder("=")
        self._arrays[path] = np.asarray(value.T if turned else value, dtype=native, order="C")
        return {"$turned" if turned else "$array": path}


class _Reader:
    """Reader of a tree, which makes no more than a budget of bytes, and finite numbers only."""

    def __init__(self, arrays: dict[str, NDArray], given: dict[str, Any]) -> None:
        self._arrays, self._given, self._made = arrays, given, 0
        self._finite: set[str] = set()

    def value(self, tree: Any, finite: bool = False) -> Any:
        """Value of a tree; with `finite`, NaN and infinity are refused outside of arrays too."""
        if isinstance(tree, list):
            return [self.value(child, finite) for child in tree]
        if not isinstance(tree, dict):
            return tree
        if set(tree) == {"$object", "state"}:
            return self._object(tree["$object"], tree["state"], finite)
        if len(tree) != 1:
            raise ValueError("a node has one key")
        (kind, content), *_ = tree.items()
        if kind == "$given":
            return self._given[content]
        if kind == "$float" and not finite:
            return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
        if kind == "$tuple" and isinstance(content, list):
            return tuple(self.value(child, finite) for child in content)
        if kind == "$dict":
            return {str(key): self.value(child, finite) for key, child in content.items()}
        return self._array(kind, content)

    def _array(self, kind: str, content: Any) -> NDArray:
        """Array of a node that `_Writer` returned."""
        if kind == "$array":
            return self._saved(content)
        if kind == "$turned":
            return self._saved(content).T
        if kind == "$names" and isinstance(content, list):
            if not all(isinstance(name, str) for name in content):
                raise ValueError("a name is not a str")
            return np.array(content, dtype=object)
        if kind == "$eye":
            n, dtype = content
            if dtype not in ("<f4", "<f8") or type(n) is not int or not 0 < n <= WIDEST_IDENTITY:
                raise ValueError("not an identity matrix")
            self._spend(n * n * np.dtype(dtype).itemsize)
            return np.eye(n, dtype=dtype)
        if kind == "$diagonal":
            diagonal = self._saved(content)
            if diagonal.ndim != 1 or len(diagonal) > WIDEST_IDENTITY:
                raise ValueError("not the diagonal of a matrix")
            self._spend(len(diagonal) * diagonal.nbytes)
            return np.diag(diagonal)
        raise ValueError(f"unknown kind of node {kind!r}")

    def _saved(self, name: str) -> NDArray:
        """Array of the file, found to be of a saved type and finite."""
        array = self._arrays[name]
        if name not in self._finite:  # once, however many nodes name it
            if array.dtype.str[1:] not in _DTYPES:
                raise ValueError("an array is of another type")
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise ValueError("an array holds NaN or infinity")
            self._finite.add(name)
        return array

    def _spend(self, n_bytes: int) -> None:
        self._made += n_bytes
        if self._made > _MOST_MADE:
            raise ValueError("the arrays that are written as formulas are too large")

    def _object(self, name: str, state: dict[str, Any], finite: bool) -> Any:
        """Object of a class in the table of kinds, with the decoded attributes."""
        kind = kind_in_json(name)
        cls: Any = kind.cls
        if not {*state} <= kind.attributes:
            raise ValueError("there are attributes that the class does not have")
        values = {
            key: self.value(child, (finite or key in kind.fitted) and key not in _REPORTS)
            for key, child in state.items()
        }
        if any(hasattr(getattr(cls, key, None), "__call__") for key in values):  # noqa: B004
            raise ValueError("a value would hide a method")
        if dataclasses.is_dataclass(cls):
            make: Any = cls
            return make(**values)
        values = complete_state(cls, values)
        missing = set(signature(cls).parameters) - set(values)
        if missing:
            raise ValueError(f"parameters are missing: {missing}")
        out = cls.__new__(cls)
        out.__dict__.update(values)
        return out


def _scalar(value: Any) -> Any:
    """JSON of a value without parts."""
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else {"$float": repr(number)}
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    return os.fspath(value) if isinstance(value, os.PathLike) else value


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
