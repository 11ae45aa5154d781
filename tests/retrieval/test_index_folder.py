"""Saved indexes: what comes back."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from langalign_sk import CrossLingualRetriever
from langalign_sk.mapping import LinearAligner
from tests.retrieval.folders import BANK, IDS, D, Q, assert_no_other_files, assert_same, named
from tests.retrieval.references import SCORINGS
from tests.retrieval.toy import KINDS, fitted_aligner, of_kind
from tests.toy import ENGLISH, KOREAN, ToyEncoder


class Lenient(ToyEncoder):
    """Takes half a pair of surrogates, as real encoders do."""

    def encode(self, texts):
        return super().encode([text.encode("utf-8", "replace").decode() for text in texts])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_round_trip_of_embeddings(kind, scoring, tmp_path):
    retriever = of_kind(kind, scoring=scoring, hub_neighbors=4, temperature=0.1)
    retriever.fit(D, ids=IDS, query_bank=BANK).save_index(tmp_path / "new" / "index")
    folder = tmp_path / "new" / "index"
    assert_no_other_files(folder)
    opened = of_kind(kind, scoring=scoring, hub_neighbors=4, temperature=0.1)
    assert opened.open_index(folder, verify=True) is opened
    assert isinstance(opened._state.index.rows.blocks[0], np.memmap)
    assert opened.n_features_in_ == 8
    assert_same(opened, retriever)
    # Changes stay in memory, until they are saved where they came from.
    new = [f"new {i}" for i in range(9)]
    for each in (opened, retriever):
        each.add(Q[:9] + 0.1, ids=new).remove([*IDS[:40], "new 3"])
    assert_same(opened, retriever)
    assert isinstance(opened._state.index.rows.blocks[0], np.memmap)
    assert of_kind(kind, scoring="cosine").open_index(folder).ids_ == IDS
    before = named(folder)
    opened.save_index(folder)
    assert_no_other_files(folder)
    assert named(folder) & before == {"index.json"}
    assert_same(opened, retriever)
    again = of_kind(kind, scoring=scoring, hub_neighbors=4, temperature=0.1).open_index(folder)
    assert_same(again, retriever)
    assert len(again._state.index.rows.blocks) == 1
    assert len(again._state.index.rows.blocks[0]) == 268


@pytest.mark.parametrize("scoring", ["cosine", "csls"])
def test_round_trip_of_texts(scoring, tmp_path):
    fitted = fitted_aligner(encoder=Lenient())
    texts = [*ENGLISH[:50], "two\nlines and a \u2028 5", "half of a pair \ud800 6", '"quoted" 7']
    retriever = CrossLingualRetriever(fitted.freeze(), scoring=scoring, n_neighbors=3)
    retriever.fit(texts, query_bank=KOREAN).save_index(str(tmp_path))
    # As a user keeps both: the aligner by pickle, the documents in the folder.
    other = pickle.loads(pickle.dumps(retriever.aligner_))
    opened = CrossLingualRetriever(other, scoring=scoring, n_neighbors=3).open_index(str(tmp_path))
    assert opened.documents_ == texts
    assert opened.aligner_ is other
    assert_same(opened, retriever, KOREAN[:9], 3)
    assert opened.search(KOREAN[4], 1)["text"].tolist() == [ENGLISH[4]]
    assert opened.add(["sentence number 77"]).search(KOREAN[77], 1)["id"].tolist() == [53]


def test_an_aligner_that_is_not_frozen_is_taken_as_it_is(tmp_path):
    fitted = fitted_aligner()
    CrossLingualRetriever(fitted.freeze()).fit(ENGLISH).save_index(tmp_path)
    opened = CrossLingualRetriever(fitted).open_index(tmp_path)
    assert opened.aligner_ is fitted
    assert opened.search(KOREAN[3], 1)["id"].tolist() == [3]


def test_an_aligner_of_arrays(tmp_path):
    encoder = ToyEncoder()
    X, Y = encoder.encode(KOREAN), encoder.encode(ENGLISH)
    fitted = LinearAligner("procrustes").fit(X, Y)
    from sklearn.frozen import FrozenEstimator

    retriever = CrossLingualRetriever(FrozenEstimator(fitted)).fit(Y)
    retriever.save_index(tmp_path)
    assert_same(
        CrossLingualRetriever(FrozenEstimator(fitted)).open_index(tmp_path), retriever, X[:9]
    )
    other = FrozenEstimator(LinearAligner("procrustes").fit(X[:50], Y[:50]))
    with pytest.raises(ValueError, match="built with another aligner"):
        CrossLingualRetriever(other).open_index(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_another_scoring_is_that_of_a_fresh_fit(kind, scoring, tmp_path):
    of_kind(kind, scoring="margin").fit(D, query_bank=BANK).save_index(tmp_path)
    parameters = {"scoring": scoring, "hub_neighbors": 3, "temperature": 0.2}
    opened = of_kind(kind, **parameters).open_index(tmp_path)
    assert_same(opened, of_kind(kind, **parameters).fit(D, query_bank=BANK))


def test_the_manifest_has_what_the_index_was_built_with(tmp_path):
    for scoring in ("cosine", "csls"):
        retriever = CrossLingualRetriever(scoring=scoring, hub_neighbors=9, temperature=0.1)
        retriever.fit(D, query_bank=BANK).set_params(temperature=0.3, backend="hnswlib")
        retriever.save_index(tmp_path)
        manifest = json.loads((tmp_path / "index.json").read_bytes())
        hubs = {"scoring": "csls", "n_neighbors": 9, "temperature": 0.1}
        assert manifest["hubs"] == (None if scoring == "cosine" else hubs)
        assert (manifest["backend"], manifest["backend_params"]) == ("exact", {})
    of_kind("hnswlib").fit(D).save_index(tmp_path)
    manifest = json.loads((tmp_path / "index.json").read_bytes())
    params = {"M": 16, "ef_construction": 200, "ef": 300, "random_state": 0}
    assert manifest["backend_params"] == params


@pytest.mark.parametrize("later", [{"hub_neighbors": 1}, {"scoring": "inverted_softmax"}])
def test_parameters_that_were_set_after_the_fit_are_not_those_of_the_levels(later, tmp_path):
    retriever = CrossLingualRetriever(scoring="csls", hub_neighbors=9).fit(D, query_bank=BANK)
    retriever.set_params(**later).save_index(tmp_path)
    parameters = {"scoring": "csls", "hub_neighbors": 9} | later
    opened = CrossLingualRetriever(**parameters).open_index(tmp_path)
    assert_same(opened, CrossLingualRetriever(**parameters).fit(D, query_bank=BANK))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_an_empty_index_is_not_saved(kind, scoring, tmp_path):
    retriever = of_kind(kind, scoring=scoring).fit(D, query_bank=BANK).remove(range(300))
    with pytest.raises(ValueError, match="The index is empty, as all documents were removed"):
        retriever.save_index(tmp_path / "index")
    assert not (tmp_path / "index").exists()
    retriever.add(D[:150], ids=range(150)).save_index(tmp_path / "index")
    opened = of_kind(kind, scoring=scoring).open_index(tmp_path / "index", verify=True)
    assert_same(opened, of_kind(kind, scoring=scoring).fit(D[:150], query_bank=BANK))


@pytest.mark.parametrize(
    "parameters",
    [
        {"hub_neighbors": np.int64(3)},
        {"temperature": np.float32(0.1)},
        {"backend": "hnswlib", "backend_params": {"ef": np.int64(300)}},
    ],
)
def test_parameters_that_are_numbers_of_numpy(parameters, tmp_path):
    if "backend" in parameters:
        pytest.importorskip("hnswlib", reason="needs pip install langalign-sk[hnswlib]")
    retriever = CrossLingualRetriever(scoring="csls", **parameters).fit(D, query_bank=BANK)
    retriever.save_index(tmp_path)
    opened = CrossLingualRetriever(scoring="csls", **parameters).open_index(tmp_path)
    assert_same(opened, retriever)


def test_an_identifier_of_an_old_pickle_that_no_folder_keeps(tmp_path):
    retriever = CrossLingualRetriever(n_neighbors=1).fit(D[:2])
    retriever._state.index.ids[1] = frozenset({1})
    with pytest.raises(TypeError, match=r"frozenset\(\{1\}\) is frozenset.*use str\(id\)"):
        retriever.save_index(tmp_path / "never-made")
    assert not (tmp_path / "never-made").exists()
