"""Pickles of retrievers, of this release and of earlier ones."""

from __future__ import annotations

import json
import pickle
import warnings
from copy import deepcopy
from pathlib import Path

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from tests.retrieval.references import assert_distances, assert_same, score_error
from tests.retrieval.toy import every_kind, few, of_kind

# A pickle made before DocumentIndex, and beside it what it answered then: as it was pickled, and
# after one removal and two additions.
OLD = Path(__file__).with_name("pickles") / "exact-csls.pickle"


def load_old():
    if not hasattr(np, "_core"):
        pytest.skip("numpy before 2 does not read pickles of numpy 2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the release that wrote it
        return pickle.loads(OLD.read_bytes())


def assert_answers(retriever, queries, distances, indices):
    found, places = retriever.kneighbors(queries)
    assert_array_equal(places, indices)
    scores = 1 - np.array(distances)
    assert_distances(found, scores, 2 * score_error(scores, "csls", width=6))


def test_an_old_pickle_answers_as_it_did():
    answers = json.loads(OLD.with_suffix(".json").read_text())
    retriever = load_old()
    assert retriever.ids_ == answers["ids"]
    assert retriever.n_documents_ == len(answers["ids"])
    assert retriever.documents_ is None
    assert_answers(retriever, answers["queries"], answers["distances"], answers["indices"])
    retriever.remove([0]).add(answers["new_documents"])
    assert retriever.ids_ == answers["later_ids"]
    assert_answers(
        retriever, answers["queries"], answers["later_distances"], answers["later_indices"]
    )


def test_an_old_pickle_is_pickled_and_saved_anew(tmp_path):
    answers = json.loads(OLD.with_suffix(".json").read_text())
    retriever = load_old()
    again = pickle.loads(pickle.dumps(retriever))
    retriever.save_index(tmp_path)
    opened = load_old().open_index(tmp_path, verify=True)
    for copy in (again, opened):
        assert copy.ids_ == answers["ids"]
        assert_answers(copy, answers["queries"], answers["distances"], answers["indices"])


@every_kind
@pytest.mark.parametrize("scoring", ["cosine", "query_bank"])
def test_pickle_and_joblib(kind, scoring, tmp_path):
    D, Q = few(200)
    retriever = of_kind(kind, scoring=scoring).fit(D[:150], query_bank=Q)
    retriever.remove(range(0, 90, 3))
    joblib.dump(retriever, tmp_path / "retriever.joblib")
    copies = [pickle.loads(pickle.dumps(retriever)), joblib.load(tmp_path / "retriever.joblib")]
    for copy in copies:
        assert_same(copy, retriever, Q)
    assert copies[0].remove([1]).add(D[150:]).n_documents_ == 169
    assert retriever.n_documents_ == 120
    assert_same(copies[0], retriever.remove([1]).add(D[150:]), Q)


def test_an_old_pickle_is_one_view_that_is_not_centred():
    answers = json.loads(OLD.with_suffix(".json").read_text())
    retriever = load_old()
    assert retriever.scoring_ == retriever.report_.scoring == "csls"
    assert [view.centred for view in retriever.report_.views] == [False]
    assert retriever.fusion == "auto"
    assert retriever.weights is None
    with pytest.raises(ValueError, match="No view is centred, so there are no means to adapt"):
        retriever.partial_adapt(answers["queries"])
    assert_answers(retriever, answers["queries"], answers["distances"], answers["indices"])
    twin = deepcopy(retriever)
    twin.remove([0]).add(answers["new_documents"])
    assert_answers(twin, answers["queries"], answers["later_distances"], answers["later_indices"])
    assert_answers(retriever, answers["queries"], answers["distances"], answers["indices"])
    rows = np.array(answers["queries"])
    fitted = retriever.set_params(centre=True, n_neighbors=1).fit(rows, query_bank=rows)
    assert fitted.partial_adapt(rows).report_.n_bank == 2 * len(rows)
