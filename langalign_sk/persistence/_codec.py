"""Fitted objects as JSON and arrays, and back, without executing anything that was saved."""

from __future__ import annotations

import dataclasses
import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._utils.arrays import _WIDEST, is_identity

__all__ = ["decode", "encode"]


# All that can come out of a saved folder. Nothing is imported by a name that stands in a file.
_HOMES = {
    "AdapterAligner": "mapping",
    "AlignmentReport": "aligner._report",
    "CrossLingualAligner": "aligner",
    "EndpointEncoder": "encoders.endpoint",
    "Evaluation": "aligner._report",
    "LinearAligner": "mapping",
    "Network": "mapping",
    "PairChecks": "aligner._evidence",
    "RetrievalScores": "metrics",
    "SentenceEncoder": "encoders",
    "TextModel": "_quality",
    "TextQuality": "_quality",
    "VectorModel": "_quality",
    "VectorQuality": "_quality",
}
_KINDS = ("f4", "f8", "i4", "i8", "u1", "b1")
# Saved as None: what only goes on with a training that was interrupted.
_NOT_SAVED = ("_partial_state",)


def encode(value: Any, arrays: dict[str, NDArray], given: dict[str, Any], path: str = "") -> Any:
    """JSON of a value; its arrays go to `arrays`, what cannot be saved to `given`.

    Parameters
    ----------
    value : object
        Of plain Python types, arrays, and classes of this package.
    arrays : dict
        Gets the arrays, by their place in the value.
    given : dict
        Values by their place, which are to be passed again when the folder is loaded.
    path : str
        Place of the value.

    Returns
    -------
    object
        For json.dumps.

    Raises
    ------
    TypeError
        If something in it cannot be saved; the message names its place.
    """
    if path in given:
        return {"$given": path}
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else {"$float": repr(number)}
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, np.ndarray) and value.dtype.str[1:] in _KINDS:
        if is_identity(value):
            return {"$eye": [len(value), value.dtype.str]}
        # Products of the other memory order differ in the last digits.
        turned = value.flags.f_contiguous and not value.flags.c_contiguous
        native = value.dtype.newbyteorder("=")
        arrays[path] = np.asarray(value.T if turned else value, dtype=native, order="C")
        return {"$turned" if turned else "$array": path}
    if isinstance(value, np.ndarray) and all(isinstance(name, str) for name in value.flat):
        return {"$names": value.tolist()}  # feature_names_in_, after a fit on a table

    def inner(child: Any, name: Any) -> Any:
        return encode(child, arrays, given, f"{path}.{name}" if path else str(name))

    if isinstance(value, list):
        return [inner(child, i) for i, child in enumerate(value)]
    if isinstance(value, tuple):
        return {"$tuple": [inner(child, i) for i, child in enumerate(value)]}
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise TypeError(f"{path} is a dict with keys that are no str, which cannot be saved.")
        return {"$dict": {key: inner(child, key) for key, child in value.items()}}
    name = type(value).__name__
    if name in _HOMES and type(value) is _class(name):
        state = {k: None if k in _NOT_SAVED else v for k, v in vars(value).items()}
        return {"$object": name, "state": {k: inner(child, k) for k, child in state.items()}}
    raise TypeError(
        f"{path} is a {name}, which cannot be saved without pickle: leave it out, or dump the "
        "estimator by joblib."
    )


def decode(tree: Any, arrays: dict[str, NDArray], given: dict[str, Any]) -> Any:
    """The value that `encode` made a tree of.

    Raises
    ------
    ValueError, TypeError, KeyError
        If the tree is damaged.
    """
    if isinstance(tree, list):
        return [decode(child, arrays, given) for child in tree]
    if not isinstance(tree, dict):
        return tree
    if set(tree) == {"$object", "state"}:
        return _rebuilt(tree["$object"], tree["state"], arrays, given)
    if len(tree) != 1:
        raise ValueError("a tree has nodes of one key")
    (kind, content), *_ = tree.items()
    if kind == "$given":
        return given[content]
    if kind == "$float":
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[content]
    if kind == "$array":
        return arrays[content]
    if kind == "$turned":
        return arrays[content].T
    if kind == "$names":
        return np.array([str(name) for name in content], dtype=object)
    if kind == "$eye":
        n, dtype = content
        if dtype not in ("<f4", "<f8") or not 0 < int(n) <= _WIDEST:
            raise ValueError("no identity matrix")
        return np.eye(int(n), dtype=dtype)
    if kind == "$tuple":
        return tuple(decode(child, arrays, given) for child in content)
    if kind == "$dict":
        return {str(key): decode(child, arrays, given) for key, child in content.items()}
    raise ValueError(f"unknown kind of node {kind!r}")


def _rebuilt(name: str, state: dict[str, Any], arrays: dict[str, NDArray], given: Any) -> Any:
    kind: Any = _class(name)
    values = {str(key): decode(child, arrays, given) for key, child in state.items()}
    if any(hasattr(getattr(kind, key, None), "__call__") for key in values):  # noqa: B004
        raise ValueError("a value would hide a method")
    if values.get("trust_remote_code"):
        raise ValueError("who loads a model decides whether code of others runs, and no file")
    if dataclasses.is_dataclass(kind):
        make: Any = kind
        return make(**values)
    missing = set(kind._get_param_names()) - set(values)
    if missing:
        raise ValueError(f"parameters are missing: {missing}")
    out = kind.__new__(kind)
    out.__dict__.update(values)
    return out


def _class(name: str) -> Any:
    from importlib import import_module

    return getattr(import_module(f"..{_HOMES[name]}", __package__), name)
