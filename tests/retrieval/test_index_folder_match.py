"""Indexes that were built with another aligner, encoder or backend."""

from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from langalign_sk import CrossLingualAligner, CrossLingualRetriever
from langalign_sk.encoders.base import TextEncoder
from langalign_sk.encoders.models.model import Model
from tests.retrieval.folders import D, saved
from tests.retrieval.toy import fitted_aligner, of_kind
from tests.toy import ENGLISH, JAPANESE, KOREAN, PAIRS, ToyEncoder


class Named(TextEncoder):
    """A model with an identity, as the handles of real ones have."""

    def __init__(self, name="toy", layer=None, cache=None, verbose=False):
        self.name, self.layer, self.cache, self.verbose = name, layer, cache, verbose

    def _load(self):
        return Model(lambda texts, *_: ToyEncoder().encode(texts), 12, f"{self.name}@1")

    def _encode(self, model, texts):
        return model.encode(texts, None, 1)

    def _settings(self):
        return ""

    def _parameters(self):
        return {"name": self.name, "layer": self.layer}


def test_another_aligner(tmp_path):
    CrossLingualRetriever(fitted_aligner().freeze()).fit(ENGLISH).save_index(tmp_path / "texts")
    CrossLingualRetriever().fit(D).save_index(tmp_path / "rows")
    others = (
        fitted_aligner(PAIRS[:30]),
        fitted_aligner(method="procrustes"),
        fitted_aligner(output_space="target"),
        fitted_aligner(list(zip(JAPANESE, ENGLISH, strict=True)), target_lang="ja"),
    )
    for other in others:
        retriever = CrossLingualRetriever(other.freeze()).fit(ENGLISH[:20])
        before = retriever.search(ENGLISH[:3], 1)
        with pytest.raises(ValueError, match=r"built with another aligner.*saved beside the index"):
            retriever.open_index(tmp_path / "texts")
        assert retriever.search(ENGLISH[:3], 1).equals(before)
    with pytest.raises(ValueError, match="built with an aligner"):
        CrossLingualRetriever().open_index(tmp_path / "texts")
    with pytest.raises(ValueError, match="built without an aligner"):
        CrossLingualRetriever(fitted_aligner().freeze()).open_index(tmp_path / "rows")
    with pytest.raises(NotFittedError, match="open_index needs the fitted aligner"):
        CrossLingualRetriever(CrossLingualAligner()).open_index(tmp_path / "texts")


def test_another_encoder(tmp_path):
    frozen = fitted_aligner(encoder=Named("one")).freeze()
    CrossLingualRetriever(frozen).fit(ENGLISH).save_index(tmp_path)
    opened = CrossLingualRetriever(fitted_aligner(encoder=Named("one")).freeze()).open_index(
        tmp_path
    )
    assert opened.search(KOREAN[8], 1)["id"].tolist() == [8]
    with pytest.raises(ValueError, match=r"built with the encoder 'one@1'.*has 'two@1'"):
        CrossLingualRetriever(fitted_aligner(encoder=Named("two")).freeze()).open_index(tmp_path)


def test_another_layer_of_the_encoder(tmp_path):
    def retriever(layer):
        return CrossLingualRetriever(fitted_aligner(encoder=Named(layer=layer)).freeze())

    retriever((3, 4)).fit(ENGLISH).save_index(tmp_path)
    for same in ([3, 4], [4, 3]):
        assert retriever(same).open_index(tmp_path).n_documents_ == len(ENGLISH)
    for other in (None, 3):
        with pytest.raises(
            ValueError, match=r"settings \{'layer': \[3, 4\]\}, and the aligner has"
        ):
            retriever(other).open_index(tmp_path)


def test_other_parameters(tmp_path):
    saved(tmp_path / "cosine", scoring="cosine")
    with pytest.raises(ValueError, match=r'no query bank.*scoring="cosine"'):
        CrossLingualRetriever(scoring="csls").open_index(tmp_path / "cosine")
    with pytest.raises(ValueError, match="scoring must be one of"):
        CrossLingualRetriever(scoring="dot").open_index(tmp_path / "cosine")
    saved(tmp_path / "flat", "flat")
    for kind, folder, built, has in (
        ("exact", "flat", "backend='faiss'", "'exact'"),
        ("graph", "flat", "backend_params={'factory': 'Flat'}", "{'factory': 'HNSW"),
        ("flat", "cosine", "backend='exact'", "'faiss'"),
    ):
        match = f"was built with {re.escape(built)}, and the retriever has {re.escape(has)}"
        with pytest.raises(ValueError, match=match):
            of_kind(kind).open_index(tmp_path / folder)
    # What is written out is what is left to the default.
    default = CrossLingualRetriever(backend="faiss").open_index(tmp_path / "flat")
    assert default.n_documents_ == 300
    # How to search is left to whoever opens it.
    params = {"factory": "Flat", "search": ""}
    again = CrossLingualRetriever(backend="faiss", backend_params=params)
    assert again.open_index(tmp_path / "flat").n_documents_ == 300


def test_rows_of_another_width(tmp_path):
    folder = saved(tmp_path)
    retriever = CrossLingualRetriever(n_neighbors=1).fit(np.eye(3)).open_index(folder)
    assert retriever.n_features_in_ == 8
    assert retriever.kneighbors(D[:5])[1][:, 0].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match=r"X has 3 features.*expecting 8"):
        retriever.kneighbors(np.eye(3))
