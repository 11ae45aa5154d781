"""Saved retrievers of several views, and of centred ones."""

from __future__ import annotations

import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.frozen import FrozenEstimator

from langalign_sk import (
    CrossLingualAligner,
    CrossLingualRetriever,
    LinearAligner,
    SentenceEncoder,
    load,
    save,
)
from tests.persistence.common import (
    X,
    Y,
    aligner,
    assert_same_parameters,
    change_manifest,
    manifest_of,
    there_and_back,
)
from tests.toy import ENGLISH, KOREAN, PAIRS, EnglishOnly, ToyEncoder


def detect(texts):
    return ["en" if text.isascii() else "ko" for text in texts]


def of_texts(one, other, **parameters):
    """Retriever of two encoders, of which the second has its own detection of languages."""
    aligners = [aligner(encoder=one), aligner(encoder=other, detect=detect)]
    defaults = {"scoring": "csls", "centre": True, "n_neighbors": 3, "hub_neighbors": 5}
    retriever = CrossLingualRetriever([a.freeze() for a in aligners], **defaults | parameters)
    return retriever.fit(ENGLISH[:50], query_bank=KOREAN[:150])


def of_rows(**parameters):
    views = [FrozenEstimator(LinearAligner("procrustes").fit(X, Y)), None]
    retriever = CrossLingualRetriever(views, centre=True, hub_neighbors=5, **parameters)
    return retriever.fit([Y, X[:, ::-1]], query_bank=[X, X])


def assert_equal(one, other, queries):
    for ours, theirs in zip(one.kneighbors(queries, 3), other.kneighbors(queries, 3), strict=True):
        assert_array_equal(ours, theirs)
    assert one.ids_ == other.ids_
    assert one.documents_ == other.documents_


@pytest.mark.parametrize("scoring", ["cosine", "csls", "auto"])
def test_round_trip_of_texts(scoring, tmp_path):
    encoders = [ToyEncoder(), ToyEncoder(width=9)]
    retriever = of_texts(*encoders, scoring=scoring).remove([7])
    again = there_and_back(retriever, tmp_path, encoder=encoders, detect=[None, detect])
    assert [view.estimator.encoder for view in again.aligner_] == encoders
    assert [view.estimator.detect for view in again.aligner_] == [None, detect]
    assert_same_parameters(again, retriever, without=["aligner"])
    assert again.scoring_ == retriever.scoring_
    assert again.report_.views == retriever.report_.views
    assert_equal(again, retriever, KOREAN[:9])
    for each in (again, retriever):
        each.add([ENGLISH[77]]).partial_adapt(KOREAN[150:])
    assert_equal(again, retriever, KOREAN[70:79])


@pytest.mark.parametrize("backend", ["exact", "faiss", "hnswlib"])
@pytest.mark.parametrize("scoring", ["cosine", "csls"])
def test_round_trip_of_embeddings(backend, scoring, tmp_path):
    if backend != "exact":
        pytest.importorskip(backend, reason=f"needs pip install langalign-sk[{backend}]")
    retriever = of_rows(backend=backend, scoring=scoring, weights=np.array([1.0, 2.0]))
    again = there_and_back(retriever, tmp_path)
    assert again.aligner_[1] is None
    assert_same_parameters(again, retriever, without=["aligner"])
    assert_equal(again, retriever, [X, X])
    joblib.dump(retriever, tmp_path / "retriever.joblib")
    for other in (pickle.loads(pickle.dumps(again)), joblib.load(tmp_path / "retriever.joblib")):
        assert_equal(other, retriever, [X, X])
        other.remove(range(3)).add([Y[:2], X[:2]]).partial_adapt([X, X])
        assert other.n_documents_ == 79


@pytest.mark.parametrize("parameters", [{"scoring": "cosine", "fusion": "rank"}, {}])
@pytest.mark.parametrize("n_views", [1, 2])
def test_words_in_common(parameters, n_views, tmp_path):
    pytest.importorskip("bm25s", reason="needs pip install langalign-sk[lexical]")
    encoders = [ToyEncoder(), ToyEncoder(width=9)][:n_views]
    views = [aligner(encoder=encoder).freeze() for encoder in encoders]
    defaults = {"scoring": "csls", "n_neighbors": 3, "lexical": True}
    retriever = CrossLingualRetriever(views, **defaults | parameters)
    retriever.fit(ENGLISH[:50], query_bank=KOREAN[:150]).remove([7])
    again = there_and_back(retriever, tmp_path, encoder=encoders)
    assert_equal(again, retriever, KOREAN[:9])
    for each in (again, retriever):
        each.add([ENGLISH[77]])
    assert_equal(again, retriever, KOREAN[70:79])


def test_objects_of_a_view(tmp_path):
    one, other = ToyEncoder(), ToyEncoder(width=9)
    save(of_texts(one, other), tmp_path)
    assert manifest_of(tmp_path)["given"] == ["0.encoder", "1.detect", "1.encoder"]
    both = {"encoder": [one, other], "detect": detect}  # one object is for all that had one
    assert load(tmp_path, **both).aligner_[1].estimator.detect is detect
    for missing, match in (
        ({"encoder": None}, "as encoder of view 0.*one for all views or a list"),
        ({"encoder": [one]}, "as encoder of view 1"),
        ({"encoder": [None, other]}, "as encoder of view 0"),
        ({"detect": []}, "as detect of view 1"),
        ({"detect": [detect, detect]}, "View 0 .*not built with an object as detect: put None"),
        ({"encoder": [one, other, one]}, "View 2 .*not built with an object as encoder"),
        ({"english_encoder": [None, other]}, "not built with an object as english_encoder"),
    ):
        with pytest.raises(ValueError, match=match):
            load(tmp_path, **both | missing)


@pytest.mark.parametrize("given", [["encoder"], ["2.x"], ["x.encoder"], ["0.0.encoder"], [5], [[]]])
def test_objects_that_the_tree_does_not_have(given, tmp_path):
    save(of_rows(), tmp_path)
    change_manifest(tmp_path, lambda manifest: manifest.update(given=given))
    with pytest.raises(ValueError, match=r"is damaged|as encoder"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("parameters", "version"),
    [
        ({}, 1),
        ({"scoring": "csls"}, 1),
        ({"scoring": "auto"}, 2),
        ({"centre": True}, 2),
        ({"centre": False}, 2),
        ({"n_candidates": 9}, 2),
        ({"fusion": "rank"}, 2),
        ({"aligner": [None]}, 2),
    ],
)
def test_what_earlier_releases_read_stays_in_the_first_format(parameters, version, tmp_path):
    retriever = CrossLingualRetriever(**parameters).fit(Y, query_bank=X)
    assert_equal(there_and_back(retriever, tmp_path), retriever, X)
    manifest = manifest_of(tmp_path)
    assert manifest["format_version"] == version
    first = {"n_neighbors", "scoring", "hub_neighbors", "temperature", "backend", "backend_params"}
    saved = manifest["estimator"]["$dict"]["params"]["$dict"]
    assert saved.keys() == first | {*parameters} - {"aligner"}


def test_one_encoder_of_two_views_encodes_once_after_loading(tmp_path, monkeypatch):
    """Handles are two objects after loading, and equal ones."""
    views = [
        CrossLingualAligner("ko", encoder=SentenceEncoder(), method=method, random_state=0)
        for method in ("identity", "centre")
    ]
    retriever = CrossLingualRetriever(views, n_neighbors=2).fit(
        ENGLISH[:9], parallel=(KOREAN[:20], ENGLISH[:20])
    )
    again = there_and_back(retriever, tmp_path)
    one, other = (view.estimator.encoder for view in again.aligner_)
    assert one == other
    calls, whole = [], SentenceEncoder.encode

    def encode(self, texts):
        calls.extend(texts)
        return whole(self, texts)

    monkeypatch.setattr(SentenceEncoder, "encode", encode)
    again.kneighbors(KOREAN[:4])
    assert sorted(calls) == sorted(KOREAN[:4])
    assert_equal(again, retriever, KOREAN[:4])


@pytest.mark.filterwarnings("ignore:The bridge to english_encoder:UserWarning")
def test_the_model_card_names_every_encoder(tmp_path):
    one = aligner(encoder=ToyEncoder())
    other = aligner(
        PAIRS[:60], encoder=ToyEncoder(width=9), english_encoder=EnglishOnly(), bridge_alpha=1.0
    )
    retriever = CrossLingualRetriever([one.freeze(), other.freeze()]).fit(ENGLISH[:20])
    save(retriever, tmp_path)
    card = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "- multilingual encoder of view 0: an object of the class `ToyEncoder`" in card
    assert "- multilingual encoder of view 1: an object of the class `ToyEncoder`" in card
    assert "- English encoder of view 1: an object of the class `EnglishOnly`" in card
    assert f"## Views of the search\n\n```text\n{retriever.report_}\n```" in card
    for i, view in enumerate((one, other)):
        assert f"## Held-out retrieval of view {i}\n\n```text\n{view.alignment_report_}" in card
    assert 'language: ["ko", "en"]\n' in card
    assert "20 documents" in card
