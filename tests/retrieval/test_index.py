"""DocumentIndex: identifiers, places and numbers, without an aligner or texts."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from langalign_sk.retrieval import index as index_module
from langalign_sk.retrieval.backends import make_index
from langalign_sk.retrieval.hubness import Hubness
from langalign_sk.retrieval.hubs import Hubs
from langalign_sk.retrieval.index import DocumentIndex
from tests.retrieval.references import unit

E = np.eye(6, dtype=np.float32)


def built(n, ids=None, hubness=None):
    return DocumentIndex.build(
        range(n) if ids is None else ids, E[:n], make_index("exact", None), hubness
    )


def nearest_of(index, row):
    return index.ids[int(index.search(E[[row]], 1)[0][0, 0])]


def test_places_leave_out_removed_rows():
    index = built(4, ids=["a", "b", "c", "d"])
    assert index.remove(["b"]) == [0, 2, 3]
    assert index.ids == ["a", "c", "d"]
    assert (index.n_documents, index.width) == (3, 6)
    assert [nearest_of(index, row) for row in (0, 2, 3)] == ["a", "c", "d"]
    index.add(E[4:5], ["e"])
    assert nearest_of(index, 4) == "e"
    assert index.remove(["a", "e"]) == [1, 2]
    assert_array_equal(index.search(E[[2, 3]], 2)[0], [[0, 1], [1, 0]])


def test_new_documents_are_numbered_on():
    index = built(3)
    assert index.checked_ids(None, 2) == [3, 4]
    index.remove([2])
    assert index.checked_ids(None, 1) == [3]
    index.add(E[3:4], [7])
    assert index.checked_ids(None, 1) == [8]
    with pytest.raises(ValueError, match="7 stands for two documents"):
        index.checked_ids([7], 1)


def test_a_change_makes_a_new_list_of_ids():
    index = built(3)
    before = index.ids
    index.remove([0])
    index.add(E[3:4], [3])
    assert before == [0, 1, 2]
    assert index.ids == [1, 2, 3]


def test_an_unknown_id_removes_nothing():
    index = built(3)
    with pytest.raises(KeyError, match=r"id 9 .*1 of 2 ids are unknown"):
        index.remove([0, 9])
    assert index.ids == [0, 1, 2]
    assert index.rows.alive.all()


def test_hubness_grows_with_the_documents():
    bank = unit(np.random.default_rng(0).normal(size=(9, 6))).astype(np.float32)
    settings = {"scoring": "query_bank", "n_neighbors": 2, "temperature": 0.1}
    index = built(4, hubness=Hubness.of_bank(bank, **settings))
    index.add(E[4:], [4, 5])
    assert len(index.hubness.level) == len(index.hubness.active) == 6
    assert_array_equal(np.flatnonzero(index.hubness.active), np.unique(bank.argmax(axis=1)))
    assert index.hubness.settings == settings
    assert Hubs is Hubness  # an address in pickles


def test_an_index_knows_neither_encoders_nor_aligners():
    tree = ast.parse(Path(index_module.__file__).read_text(encoding="utf-8"))
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {str(name).partition(".")[0] for name in imported} & {
        "aligner",
        "encoders",
        "corpus",
    }
