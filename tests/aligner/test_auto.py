"""Choice of a method by CrossLingualAligner(method="auto"), adapters among the candidates."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose

from langalign_sk import CrossLingualAligner
from langalign_sk.mapping import AdapterAligner, LinearAligner
from langalign_sk.mapping.adapter import AdapterCandidate
from tests.mapping.adapter.bent import (
    QUICK,
    adapter,
    bent_pairs,
    interrupt,
    slow_recall,
    without_seconds,
)
from tests.mapping.close import assert_close
from tests.toy import KOREAN, PAIRS, ToyEncoder

SHORT = {"max_epochs": 1}


def toy(**parameters):
    given = {"encoder": ToyEncoder(), "adapter_params": SHORT, "random_state": 0, "device": "cpu"}
    return CrossLingualAligner(**given | parameters)


def candidates_of(aligner):
    return aligner.alignment_report_.evaluations[0].candidates


@pytest.mark.parametrize(("least", "tries"), [(100, True), (200, True), (201, False)])
def test_auto_tries_adapters_from_a_number_of_pairs_on(monkeypatch, least, tries):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", least)
    results = candidates_of(toy().fit(PAIRS))
    assert {"identity", "ridge", "procrustes"} <= set(results["method"])
    widths = [
        w
        for m, w in zip(results["method"], results["adapter_dim"], strict=True)
        if m == "contrastive"
    ]
    assert widths == ([256] if tries else [])


def test_auto_tries_no_adapter_on_200_pairs_by_default():
    assert "contrastive" not in candidates_of(toy().fit(PAIRS))["method"]


def test_no_time_at_all_is_closed_forms_only(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    aligner = toy(time_budget=0).fit(PAIRS)
    assert "contrastive" not in candidates_of(aligner)["method"]
    monkeypatch.undo()
    expected = toy().fit(PAIRS)
    assert aligner.method_ == expected.method_
    assert_allclose(aligner.transform(KOREAN), expected.transform(KOREAN))


def test_too_little_time_lists_adapters_and_takes_a_closed_form(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    aligner = toy(time_budget=1e-6).fit(PAIRS)
    results = candidates_of(aligner)
    assert results["method"].count("contrastive") == 1
    assert results["method"][-1] == "contrastive"
    assert np.isnan(results["held_out_recall"][-1])
    assert isinstance(aligner.language_map_, LinearAligner)


@pytest.mark.parametrize("adapter_dim", [0, 5])
def test_a_given_width_is_the_only_one_tried(monkeypatch, adapter_dim):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    results = candidates_of(toy(adapter_dim=adapter_dim).fit(PAIRS))
    assert [w for w in results["adapter_dim"] if w is not None] == [adapter_dim]


def test_auto_ends_with_the_adapter_that_won(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    X, Y = bent_pairs()
    aligner = toy(adapter_dim=16, adapter_params=QUICK).fit(X, Y)
    assert aligner.method_ == "contrastive"
    assert isinstance(aligner.language_map_, AdapterAligner)
    assert aligner.language_map_.adapter_dim == 16
    seed = np.random.RandomState(0).randint(2**31 - 1)  # as random_state=0 draws it
    by_hand = adapter(16, random_state=seed).fit(X, Y)
    assert_allclose(aligner.transform(X), by_hand.transform(X))
    evaluation = aligner.alignment_report_.evaluations[0]
    assert evaluation.method == "contrastive"
    assert evaluation.n_held_out == len(by_hand.held_out_indices_) == 40
    assert evaluation.candidates["method"][-1] == "contrastive"
    rows = by_hand.held_out_indices_
    expected = slow_recall(by_hand.transform(X[rows]), Y[rows]).mean()
    assert evaluation.aligned.recall_at_1 == pytest.approx(expected)


def test_auto_repeats_with_its_seed(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    first, again = (toy(adapter_dim=8).fit(PAIRS) for _ in range(2))
    assert without_seconds(candidates_of(first)) == without_seconds(candidates_of(again))
    assert_allclose(first.transform(KOREAN), again.transform(KOREAN), rtol=0)


@pytest.mark.slow
def test_auto_of_a_shared_space_tries_shared_adapters(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    X, Y = bent_pairs()
    aligner = toy(adapter_dim=16, adapter_params=QUICK, output_space="shared").fit(X, Y)
    assert candidates_of(aligner)["method"] == ["spectral", "contrastive"]
    assert aligner.language_map_.shared
    assert aligner.method_ == "contrastive"


def test_interrupted_auto_fits_the_best_so_far(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    monkeypatch.setattr(AdapterCandidate, "move_folds", interrupt)
    with pytest.warns(UserWarning, match="interrupted"):
        aligner = toy().fit(PAIRS)
    assert isinstance(aligner.language_map_, LinearAligner)
    assert aligner.score(PAIRS) > 0.9


@pytest.mark.parametrize("params", [{"rank": 2}, {"architecture": "fc"}, {"architecture": "ae"}])
def test_auto_takes_every_adapter_parameter_that_passed_the_check(monkeypatch, params):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    aligner = toy(adapter_params={**SHORT, **params})
    aligner.fit(PAIRS)
    assert "contrastive" in candidates_of(aligner)["method"]


@pytest.mark.parametrize(
    "output_space",
    [
        "english",
        "shared",
    ],
)
def test_auto_under_a_global_frame_output(monkeypatch, output_space):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    expected = toy(adapter_dim=0, output_space=output_space).fit(PAIRS)
    with sklearn.config_context(transform_output="pandas"):
        aligner = toy(adapter_dim=0, output_space=output_space).fit(PAIRS)
        moved = aligner.transform(KOREAN)
    assert_close(moved.to_numpy(), expected.transform(KOREAN), 1e-6)


@pytest.mark.parametrize("objective", ["auto", "retrieval", "head"])
def test_the_objective_reaches_the_choice_and_the_report(objective):
    report = toy(objective=objective).fit(PAIRS).alignment_report_
    expected = "head" if objective == "head" else "retrieval"
    assert set(report.candidates_to_frame()["objective"]) == {expected}
    assert f"maps chosen for: {expected}" in str(report)


def test_reports_of_fixed_maps_name_no_objective():
    assert "maps chosen for" not in str(toy(method="procrustes").fit(PAIRS).alignment_report_)


def test_reports_without_an_objective_were_chosen_for_retrieval():
    report = toy().fit(PAIRS).alignment_report_
    del report.evaluations[0].candidates["objective"]  # as earlier releases wrote them
    assert set(report.candidates_to_frame()["objective"]) == {"retrieval"}
    assert "maps chosen for: retrieval" in str(report)


def test_a_head_has_the_map_of_the_linear_aligner_and_no_adapter(monkeypatch):
    monkeypatch.setattr("langalign_sk.aligner._plan.MIN_ADAPTER_PAIRS", 100)
    X, Y = bent_pairs()
    aligner = toy(objective="head").fit(X, Y)
    assert "contrastive" not in candidates_of(aligner)["method"]
    seed = np.random.RandomState(0).randint(2**31 - 1)  # as random_state=0 draws it
    by_hand = LinearAligner(objective="head", random_state=seed).fit(X, Y)
    assert_allclose(aligner.transform(X), by_hand.transform(X))
    assert aligner.method_ == by_hand.method_


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"objective": "accuracy"}, "objective must be .*'accuracy'"),
        ({"objective": None}, "objective must be .*None"),
        (
            {"objective": "head", "output_space": "shared"},
            'objective="head" is for models of English rows.*leave output_space="english"',
        ),
    ],
)
def test_objectives_out_of_range(params, message):
    with pytest.raises(ValueError, match=message):
        toy(**params).fit(PAIRS)
