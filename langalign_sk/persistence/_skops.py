"""Files of skops, which hold types that skops trusts and classes of this package."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from inspect import isfunction
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from numpy.lib.format import read_array_header_1_0, read_array_header_2_0

from .._utils.bundle import Bundle
from .._utils.optional import import_extra
from .._utils.validation import warn_user
from ._kinds import Kind, trusted

__all__ = ["dumped", "read_dumped"]


# Bytes that a file may unpack to: this many, or so many times its own size. Schemas of fitted
# models shrink to a fifteenth, and arrays hardly.
_UNPACKED, _TIMES = 1 << 24, 40
_BRACKETS = 200_000  # lists and objects in a schema, or as many as the file has bytes
_VALUES = 1_000_000  # the same of values
_MAGIC = b"\x93NUMPY"
_NAMED = 8  # types in a message


def dumped(estimator: Any) -> bytes:
    """Content of a skops file of an estimator; a warning names what `load` will refuse in it.

    Raises
    ------
    ImportError
        If skops is not installed.
    TypeError
        If a parameter is a function that no other process can find by its name.
    """
    for name, value in estimator.get_params(deep=True).items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isfunction(one) and "<" in one.__qualname__:  # <lambda> or <locals>
                raise TypeError(
                    f"{name} is the function {one.__qualname__}, which cannot be saved: no other "
                    "process finds it by this name. Define it by def at the top of a module of yours."
                )
    # The schema, which is text, is the larger part of a small model.
    content: bytes = _skops().dumps(estimator, compression=ZIP_DEFLATED)
    if _unpacks_to_much(content):  # load would refuse it
        content = _skops().dumps(estimator, compression=ZIP_STORED)
    unknown = _untrusted(content)
    if unknown:
        warn_user(
            f"The {type(estimator).__name__} holds {unknown[0]!r}, which skops does not trust: it is "
            "saved, and load will refuse it. skops.io.load with trusted= reads the file, and joblib "
            "dumps the estimator as it is."
        )
    return content


def read_dumped(saved: Bundle, kind: Kind, content: bytes) -> Any:
    """Estimator in a skops file, which `Policy` has yet to look at.

    Raises
    ------
    ImportError
        If skops is not installed.
    ValueError
        If the file is damaged, unpacks to many times its size, or holds types that may execute code.
    """
    skops = _skops()
    where = f"The {kind.name} in {str(saved.folder)!r}"
    try:
        if _unpacks_to_much(content):
            raise saved.damaged
        types = skops.get_untrusted_types(data=content)
        unknown = _untrusted(content)
    except Exception as error:  # what is not a file of skops raises errors of all kinds
        raise saved.damaged from error
    if unknown:
        path = str(saved.folder / saved.files["model"]["name"])
        more = f" and {len(unknown) - _NAMED:,} more" if len(unknown) > _NAMED else ""
        raise ValueError(
            f"{where} holds {', '.join(map(repr, unknown[:_NAMED]))}{more}, which skops does not "
            f"trust: it may execute any code. If you trust all of it, set path = {path!r}, and "
            "skops.io.load(path, trusted=skops.io.get_untrusted_types(file=path)) loads the file."
        )
    try:
        estimator = skops.loads(content, trusted=types)
    except Exception as error:
        raise saved.damaged from error
    if type(estimator) is not kind.cls:
        raise saved.damaged
    return estimator


def _untrusted(content: bytes) -> list[str]:
    """Names of the types in a file that neither skops nor this package trusts."""
    types = _skops().get_untrusted_types(data=content)
    return [name for name in types if name not in trusted()]


def _skops() -> Any:
    need = "A Pipeline or a classifier is saved by skops, which is not installed"
    return import_extra("skops.io", need, "skops")


def _unpacks_to_much(content: bytes) -> bool:
    """Whether a file unpacks to more than a model of its size does."""
    most = max(_UNPACKED, _TIMES * len(content))
    with ZipFile(io.BytesIO(content)) as file:
        sizes = {}
        for part in file.infolist():
            with file.open(part) as opened:
                is_archive = opened.read(4) == b"PK\3\4"  # of a sparse matrix
            _check_count(file, part)
            sizes[part.filename] = part.file_size
            # No part is read beyond the size that is written in the archive.
            if sum(sizes.values()) > most:
                return True
            if is_archive:
                with ZipFile(io.BytesIO(file.read(part))) as inner:
                    sizes[part.filename] += sum(one.file_size for one in inner.infolist())
                    for one in inner.infolist():
                        _check_count(inner, one)
        if len(sizes) < len(file.infolist()) or sum(sizes.values()) > most:
            return True
        schema = file.read("schema.json")
    # Before anything is built: a list costs many times its two characters.
    if schema.count(b"[") + schema.count(b"{") > max(_BRACKETS, len(content)):
        return True
    if schema.count(b",") > max(_VALUES, len(content)):
        return True
    # Every node that names a part reads it anew.
    return sum(sizes.get(name, 0) for name in _parts_in(json.loads(schema))) > most


def _check_count(archive: ZipFile, part: ZipInfo) -> None:
    """Raise ValueError for an array of more elements than bytes, which are of no bytes then."""
    with archive.open(part) as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            return
        first, _ = file.read(2)
        read = read_array_header_1_0 if first == 1 else read_array_header_2_0
        shape, _, _ = read(file)
    if math.prod(shape) > part.file_size:
        raise ValueError("an array has more elements than bytes")


def _parts_in(schema: Any) -> Iterator[str]:
    """Parts that the nodes of a schema name, as often as they do.

    Raises
    ------
    ValueError
        For a node of the type numpy.void, which makes bytes of a number of them.
    """
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if isinstance(node.get("file"), str):
                yield node["file"]
            if node.get("__class__") == "void":
                raise ValueError("a number stands for bytes")
            stack += node.values()
        elif isinstance(node, list):
            stack += node
