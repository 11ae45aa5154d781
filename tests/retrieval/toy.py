"""Retrievers, arrays and aligners of the tests of retrieval."""

from __future__ import annotations

import numpy as np
import pytest

from langalign_sk import CrossLingualAligner, CrossLingualRetriever
from tests.toy import PAIRS, ToyEncoder

# All rows are compared: otherwise results would depend on the borders of cells or on a graph.
KINDS = {
    "exact": ("exact", None),
    "flat": ("faiss", {"factory": "Flat"}),
    "graph": ("faiss", {"factory": "HNSW16", "search": "efSearch=500"}),
    "cells": ("faiss", {"factory": "IVF4,Flat", "search": "nprobe=4"}),
    "hnswlib": ("hnswlib", {"ef": 300}),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def of_kind(kind, **parameters):
    backend, backend_params = KINDS[kind]
    if backend != "exact":
        pytest.importorskip(backend, reason=f"needs pip install langalign-sk[{backend}]")
    return CrossLingualRetriever(backend=backend, backend_params=backend_params, **parameters)


def few(n, n_queries=20, width=8, seed=8):
    """Documents and queries as rows."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, width)), rng.normal(size=(n_queries, width))


def aligner(**parameters):
    defaults = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner(**defaults | parameters)


def fitted_aligner(pairs=PAIRS, **parameters):
    return aligner(**parameters).fit(pairs)
