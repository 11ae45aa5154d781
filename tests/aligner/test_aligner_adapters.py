"""CrossLingualAligner with trained maps, a trained bridge, and its three output spaces."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from langalign_sk import CrossLingualAligner
from langalign_sk.mapping import AdapterAligner, LinearAligner
from tests.toy import ENGLISH, JAPANESE, KOREAN, PAIRS, EnglishOnly, NeverEncode, ToyEncoder

LOSSES = ["contrastive", "mse", "autoencoder"]
SHARED = ["spectral", "contrastive", "auto"]
SHORT = {"max_epochs": 2}
LABELS = np.where(EnglishOnly().encode(ENGLISH)[:, 0] > 0, "up", "down")
X, Y = ToyEncoder().encode(KOREAN), ToyEncoder().encode(ENGLISH)


def toy(method="contrastive", **parameters):
    given = {"encoder": ToyEncoder(), "adapter_params": SHORT, "random_state": 0, "device": "cpu"}
    return CrossLingualAligner(**given | {"method": method} | parameters)


def by_hand(method="contrastive", **parameters):
    """The adapter that an aligner of random_state=0 trains on the toy pairs."""
    seed = np.random.RandomState(0).randint(2**31 - 1)
    given = {"random_state": seed, "device": "cpu", **SHORT}
    return AdapterAligner(method, **given | parameters).fit(X, Y)


def cosine(A, B):
    return (A * B).sum(1) / np.linalg.norm(A, axis=1) / np.linalg.norm(B, axis=1)


def recall(A, B):
    A, B = (Z / np.linalg.norm(Z, axis=1, keepdims=True) for Z in (A, B))
    S = A @ B.T
    return np.mean([S.argmax(axis=0) == range(len(S)), S.argmax(axis=1) == range(len(S))])


# The language map


@pytest.mark.parametrize("objective", ["auto", "retrieval", "head"])
@pytest.mark.parametrize("method", ["contrastive", "mse"])
def test_the_objective_of_a_trained_map(method, objective):
    aligner = toy(method, objective=objective).fit(PAIRS)
    of_adapter = None if objective == "auto" else objective
    assert aligner.language_map_.objective == of_adapter
    assert_allclose(aligner.transform(KOREAN), by_hand(method, objective=of_adapter).transform(X))


def test_an_objective_of_the_adapter_itself_counts_more_and_the_bridge_keeps_its_own():
    own = {**SHORT, "objective": "retrieval"}
    assert (
        toy(objective="head", adapter_params=own).fit(PAIRS).language_map_.objective == "retrieval"
    )
    bridged = toy("ridge", objective="head", bridge_method="mse", english_encoder=EnglishOnly())
    assert bridged.fit(ENGLISH, parallel=PAIRS).bridge_map_.objective is None


@pytest.mark.parametrize("method", LOSSES)
@pytest.mark.parametrize("adapter_dim", [None, 5])
def test_pairs_task_text_and_embeddings_train_the_same_adapter(method, adapter_dim):
    expected = by_hand(method, adapter_dim=adapter_dim)
    make = {"method": method, "adapter_dim": adapter_dim}
    for aligner in (
        toy(**make).fit(PAIRS),
        toy(**make).fit(["a task", "한국어 과제"], parallel=(KOREAN, ENGLISH)),
        toy(**make).fit(X, Y),
    ):
        assert aligner.method_ == method
        assert isinstance(aligner.language_map_, AdapterAligner)
        assert aligner.language_map_.loss == method
        assert aligner.language_map_.adapter_dim == adapter_dim
        assert_allclose(aligner.transform(KOREAN), expected.transform(X), atol=1e-6)


@pytest.mark.parametrize("method", LOSSES)
def test_target_rows_move_by_the_map_and_english_rows_pass(method):
    aligner = toy(method).fit(PAIRS)
    mixed = aligner.transform([ENGLISH[3], KOREAN[4], ENGLISH[5]])
    assert mixed.dtype == np.float32
    assert_array_equal(mixed[[0, 2]], Y[[3, 5]])
    assert_allclose(mixed[1], aligner.language_map_.transform(X[4:5])[0], atol=1e-6)
    assert_allclose(aligner.transform(X), aligner.language_map_.transform(X))


@pytest.mark.parametrize("method", LOSSES)
def test_inverse_transform_is_that_of_the_map(method):
    aligner = toy(method).fit(PAIRS)
    moved = aligner.transform(KOREAN[:20])
    back = aligner.inverse_transform(moved)
    assert back.shape == (20, 12)
    assert_array_equal(back, aligner.language_map_.inverse_transform(moved))


def test_a_contrastive_map_brings_translations_together_and_back():
    aligner = toy().fit(PAIRS)
    assert aligner.score(PAIRS) > 0.95
    assert cosine(aligner.transform(KOREAN), Y).mean() > cosine(X, Y).mean() + 0.1
    assert cosine(aligner.inverse_transform(Y), X).mean() > cosine(X, Y).mean() + 0.1


def test_embeddings_of_two_widths():
    narrow = EnglishOnly().encode(ENGLISH)
    for method in LOSSES:
        aligner = toy(method).fit(X, narrow)
        assert aligner.transform(X).shape == (200, 7)
        assert aligner.inverse_transform(narrow).shape == (200, 12)
        assert aligner.alignment_report_.evaluations[0].unaligned is None


def test_fit_transform_is_fit_then_transform():
    task = [*ENGLISH[:50], *KOREAN[:50]]
    together = toy().fit_transform(task, parallel=PAIRS)
    assert_allclose(together, toy().fit(task, parallel=PAIRS).transform(task), atol=1e-6)


def test_the_same_seed_gives_the_same_adapter():
    first, again = (toy().fit(PAIRS).transform(KOREAN) for _ in range(2))
    assert_array_equal(first, again)
    other = toy(adapter_params={"random_state": 5, **SHORT}).fit(PAIRS)
    assert_allclose(other.transform(KOREAN), by_hand(random_state=5).transform(X), atol=1e-6)
    assert not np.array_equal(other.transform(KOREAN), first)


def test_two_languages_get_an_adapter_each(tmp_path):
    frame = pd.DataFrame({"ko": KOREAN, "ja": JAPANESE, "en": ENGLISH})
    params = {**SHORT, "checkpoint": tmp_path}
    both = toy(target_lang=("ko", "ja"), adapter_params=params).fit(frame)
    assert both.method_ == {"ko": "contrastive", "ja": "contrastive"}
    assert {type(m) for m in both.language_map_.values()} == {AdapterAligner}
    rows = both.transform([KOREAN[0], JAPANESE[0], ENGLISH[0]])
    assert_array_equal(rows[2], Y[0])
    for row, lang, text in ((0, "ko", KOREAN), (1, "ja", JAPANESE)):
        alone = toy(target_lang=lang).fit(frame[[lang, "en"]])
        assert_allclose(rows[row], alone.transform(text[:1])[0], atol=1e-6)
    assert [e.language for e in both.alignment_report_.evaluations] == ["ko", "ja"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["ja", "ko"]
    expected = both.language_map_["ja"].inverse_transform(rows)
    assert_array_equal(both.inverse_transform(rows, target_lang="ja"), expected)


# adapter_params


@pytest.mark.parametrize("max_epochs", [1, 3])
def test_adapter_params_reach_the_adapter(max_epochs):
    params = {"max_epochs": max_epochs, "mse_weight": 0.0, "early_stopping": False}
    fitted = toy(adapter_params=params).fit(PAIRS).language_map_
    assert fitted.n_iter_ == max_epochs
    assert fitted.mse_weight == 0.0
    assert fitted.device == "cpu"


def test_adapter_params_are_left_as_they_came():
    params = {"max_epochs": 1}
    aligner = toy(adapter_params=params).fit(PAIRS)
    assert aligner.adapter_params is params
    assert params == {"max_epochs": 1}


def test_checkpoint_is_a_folder_for_every_language_and_one_for_the_bridge(tmp_path):
    folder = tmp_path / "runs"
    params = {**SHORT, "checkpoint": str(folder)}
    aligner = toy(
        bridge_method="contrastive", english_encoder=EnglishOnly(), adapter_params=params
    ).fit(ENGLISH, parallel=PAIRS)
    assert sorted(p.name for p in folder.iterdir()) == ["bridge", "ko"]
    assert all(any(p.iterdir()) for p in folder.iterdir())
    # The same fit again goes on from there, to the same result.
    again = clone(aligner).fit(ENGLISH, parallel=PAIRS)
    assert_allclose(again.transform(KOREAN), aligner.transform(KOREAN), atol=1e-6)


# output_space="target"


@pytest.mark.parametrize("method", LOSSES)
def test_output_space_target_moves_english_by_the_map_back(method):
    aligner = toy(method, output_space="target").fit(PAIRS)
    assert_array_equal(aligner.transform(KOREAN), X)
    expected = by_hand(method).inverse_transform(Y)
    assert_allclose(aligner.transform(ENGLISH), expected, atol=1e-5)
    assert_array_equal(aligner.inverse_transform(expected), expected)
    assert_array_equal(aligner.transform(X), X)


def test_output_space_target_scores_embeddings_as_it_scores_their_texts():
    aligner = toy(output_space="target").fit(PAIRS)
    assert aligner.score(X, Y) == pytest.approx(aligner.score(PAIRS))


# output_space="shared"


@pytest.mark.parametrize("method", SHARED)
def test_shared_space_moves_both_sides_and_translations_meet(method):
    aligner = toy(method, output_space="shared").fit(PAIRS)
    korean, english = aligner.transform(KOREAN), aligner.transform(ENGLISH)
    fitted = aligner.language_map_
    assert fitted.shared
    assert aligner.method_ == ("spectral" if method == "auto" else method)
    assert_allclose(korean, fitted.transform(X), atol=1e-5)
    assert_allclose(english, fitted.transform_counterparts(Y), atol=1e-5)
    assert not np.allclose(english, Y, atol=0.1)
    assert cosine(korean, english).mean() > 0.95
    assert aligner.score(PAIRS) == pytest.approx(recall(korean, english))
    assert aligner.score(PAIRS) > 0.95
    assert aligner.score(X, Y) == pytest.approx(aligner.score(PAIRS))
    back = aligner.inverse_transform(korean[:9])
    assert back.shape == (9, 12)
    assert cosine(back, X[:9]).mean() > 0.9
    mixed = aligner.transform([ENGLISH[1], KOREAN[2]])
    assert_allclose(mixed, [english[1], korean[2]], atol=1e-5)


@pytest.mark.parametrize("method", SHARED)
def test_shared_space_with_an_english_encoder_of_another_width_needs_no_bridge(method):
    source, system = ToyEncoder(), EnglishOnly()
    aligner = toy(method, encoder=source, english_encoder=system, output_space="shared")
    aligner.fit(PAIRS)
    assert aligner.bridge_map_ is None
    assert set(system.calls) <= set(ENGLISH)
    assert set(source.calls) <= set(KOREAN)
    narrow = EnglishOnly().encode(ENGLISH)
    english = aligner.transform(ENGLISH)
    assert_allclose(english, aligner.language_map_.transform_counterparts(narrow), atol=1e-5)
    assert aligner.transform(KOREAN).shape == english.shape == (200, 7)
    assert len(aligner.get_feature_names_out()) == 7
    assert cosine(aligner.transform(KOREAN), english).mean() > 0.9
    assert aligner.score(PAIRS) > 0.9
    assert aligner.score(X, narrow) == pytest.approx(aligner.score(PAIRS))
    assert aligner.inverse_transform(english).shape == (200, 12)
    (evaluation,) = aligner.alignment_report_.evaluations
    assert evaluation.part == "language map"
    assert evaluation.unaligned is None  # two widths have no cosine


def test_shared_space_of_task_text_needs_few_english_rows():
    # A bridge would need 20.
    aligner = toy(output_space="shared", english_encoder=EnglishOnly())
    aligner.fit(["one task row"], parallel=PAIRS)
    assert aligner.score(PAIRS) > 0.9


@pytest.mark.parametrize("method", SHARED)
def test_shared_space_of_a_classifier_serves_korean(method):
    pipe = make_pipeline(
        toy(method, output_space="shared"), LogisticRegression(C=100, max_iter=2000)
    )
    pipe.fit(ENGLISH, LABELS, crosslingualaligner__parallel=PAIRS)
    assert pipe.score(KOREAN, LABELS) > 0.9 * pipe.score(ENGLISH, LABELS) > 0.8


@pytest.mark.parametrize("method", SHARED)
def test_shared_space_of_embeddings_equals_that_of_their_texts(method):
    text = toy(method, output_space="shared").fit(PAIRS)
    arrays = toy(method, output_space="shared").fit(X, Y)
    assert_allclose(arrays.transform(X), text.transform(KOREAN), atol=1e-5)
    assert_allclose(arrays.transform(ENGLISH), text.transform(ENGLISH), atol=1e-5)


# The bridge


@pytest.mark.parametrize("bridge_method", LOSSES)
def test_trained_bridge_moves_into_the_english_encoder(bridge_method):
    aligner = toy("procrustes", bridge_method=bridge_method, english_encoder=EnglishOnly())
    aligner.fit(ENGLISH, parallel=PAIRS)
    bridge = aligner.bridge_map_
    assert isinstance(bridge, AdapterAligner)
    assert bridge.loss == bridge_method
    assert not bridge.shared
    assert_allclose(aligner.transform(ENGLISH), EnglishOnly().encode(ENGLISH), atol=1e-6)
    expected = bridge.transform(aligner.language_map_.transform(X))
    assert_allclose(aligner.transform(KOREAN), expected, atol=1e-5)
    back = aligner.language_map_.inverse_transform(bridge.inverse_transform(expected))
    assert_allclose(aligner.inverse_transform(expected), back, atol=1e-5)
    report = {e.part: e for e in aligner.alignment_report_.evaluations}
    assert list(report) == ["language map", "bridge", "end to end"]
    assert report["bridge"].method == bridge_method
    assert report["bridge"].n_held_out == len(bridge.held_out_indices_)
    assert report["end to end"].method == "procrustes + bridge"
    assert report["end to end"].n_held_out == 40


def test_language_map_and_bridge_both_trained():
    aligner = toy(bridge_method="contrastive", english_encoder=EnglishOnly())
    aligner.fit(ENGLISH, parallel=PAIRS)
    assert {type(aligner.language_map_), type(aligner.bridge_map_)} == {AdapterAligner}
    assert aligner.score(PAIRS) > 0.8
    report = aligner.alignment_report_
    assert [e.method for e in report.evaluations] == [
        "contrastive",
        "contrastive",
        "contrastive + bridge",
    ]
    frame = report.to_frame().set_index(["part", "system"])["recall_at_1"]
    assert frame["end to end", "aligned"] > frame["end to end", "no alignment"] + 0.3
    # What the maps in use were trained on stays with them: measuring trains copies.
    assert len(aligner.language_map_.held_out_indices_) == 20
    assert aligner.bridge_map_.transform(Y).shape == (200, 7)


def test_trained_language_map_before_a_spectral_bridge():
    aligner = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
    assert isinstance(aligner.bridge_map_, LinearAligner)
    assert aligner.transform(KOREAN).shape == (200, 7)
    assert aligner.score(PAIRS) > 0.8


# The report


@pytest.mark.parametrize("method", LOSSES)
def test_report_measures_an_adapter_on_the_rows_it_held_out(method):
    aligner = toy(method).fit(PAIRS)
    (evaluation,) = aligner.alignment_report_.evaluations
    rows = by_hand(method).held_out_indices_
    assert evaluation.method == method
    assert evaluation.n_held_out == len(rows) == len(aligner.language_map_.held_out_indices_) == 20
    assert evaluation.n_fit == 200
    moved = by_hand(method).transform(X[rows])
    assert evaluation.aligned.recall_at_1 == pytest.approx(recall(moved, Y[rows]))
    assert evaluation.aligned.mean_cosine == pytest.approx(cosine(moved, Y[rows]).mean(), abs=1e-5)
    assert evaluation.unaligned.recall_at_1 == pytest.approx(recall(X[rows], Y[rows]))
    assert evaluation.candidates == {}


def test_report_of_a_shared_adapter_measures_in_the_shared_space():
    aligner = toy(output_space="shared").fit(PAIRS)
    (evaluation,) = aligner.alignment_report_.evaluations
    shared = by_hand(shared=True)
    rows = shared.held_out_indices_
    A, B = shared.transform(X[rows]), shared.transform_counterparts(Y[rows])
    assert evaluation.aligned.mean_cosine == pytest.approx(cosine(A, B).mean(), abs=1e-5)
    assert evaluation.unaligned.mean_cosine == pytest.approx(
        cosine(X[rows], Y[rows]).mean(), abs=1e-5
    )


@pytest.mark.parametrize("method", LOSSES)
def test_report_doubts_an_adapter_without_held_out_pairs(method):
    aligner = toy(method, adapter_params={**SHORT, "early_stopping": False}).fit(PAIRS)
    report = aligner.alignment_report_
    assert report.evaluations[0].n_held_out == 0
    assert report.evaluations[0].aligned is None
    assert any("without held-out pairs" in w and repr("ko") in w for w in report.warnings)
    assert f"{method} map of 'ko' was trained without held-out pairs" in str(report)


def test_report_has_no_doubts_about_an_adapter_that_was_measured():
    assert toy().fit(PAIRS).alignment_report_.warnings == ()


# What scikit-learn asks of it


@pytest.mark.parametrize("grid", [{"adapter_dim": [0, 4]}, {"method": ["identity", "contrastive"]}])
def test_grid_search_over_pairs(grid):
    search = GridSearchCV(toy(), grid, cv=3).fit(PAIRS)
    held, rest = PAIRS[:67], PAIRS[67:]
    for i, params in enumerate(search.cv_results_["params"]):
        one = toy().set_params(**params).fit(rest).score(held)
        assert search.cv_results_["split0_test_score"][i] == pytest.approx(one)
    if "method" in grid:
        assert search.best_params_ == {"method": "contrastive"}
    assert isinstance(search.best_estimator_.language_map_, AdapterAligner)


def test_clone_keeps_parameters_and_drops_the_fit():
    params = {"max_epochs": 1, "verbose": False}
    aligner = toy(adapter_dim=3, adapter_params=params, time_budget=None).fit(PAIRS)
    twin = clone(aligner)
    assert twin.get_params(deep=False) == aligner.get_params(deep=False)
    assert twin.adapter_params is not params
    assert not hasattr(twin, "language_map_")
    assert_array_equal(twin.fit(PAIRS).transform(KOREAN), aligner.transform(KOREAN))


@pytest.mark.parametrize("output_space", ["english", "target", "shared"])
def test_pickle_round_trip(output_space):
    aligner = toy(output_space=output_space).fit(PAIRS)
    again = pickle.loads(pickle.dumps(aligner))
    rows = [*KOREAN[:5], *ENGLISH[:5]]
    assert_array_equal(again.transform(rows), aligner.transform(rows))
    assert again.alignment_report_ == aligner.alignment_report_


@pytest.mark.parametrize("output_space", ["english", "target", "shared"])
def test_set_output(output_space):
    aligner = toy(output_space=output_space, english_encoder=None).fit(PAIRS)
    expected = aligner.transform(KOREAN[:3])
    out = clone(aligner).set_output(transform="pandas").fit(PAIRS)
    moved = out.transform(KOREAN[:3])
    assert list(moved.columns) == [f"crosslingualaligner{i}" for i in range(expected.shape[1])]
    assert_allclose(moved.to_numpy(), expected, atol=1e-6)
    assert out.score(PAIRS) == pytest.approx(aligner.score(PAIRS))


def test_score_of_embeddings_under_set_output():
    aligner = toy("procrustes").fit(X, Y)
    expected = aligner.score(X, Y)
    assert aligner.set_output(transform="pandas").score(X, Y) == pytest.approx(expected)


@pytest.mark.parametrize("estimator", [LinearAligner("procrustes"), AdapterAligner(device="cpu")])
def test_score_of_a_map_under_set_output(estimator):
    if isinstance(estimator, AdapterAligner):
        estimator.set_params(max_epochs=1, random_state=0)
    estimator.fit(X, Y)
    expected = estimator.score(X, Y)
    assert estimator.set_output(transform="pandas").score(X, Y) == pytest.approx(expected)


def test_freeze_is_a_copy_that_nothing_fits_again():
    aligner = toy(output_space="shared").fit(PAIRS)
    frozen = aligner.freeze()
    rows = [*KOREAN[:5], *ENGLISH[:5]]
    before = aligner.transform(rows)
    make_pipeline(frozen, LogisticRegression()).fit(ENGLISH, LABELS)
    aligner.fit(PAIRS[:50])
    assert not np.allclose(aligner.transform(rows), before)
    assert_array_equal(frozen.transform(rows), before)


# Bad values


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "adapter"}, "method must be one of.*contrastive.*'adapter'"),
        ({"method": None}, "method must be one of"),
        ({"bridge_method": "ridge"}, "bridge_method must be one of.*spectral.*'ridge'"),
        ({"bridge_method": "auto"}, "bridge_method must be one of"),
        ({"time_budget": -1}, "time_budget must be a number of seconds or None, got -1"),
        ({"time_budget": "x"}, "time_budget must be.*'x'"),
        ({"time_budget": True}, "time_budget must be.*True"),
        ({"time_budget": float("nan")}, "time_budget must be.*nan"),
        ({"method": "contrastive", "adapter_dim": -1}, "adapter_dim must be.*-1"),
        ({"method": "auto", "adapter_dim": -1}, "adapter_dim must be.*-1"),
        ({"method": "mse", "adapter_dim": 0}, "adapter_dim must be.*at least 1"),
        ({"method": "contrastive", "adapter_dim": 2.5}, "adapter_dim must be.*2.5"),
        ({"bridge_method": "mse", "adapter_dim": 0}, "adapter_dim must be.*at least 1"),
        ({"output_space": "korean"}, "output_space must be.*'korean'"),
        ({"output_space": None}, "output_space must be"),
        ({"adapter_params": {"epochs": 3}}, "'epochs'.*knows.*'max_epochs'"),
        ({"adapter_params": {"b": 3, "a": 1}}, "'a', 'b'.*knows.*'max_epochs'"),
        ({"adapter_params": {"loss": "mse"}}, "'loss'.*knows"),
        ({"adapter_params": {"shared": True}}, "'shared'.*knows"),
        ({"adapter_params": {"adapter_dim": 1}}, "'adapter_dim'.*knows"),
        ({"adapter_params": {"warm_start": True}}, "'warm_start'.*knows"),
        ({"adapter_params": [("max_epochs", 3)]}, "adapter_params must be a dict"),
        ({"adapter_params": "max_epochs"}, "adapter_params must be a dict"),
        ({"method": "contrastive", "adapter_params": {"max_epochs": 0}}, "max_epochs"),
        ({"method": "auto", "adapter_params": {"temperature": -1}}, "temperature"),
        ({"bridge_method": "contrastive", "adapter_params": {"dropout": 2}}, "dropout"),
        ({"method": "autoencoder", "adapter_params": {"architecture": "fc"}}, "autoencoder"),
        ({"output_space": "shared", "method": "ridge"}, 'output_space="shared" goes.*ridge'),
        ({"output_space": "shared", "method": "identity"}, 'output_space="shared" goes'),
        ({"output_space": "shared", "method": "mse"}, 'output_space="shared" goes.*mse'),
        ({"output_space": "shared", "target_lang": ("ko", "ja")}, "needs one target_lang"),
        ({"output_space": "target", "target_lang": ("ko", "ja")}, "needs one target_lang"),
        ({"output_space": "target", "english_encoder": NeverEncode()}, "english_encoder=None"),
        (
            {
                "output_space": "shared",
                "method": "contrastive",
                "adapter_params": {"hard_negatives": 2},
            },
            "hard_negatives",
        ),
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["pairs", "text", "embeddings"])
def test_bad_values_are_told_before_any_encoding(parameters, message, form):
    aligner = CrossLingualAligner(**{"encoder": NeverEncode(), "device": "cpu"} | parameters)
    rows, others = {
        "pairs": (PAIRS, {}),
        "text": (ENGLISH, {"parallel": PAIRS}),
        "embeddings": (X, {"y": Y}),
    }[form]
    with pytest.raises(ValueError, match=message):
        aligner.fit(rows, **others)


@pytest.mark.parametrize("method", SHARED)
def test_shared_space_without_pairs_is_told_before_any_encoding(method):
    aligner = toy(method, encoder=NeverEncode(), output_space="shared", corpus=None)
    with pytest.raises(ValueError, match="learned from translation pairs, and there are none"):
        aligner.fit(ENGLISH)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"hard_negatives": 2}, "hard_negatives"),
        ({"start": "ridge"}, "start"),
        ({"architecture": "fc"}, "architecture"),
    ],
)
def test_bad_values_of_a_shared_auto_are_told_before_any_encoding(params, message):
    aligner = toy("auto", encoder=NeverEncode(), output_space="shared", adapter_params=params)
    with pytest.raises(ValueError, match=message):
        aligner.fit(PAIRS)


def test_a_failed_fit_keeps_what_was_fitted():
    aligner = toy().fit(PAIRS)
    before = aligner.transform(KOREAN[:3])
    with pytest.raises(ValueError, match="adapter_dim"):
        aligner.set_params(adapter_dim=-1).fit(PAIRS)
    assert_array_equal(aligner.transform(KOREAN[:3]), before)


@pytest.mark.parametrize("budget", [0, 0.5, None, np.float64(3), np.inf])
def test_good_time_budgets(budget):
    assert toy("auto", time_budget=budget).fit(PAIRS).score(PAIRS) > 0.9


@pytest.mark.parametrize("kind", [np.int64, np.float32])
def test_good_time_budgets_of_numpy(kind):
    toy("ridge", time_budget=kind(3)).fit(PAIRS)


def test_adapter_params_with_a_key_that_is_no_name():
    with pytest.raises(ValueError, match="adapter_params has"):
        toy(encoder=NeverEncode(), adapter_params={1: 2, "a": 3}).fit(PAIRS)


@pytest.mark.filterwarnings("error:X has feature names:UserWarning")
def test_bridge_under_a_global_frame_output_does_not_warn():
    with sklearn.config_context(transform_output="pandas"):
        aligner = toy(english_encoder=EnglishOnly()).fit(ENGLISH, parallel=PAIRS)
        assert aligner.transform(KOREAN).shape == (200, 7)


def test_a_bridge_method_does_not_matter_in_a_shared_space():
    aligner = toy("auto", output_space="shared", bridge_method="mse").fit(PAIRS)
    assert aligner.bridge_map_ is None
