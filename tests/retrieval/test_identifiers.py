"""Identifiers: what `fit` takes, a saved index keeps; everything else is told before encoding."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from langalign_sk import CrossLingualAligner, CrossLingualRetriever
from langalign_sk.retrieval.identifiers import from_json, to_json
from tests.toy import ENGLISH, NeverEncode

D = np.eye(3)
FIRST, SECOND = UUID(int=1), UUID(int=2)
NOON = datetime(2026, 1, 2, 12)

KEPT = {
    "str": (["a", "b", "c"], ["a", "b", "c"]),
    "int": ([3, -1, 10**30], [3, -1, 10**30]),
    "int and str of the same digits": ([1, "1", "01"], [1, "1", "01"]),
    "empty str": (["", " ", "a"], ["", " ", "a"]),
    "str with half a surrogate pair": (["\ud83d", "b", "c"], ["\ud83d", "b", "c"]),
    "uuid": ([FIRST, SECOND, str(FIRST)], [FIRST, SECOND, str(FIRST)]),
    "numpy ints": ([np.int64(5), np.uint8(7), 9], [5, 7, 9]),
    "array of ints": (np.array([5, 7, 9]), [5, 7, 9]),
    "numpy str": ([np.str_("a"), "b", "c"], ["a", "b", "c"]),
    "array of str": (np.array(["a", "b", "c"]), ["a", "b", "c"]),
    "bool": ([True, False, 7], [True, False, 7]),
    "numpy bool": (np.array([True, False]), [True, False]),
    "float": ([1.5, 0.1, float("inf")], [1.5, 0.1, float("inf")]),
    "bytes": ([b"a", b"\xff\x00", b""], [b"a", b"\xff\x00", b""]),
    "tuple": ([("a", 1), ("a", "1"), ("a", (FIRST, 2))], [("a", 1), ("a", "1"), ("a", (FIRST, 2))]),
    "tuple of numpy ints": ([(np.int64(1), "a"), (2, "a"), ()], [(1, "a"), (2, "a"), ()]),
    "datetime": ([NOON, NOON.replace(tzinfo=UTC), NOON.date()],) * 2,
    "time": ([time(12), time(12, 30), "12:00"], [time(12), time(12, 30), "12:00"]),
    "array of datetimes": (
        np.array(["2026-01-02T12", "2026-01-03"], dtype="datetime64[ns]"),
        [NOON, datetime(2026, 1, 3)],
    ),
    "column of timestamps": (pd.Series([pd.Timestamp(NOON)]), [NOON]),
    "decimal": ([Decimal("1.10"), Decimal("1.2"), 3], [Decimal("1.10"), Decimal("1.2"), 3]),
    "path": ([Path("a/b.txt"), "a/b.txt", Path("c")], [Path("a/b.txt"), "a/b.txt", Path("c")]),
    "column": (pd.Series(["a", "b"], index=[7, 8]), ["a", "b"]),
    "index": (pd.MultiIndex.from_tuples([("a", 1), ("b", 2)]), [("a", 1), ("b", 2)]),
    "range": (range(5, 8), [5, 6, 7]),
    "generator": ((key for key in "abc"), ["a", "b", "c"]),
    "keys of a dict": ({"a": 1, "b": 2}.keys(), ["a", "b"]),
}


@pytest.mark.parametrize("name", KEPT)
def test_what_fit_takes_a_saved_index_keeps(name, tmp_path):
    ids, expected = KEPT[name]
    n = len(expected)
    retriever = CrossLingualRetriever(n_neighbors=1).fit(D[:n], ids=ids)
    assert retriever.ids_ == expected
    assert list(map(type, retriever.ids_)) == [
        pd.Timestamp if name == "column of timestamps" else type(key) for key in expected
    ]
    retriever.save_index(tmp_path)
    opened = CrossLingualRetriever(n_neighbors=1).open_index(tmp_path)
    assert opened.ids_ == expected
    assert list(map(type, opened.ids_)) == list(map(type, expected))
    assert opened.search(D[:n])["id"].tolist() == expected
    if n > 1:
        assert opened.remove([expected[1]]).ids_ == [expected[0], *expected[2:]]
    plain = all(isinstance(key, str | int) for key in expected)
    manifest = json.loads((tmp_path / "index.json").read_text(encoding="utf-8"))
    assert manifest["format_version"] == (1 if plain else 3)


class Colour(Enum):
    RED = 1


REFUSED = {
    "None": ([1, None, 3], ValueError, r"id of document 1 is missing \(None\)"),
    "NaN": ([1.0, 2.0, np.nan], ValueError, r"id of document 2 is missing \(nan\)"),
    "NA of pandas": ([pd.NA, 2, 3], ValueError, r"id of document 0 is missing \(<NA>\)"),
    "NaT": ([1, pd.NaT, 3], ValueError, "id of document 1 is missing"),
    "NaT in an array": (np.array([1, 2, "NaT"], dtype="datetime64[D]"), ValueError, "2 is missing"),
    "object": ([1, object(), 3], TypeError, r"document 1, <object .*pass str\(id\)"),
    "enum": ([1, 2, Colour.RED], TypeError, r"document 2, <Colour.*is Colour.*pass str\(id\)"),
    "list": ([[1], [2], [3]], TypeError, r"document 0, \[1\], is list"),
    "frozenset": ([1, frozenset({2}), 3], TypeError, "document 1.*is frozenset"),
    "nanoseconds": ([pd.Timestamp(1), 2, 3], TypeError, "document 0.*is Timestamp"),
    "object in a tuple": ([1, 2, ("a", object())], TypeError, "document 2.*is tuple"),
    "set": ({1, 2, 3}, TypeError, "is a set, which has no order"),
    "number": (7, TypeError, "must be a sequence of identifiers, got 7"),
    "one str": ("abc", ValueError, "ids is a single str"),
    "bytes": (b"abc", ValueError, "ids is a single bytes"),
    "too few": (["a"], ValueError, "1 ids for 3 documents"),
    "twice": (["a", "b", "a"], ValueError, "'a' stands for two documents.* document 2"),
    "1 and True": ([1, 2, True], ValueError, "True stands for two documents"),
    "1 and 1.0": ([1, 2, 1.0], ValueError, "1.0 stands for two documents"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_identifiers_are_told_before_anything_is_encoded(name):
    ids, error, match = REFUSED[name]
    aligner = CrossLingualAligner("ko", encoder=NeverEncode(), corpus=None)
    with pytest.raises(error, match=match):
        CrossLingualRetriever(aligner).fit(ENGLISH[:3], ids=ids)
    retriever = CrossLingualRetriever().fit(D, ids=["x", "y", "z"])
    with pytest.raises(error, match=match):
        retriever.add(D, ids=ids)
    assert retriever.ids_ == ["x", "y", "z"]


def test_documents_are_added_and_judged_by_any_identifier():
    retriever = CrossLingualRetriever(n_neighbors=1).fit(D[:2], ids=[FIRST, NOON])
    retriever.add(D[2:], ids=[date(2026, 1, 2)])
    assert retriever.remove({FIRST}).ids_ == [NOON, date(2026, 1, 2)]
    assert retriever.remove(NOON).ids_ == [date(2026, 1, 2)]
    with pytest.raises(KeyError, match="no document with the id UUID"):
        retriever.remove(SECOND)
    judged = CrossLingualRetriever().fit(D, ids=[1, 2, 3], judgements=(D[:2], np.array([2, 3])))
    assert judged.ids_ == [1, 2, 3]
    with pytest.raises(ValueError, match="judgements name the document UUID"):
        judged.fit(D, ids=[1, 2, 3], judgements=(D[:1], [FIRST]))


@pytest.mark.parametrize(
    "value",
    [
        None,
        1.5,
        [],
        {},
        {"uuid": "1"},
        {"uuid": 1},
        {"bytes": "?"},
        {"decimal": "a"},
        {"tuple": "a"},
        {"tuple": [None]},
        {"module": "os"},
        {"uuid": str(FIRST), "float": "1"},
        {"datetime": "noon"},
    ],
)
def test_nothing_else_is_read_from_a_file(value, tmp_path):
    with pytest.raises(ValueError, match=r"not an identifier|badly formed|Invalid isoformat"):
        from_json(value)


def test_identifiers_as_json():
    assert to_json(FIRST) == {"uuid": str(FIRST)}
    assert to_json(("a", 1.5)) == {"tuple": ["a", {"float": "1.5"}]}
    assert to_json(7) == 7


def test_a_damaged_identifier_is_told_as_damage(tmp_path):
    CrossLingualRetriever().fit(D, ids=[FIRST, SECOND, 3]).save_index(tmp_path)
    (path,) = tmp_path.glob("documents*")
    path.write_bytes(path.read_bytes().replace(b'"uuid"', b'"guid"'))
    with pytest.raises(ValueError, match=r"damaged|changed"):
        CrossLingualRetriever().open_index(tmp_path)


def test_a_number_that_a_saved_index_does_not_hold_is_refused_by_save(tmp_path):
    for key in (10**50, 2**199):
        CrossLingualRetriever(n_neighbors=1).fit(D[:1], ids=[key]).save_index(tmp_path / "kept")
        opened = CrossLingualRetriever(n_neighbors=1).open_index(tmp_path / "kept")
        assert opened.ids_ == [key]
    retriever = CrossLingualRetriever(n_neighbors=1).fit(D[:1], ids=[10**100])
    with pytest.raises(ValueError, match=r"The largest id has 333 bits.* pass str\(id\)"):
        retriever.save_index(tmp_path / "index")
    assert not (tmp_path / "index").exists()
