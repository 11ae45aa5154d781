"""Indexes that were built with another aligner, encoder or backend."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from langalign_sk import CrossLingualAligner, CrossLingualRetriever, SentenceEncoder
from langalign_sk.encoders import sentence
from langalign_sk.encoders.base import TextEncoder
from langalign_sk.encoders.models.model import Model
from langalign_sk.retrieval.aligner_signature import difference
from tests.retrieval.folders import D, saved
from tests.retrieval.toy import fitted_aligner, of_kind
from tests.toy import ENGLISH, JAPANESE, KOREAN, PAIRS, ToyEncoder


class Named(TextEncoder):
    """A model with an identity, as the handles of real ones have."""

    def __init__(self, name="toy", cache=None, verbose=False):
        self.name, self.cache, self.verbose = name, cache, verbose

    def _load(self):
        return Model(lambda texts, *_: ToyEncoder().encode(texts), 12, f"{self.name}@1")

    def _encode(self, model, texts):
        return model.encode(texts, None, 1)

    def _settings(self):
        return {}

    def _parameters(self):
        return {"name": self.name}


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


@pytest.fixture
def e5(monkeypatch):
    """Retrievers on what the name of a model with a prompt of its own stands for here."""
    model = Model(lambda texts, *_: ToyEncoder().encode(texts), 12, "e5@1")
    monkeypatch.setattr(sentence, "load_model", lambda spec: model)

    def retriever(**settings):
        encoder = SentenceEncoder("multilingual-e5-small", cache=None, **settings)
        return CrossLingualRetriever(fitted_aligner(encoder=encoder).freeze())

    return retriever


def test_settings_of_the_encoder_that_mean_the_same(e5, tmp_path):
    e5().fit(ENGLISH).save_index(tmp_path / "preset")
    e5(prompt="query: ", dtype="float16").fit(ENGLISH).save_index(tmp_path / "written out")
    for folder in ("preset", "written out"):
        for settings in ({}, {"prompt": "query: "}, {"dtype": "bfloat16", "batch_size": 2}):
            opened = e5(**settings).open_index(tmp_path / folder)
            assert opened.search(KOREAN[8], 1)["id"].tolist() == [8]
        for settings in (
            {"prompt": ""},
            {"max_length": 7},
            {"pooling": "max"},
            {"normalize": True},
        ):
            with pytest.raises(
                ValueError, match=r"settings \{'prompt': 'query: '\}, and the aligner"
            ):
                e5(**settings).open_index(tmp_path / folder)


def test_another_layer_of_the_encoder(e5, tmp_path):
    e5(layer=(3, 4)).fit(ENGLISH).save_index(tmp_path)
    for same in ([3, 4], [4, 3]):
        assert e5(layer=same).open_index(tmp_path).n_documents_ == len(ENGLISH)
    for other in (None, 3):
        with pytest.raises(
            ValueError, match=r"settings \{.*'layer': \[3, 4\]\}, and the aligner has"
        ):
            e5(layer=other).open_index(tmp_path)


@pytest.mark.parametrize("former", [None, [{}, {}], [{"prompt": "query: "}, {"prompt": "query: "}]])
def test_an_index_without_settings_of_rows_opens(e5, tmp_path, former):
    e5().fit(ENGLISH).save_index(tmp_path)
    manifest = json.loads((tmp_path / "index.json").read_text())
    del manifest["aligner"]["settings_of_rows"]
    if former is not None:
        manifest["aligner"]["settings"] = former  # parameters as they were given
    del manifest["sha256"]
    (tmp_path / "index.json").write_text(json.dumps(manifest))
    for settings in ({}, {"prompt": "query: "}):
        assert e5(**settings).open_index(tmp_path).n_documents_ == len(ENGLISH)


@pytest.mark.parametrize(
    ("built", "now", "same"),
    [
        ("model@0123456789abcdef", "model@sha256-" + 32 * "0", True),
        ("other@0123456789abcdef", "model@sha256-" + 32 * "0", False),
        ("model@0123456789abcdef", "model@0123456789abcdee", False),
        ("model@sha256-" + 32 * "1", "model@sha256-" + 32 * "0", False),
        ("owner/model@" + 40 * "1", "model@sha256-" + 32 * "0", False),
    ],
)
def test_identities_of_earlier_releases(built, now, same):
    maps = {"output_space": "english", "maps": {"ko": [1.0]}}
    found = difference({**maps, "encoders": [built]}, {**maps, "encoders": [now]})
    assert (found is None) is same
    other = {**maps, "maps": {"ko": [2.0]}}  # the maps tell what the names do not
    assert difference({**other, "encoders": [built]}, {**maps, "encoders": [now]}) is not None


def test_another_form_of_text(e5, tmp_path):
    e5().fit(ENGLISH).save_index(tmp_path)
    assert e5(normalize_text="auto").open_index(tmp_path).n_documents_ == len(ENGLISH)
    for other in (None, "NFKC"):
        with pytest.raises(
            ValueError, match=r"of text in the form \['auto-1', 'auto-1'\], and the"
        ):
            e5(normalize_text=other).open_index(tmp_path)
    manifest = json.loads((tmp_path / "index.json").read_text())
    del manifest["aligner"]["forms_of_text"]  # as earlier releases wrote it
    del manifest["sha256"]
    (tmp_path / "index.json").write_text(json.dumps(manifest))
    assert e5(normalize_text=None).open_index(tmp_path).n_documents_ == len(ENGLISH)


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
