"""CrossLingualClassifier: views, heads, language maps and what they predict."""

from __future__ import annotations

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from langalign_sk import CrossLingualAligner, CrossLingualClassifier, KernelRidgeClassifier
from tests.classifier.toy import LABELS, PAIRS, TEST, TRAIN, Topics, aligner, on_topics
from tests.toy import ENGLISH, JAPANESE, KOREAN, EnglishOnly, NeverEncode, ToyEncoder

# 120 English texts are few for a bridge, and a warning says so.
pytestmark = pytest.mark.filterwarnings("ignore:The bridge to english_encoder has only")

X, y = ENGLISH[TRAIN], LABELS[TRAIN]
KERNEL = KernelRidgeClassifier(gamma=0.5, alpha=0.1)


def bridged(encoder=None, english=None, **params):
    return aligner(encoder or ToyEncoder(), english_encoder=english or EnglishOnly(), **params)


def classifier(given=None, **params):
    return CrossLingualClassifier(given or bridged(), **{"random_state": 0, **params})


def names(fitted):
    return [view.view for view in fitted.report_.views]


def test_english_labels_serve_korean():
    fitted = classifier().fit(X, y, parallel=PAIRS)
    # The classes are noisy: 0.67 of the rows are those that the vectors tell most likely.
    assert fitted.score(KOREAN[TEST], LABELS[TEST]) > 0.55
    assert fitted.score(KOREAN[TEST], LABELS[TEST]) >= (
        fitted.score(ENGLISH[TEST], LABELS[TEST]) - 0.1
    )
    assert names(fitted) == ["ToyEncoder", "ToyEncoder, bridged"]


def test_probabilities_are_the_mean_of_the_views():
    both = classifier().fit(X, y, parallel=PAIRS)
    one = [classifier(views=kind).fit(X, y, parallel=PAIRS) for kind in ("own", "bridge")]
    mean = np.mean([fitted.predict_proba(KOREAN[TEST]) for fitted in one], axis=0)
    assert_array_equal(both.predict_proba(KOREAN[TEST]), mean)
    assert_allclose(mean.sum(axis=1), 1, rtol=1e-12)
    assert_array_equal(both.predict(KOREAN[TEST]), both.classes_[mean.argmax(axis=1)])
    assert_allclose(both.decision_function(KOREAN[TEST]), np.log(mean), rtol=1e-12)


def test_decision_of_two_classes_is_one_column():
    labels = np.where(LABELS == "a", "a", "b")
    fitted = classifier().fit(X, labels[TRAIN], parallel=PAIRS)
    P = fitted.predict_proba(KOREAN[TEST])
    assert_allclose(fitted.decision_function(KOREAN[TEST]), np.log(P[:, 1] / P[:, 0]), rtol=1e-9)


def test_views_of_several_encoders():
    encoders = [ToyEncoder(), ToyEncoder(width=10)]
    fitted = classifier(bridged(), encoder=encoders).fit(X, y, parallel=PAIRS)
    assert [view.place for view in fitted.views_] == [0, 0, 1, 1]
    listed = [bridged(encoder) for encoder in encoders]
    other = classifier(listed).fit(X, y, parallel=PAIRS)
    assert_array_equal(other.predict_proba(KOREAN), fitted.predict_proba(KOREAN))


def test_an_encoder_has_one_view_of_its_own():
    encoder = ToyEncoder()
    two = [bridged(encoder), bridged(encoder, EnglishOnly(width=5))]
    fitted = classifier(two).fit(X, y, parallel=PAIRS)
    assert names(fitted) == ["ToyEncoder", "ToyEncoder, bridged", "ToyEncoder, bridged"]


def test_equal_maps_of_two_views_are_one_object():
    given = bridged(ToyEncoder(shift=6.0), method="auto", alpha="auto")
    own, moved = classifier(given).fit(X, y, parallel=PAIRS).views_
    maps = [view.maps["ko"] for view in (own, moved)]
    assert own.bridge is None
    assert maps[0].fitted_method == maps[1].fitted_method != "identity"
    assert maps[0] is maps[1]


def test_every_text_is_encoded_once():
    source, english = ToyEncoder(), EnglishOnly()
    fitted = classifier(bridged(source, english))
    fitted.fit(X, y, target=KOREAN[100:] + KOREAN[150:], parallel=PAIRS)
    assert len(source.calls) == len({*source.calls}) == len({*X, *KOREAN[100:], *PAIRS[0]})
    assert len(english.calls) == len({*english.calls})
    source.calls.clear(), english.calls.clear()
    fitted.predict(KOREAN[TEST] + KOREAN[TEST])
    assert sorted(source.calls) == sorted(KOREAN[TEST])
    assert not english.calls


@pytest.mark.parametrize("head", ["kernel", LogisticRegression(C=10)])
def test_repeats_bit_for_bit_and_leaves_the_global_state(head):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (
        classifier(head=head).fit(X, y, target=KOREAN, parallel=PAIRS) for _ in range(2)
    )
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert_array_equal(first.predict_proba(KOREAN), second.predict_proba(KOREAN))
    assert first.report_ == second.report_


def test_routed_heads_are_the_views():
    encoders = [ToyEncoder(), ToyEncoder(width=10)]
    fitted = classifier(head=KERNEL, encoder=encoders).fit(X, y, parallel=PAIRS)
    heads = fitted.routed_heads()
    assert [head.place for head in heads] == [0, 0, 1, 1]
    rows = [encoder.encode(KOREAN) for encoder in encoders]
    P = [h.model.predict_proba(h.route.there(rows[h.place], "ko")) for h in heads]
    assert_allclose(np.mean(P, axis=0), fitted.predict_proba(KOREAN), rtol=1e-12)
    assert [head.aligner for head in heads] == [fitted.aligners_[i] for i in (0, 0, 1, 1)]
    # Two bridges of one encoder.
    two = [bridged(encoders[0]), bridged(encoders[0], EnglishOnly(width=5))]
    fitted = classifier(two, head=KERNEL).fit(X, y, parallel=PAIRS)
    assert [head.place for head in fitted.routed_heads()] == [0, 0, 0]
    with pytest.raises(NotFittedError):
        classifier().routed_heads()


def test_no_row_depends_on_the_others():
    fitted = classifier().fit(X, y, parallel=PAIRS)
    texts = [*KOREAN[:5], *ENGLISH[:5]]
    alone = np.vstack([fitted.predict_proba([text]) for text in texts])
    assert_allclose(fitted.predict_proba(texts), alone, rtol=1e-5)


def test_labelled_korean_rows_teach_beside_english_ones():
    texts, labels = on_topics(["billing", "delivery"])
    few, of_few = on_topics(["refund"], "문장", 20)
    fitted = classifier(aligner(Topics(), method="identity"))
    fitted.fit([*texts, *few], [*labels, *of_few])
    more, _ = on_topics(["refund", "billing"], "글", 30)  # only Korean rows know the first
    assert fitted.classes_.tolist() == ["billing", "delivery", "refund"]
    assert (fitted.predict(more[:30]) == "refund").mean() > 0.9
    assert (fitted.predict(more[30:]) == "billing").mean() > 0.9


def test_rows_of_weight_zero_are_left_out():
    weight = np.r_[np.ones(100), np.zeros(20)]
    given = classifier(views="own", head=KERNEL).fit(X, y, sample_weight=weight, parallel=PAIRS)
    without = classifier(views="own", head=KERNEL).fit(X[:100], y[:100], parallel=PAIRS)
    assert_allclose(given.predict_proba(KOREAN), without.predict_proba(KOREAN), rtol=1e-4)


def test_any_classifier_with_probabilities_is_a_head():
    fitted = classifier(head=LogisticRegression(C=100)).fit(X, y, target=KOREAN, parallel=PAIRS)
    assert all(isinstance(view.head.model, LogisticRegression) for view in fitted.views_)
    assert fitted.report_.views[0].gamma is None
    assert fitted.report_.adaptation.adapted
    assert fitted.score(KOREAN[TEST], LABELS[TEST]) > 0.5


def test_a_class_with_one_row_is_served():
    labels = np.array([*y[:-1], "rare"])
    for head in ("kernel", LogisticRegression()):
        fitted = classifier(head=head).fit(X, labels, parallel=PAIRS)
        assert fitted.classes_.tolist() == ["a", "b", "c", "rare"]


def test_many_classes():
    labels = np.arange(len(X)) // 2
    fitted = classifier().fit(X, labels, parallel=PAIRS)
    assert fitted.predict_proba(KOREAN[:3]).shape == (3, 60)


@pytest.mark.slow
def test_a_thousand_classes_of_two_rows():
    rng = np.random.default_rng(0)
    corners = rng.normal(size=(1_000, 64))
    labels = np.repeat(np.arange(1_000), 2)
    rows = corners[labels] + 0.3 * rng.normal(size=(2_000, 64))
    fitted = classifier(CrossLingualAligner("ko")).fit(rows, labels, target=rows[:300] + 0.05)
    assert fitted.report_.adaptation.adapted
    assert_array_equal(fitted.predict(corners), np.arange(1_000))


def test_a_frozen_aligner_stays_as_it_is():
    given = bridged().fit(X, parallel=PAIRS).freeze()
    fitted = classifier(given).fit(X, y)
    assert fitted.aligners_[0] is given
    assert fitted.views_[0].maps["ko"] is given.estimator.language_map_
    assert fitted.predict(KOREAN).shape == (200,)


def test_several_languages():
    given = bridged()
    given.set_params(target_lang=["ko", "ja"])
    pairs = {"ko": PAIRS, "ja": (JAPANESE[:60], ENGLISH[:60])}
    fitted = classifier(given).fit(X, y, parallel=pairs)
    assert {*fitted.views_[0].maps} == {"ko", "ja"}
    for texts in (KOREAN, JAPANESE):
        assert fitted.score(texts[TEST], LABELS[TEST]) > 0.5


# Language maps


def test_the_head_chooses_the_language_map():
    # Korean vectors are shifted by three standard deviations: no alignment loses.
    given = aligner(ToyEncoder(shift=6.0), method="auto", alpha="auto")
    fitted = classifier(given).fit(X, y, parallel=PAIRS)
    assert fitted.report_.views[0].maps["ko"] != "identity"
    choices = fitted.report_.views[0].map_choices["ko"]
    assert choices["method"][0] == "identity"
    assert "centre" in choices["method"]


def test_no_alignment_stays_where_nothing_is_better():
    given = aligner(ToyEncoder(shift=0.0, noise=0.0), method="auto", alpha="auto")
    fitted = classifier(given).fit(X, y, parallel=PAIRS)
    assert fitted.report_.views[0].maps == {"ko": "identity"}


def test_an_aligner_inside_a_classifier_is_for_heads():
    given = aligner(ToyEncoder(shift=6.0), method="auto", alpha="auto")
    fitted = classifier(given).fit(X, y, parallel=PAIRS)
    assert given.objective == "auto"
    assert fitted.aligners_[0].objective == "head"
    named = classifier(clone(given).set_params(objective="head")).fit(X, y, parallel=PAIRS)
    assert_array_equal(fitted.predict_proba(KOREAN), named.predict_proba(KOREAN))


def test_an_explicit_objective_of_retrieval_keeps_the_choice_of_the_aligner():
    given = aligner(ToyEncoder(shift=6.0), method="auto", alpha="auto", objective="retrieval")
    fitted = classifier(given).fit(X, y, parallel=PAIRS)
    [view] = fitted.report_.views
    assert view.map_choices == {}
    alone = (
        clone(given)
        .set_params(random_state=fitted.aligners_[0].random_state)
        .fit(X, parallel=PAIRS)
    )
    assert view.maps == {"ko": alone.method_}
    assert_allclose(fitted.views_[0].maps["ko"].coef_, alone.language_map_.coef_)


def test_a_method_that_was_asked_for_is_used():
    fitted = classifier(aligner(ToyEncoder(), method="procrustes")).fit(X, y, parallel=PAIRS)
    assert fitted.report_.views[0].maps == {"ko": "procrustes"}
    assert fitted.report_.views[0].map_choices == {}


# Embeddings


def rows_of(texts):
    return ToyEncoder().encode(texts)


def test_embeddings_with_pairs():
    pairs = rows_of(PAIRS[0]), rows_of(PAIRS[1])
    of_rows = classifier(aligner("use-multilingual")).fit(
        rows_of(X), y, target=rows_of(KOREAN), parallel=pairs
    )
    of_text = classifier(aligner(ToyEncoder()), adapt="auto").fit(
        X, y, target=KOREAN, parallel=PAIRS
    )
    assert of_rows.n_features_in_ == 12
    assert_allclose(
        of_rows.predict_proba(rows_of(KOREAN)), of_text.predict_proba(KOREAN), rtol=1e-4
    )


def test_embeddings_without_pairs_are_not_moved():
    fitted = classifier(aligner("use-multilingual"), head=KERNEL).fit(rows_of(X), y)
    head = clone(KERNEL).fit(rows_of(X), y)
    assert_allclose(
        fitted.predict_proba(rows_of(KOREAN)), head.predict_proba(rows_of(KOREAN)), rtol=1e-6
    )
    assert fitted.report_.views[0].maps == {"ko": "identity"}


def test_embeddings_and_text_do_not_mix():
    fitted = classifier(aligner(ToyEncoder())).fit(rows_of(X), y)
    with pytest.raises(ValueError, match="fitted on embeddings"):
        fitted.predict(KOREAN)
    fitted = classifier(encoder=[ToyEncoder(), ToyEncoder(width=10)]).fit(X, y, parallel=PAIRS)
    with pytest.raises(ValueError, match="several encoders: pass text"):
        fitted.predict(rows_of(KOREAN))


def test_embeddings_of_several_languages_are_not_told_apart():
    given = bridged(method="identity", corpus=None).set_params(target_lang=["ko", "ja"])
    with pytest.warns(UserWarning, match="no translation pairs"):
        fitted = classifier(given, views="own").fit(X, y, parallel={"ko": PAIRS})
    with pytest.raises(ValueError, match="carry no script"):
        fitted.predict(rows_of(KOREAN))


# Bad input


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"head": "forest"}, ValueError, 'head must be "kernel" or a classifier'),
        ({"head": LogisticRegression}, ValueError, "head must be"),
        ({"views": "bridges"}, ValueError, "views must be"),
        ({"views": []}, ValueError, "views must be"),
        ({"adapt": "always"}, ValueError, "adapt must be one of"),
        ({"cross_fit": 1}, ValueError, "cross_fit must be an int of at least 2"),
        ({"cross_fit": True}, ValueError, "cross_fit must be"),
        ({"encoder": []}, ValueError, "encoder is an empty list"),
        ({"aligner": []}, ValueError, "aligner is an empty list"),
        ({"aligner": "ko"}, TypeError, "must be a CrossLingualAligner"),
        ({"aligner": [aligner(NeverEncode()), "ko"]}, TypeError, "must be a CrossLingualAligner"),
        (
            {"aligner": aligner(NeverEncode(), output_space="target")},
            ValueError,
            'leave it at "english"',
        ),
        (
            {"aligner": [aligner(NeverEncode()), CrossLingualAligner("ja")]},
            ValueError,
            "declare different languages",
        ),
        (
            {"aligner": [aligner(NeverEncode())] * 2, "encoder": [NeverEncode()]},
            ValueError,
            "leave it None",
        ),
        ({"views": "bridge"}, ValueError, "needs text and aligners with another English encoder"),
    ],
)
def test_bad_parameters(params, error, message):
    params = {"aligner": aligner(NeverEncode()), **params}
    with pytest.raises(error, match=message):
        CrossLingualClassifier(**params).fit(X, y, parallel=PAIRS)


@pytest.mark.parametrize(
    ("rows", "labels", "message"),
    [
        (X, None, "requires y to be passed"),
        (X, y[:5], "120 rows and y 5 labels"),
        (X, np.full(120, "a"), "one class only"),
        (X, np.linspace(0, 1, 120), "Unknown label type"),
        (KOREAN, LABELS, "holds no English row"),
        ([*X[:-1], None], y, "missing"),
        ([*X[:-1], "สวัสดี"], y, "Row 119"),
    ],
)
def test_bad_rows_and_labels(rows, labels, message):
    given = aligner(NeverEncode()).set_params(on_unknown="raise")
    with pytest.raises((ValueError, TypeError), match=message):
        classifier(given).fit(rows, labels, parallel=PAIRS)


def test_views_that_disagree_are_warned_of():
    rng = np.random.default_rng(0)
    table = {text: rng.normal(size=12) for text in (*ENGLISH, *KOREAN)}

    class Noise:
        def encode(self, texts):
            return np.array([table[text] for text in texts], dtype=np.float32)

    with pytest.warns(UserWarning, match="hardly more than by chance"):
        fitted = classifier(encoder=[ToyEncoder(), Noise()], views="own").fit(X, y, parallel=PAIRS)
    assert "hardly more than by chance" in str(fitted.report_)


def test_a_fitted_aligner_is_fitted_again_with_a_warning():
    given = bridged().fit(X, parallel=PAIRS)
    with pytest.warns(UserWarning, match="fitted already"):
        classifier(given).fit(X, y, parallel=PAIRS)


def test_an_encoder_that_is_missing_where_the_model_is_served():
    fitted = classifier(encoder=[ToyEncoder(), ToyEncoder(width=10)]).fit(X, y, parallel=PAIRS)
    fitted.aligners_[1].encoder = "no-such-encoder"
    with pytest.raises(ValueError, match="'no-such-encoder'"):
        fitted.predict(KOREAN[:3])


# In scikit-learn


def test_grid_search_over_aligner_head_and_views():
    grid = {
        "aligner__alpha": [0.1, 1.0],
        "head__gamma": [0.5, 1.0],
        "views": ["own", ["own", "bridge"]],
    }
    search = GridSearchCV(classifier(head=KERNEL), grid, cv=2, error_score="raise")
    search.fit(X, y, parallel=PAIRS)
    assert len(search.cv_results_["params"]) == 8
    assert search.predict(KOREAN).shape == (200,)


def test_metadata_is_routed_through_a_pipeline():
    upper = FunctionTransformer(lambda texts: texts)
    given = {"target": KOREAN, "parallel": PAIRS, "sample_weight": np.ones(len(X))}
    with sklearn.config_context(enable_metadata_routing=True):
        step = classifier(adapt="self-training").set_fit_request(
            target=True, sample_weight=True, parallel=True
        )
        routed = make_pipeline(upper, step).fit(X, y, **given)
    pipe = make_pipeline(upper, classifier(adapt="self-training"))
    plain = pipe.fit(X, y, **{f"crosslingualclassifier__{k}": v for k, v in given.items()})
    assert_array_equal(routed.predict_proba(KOREAN), plain.predict_proba(KOREAN))
    assert routed[-1].report_.adaptation.adapted


def test_a_clone_shares_encoders_and_keeps_requests():
    encoders = [ToyEncoder(), ToyEncoder(width=10)]
    with sklearn.config_context(enable_metadata_routing=True):
        given = classifier(encoder=encoders).set_fit_request(target=True)
    twin = clone(given)
    assert twin.encoder[0] is encoders[0]
    assert twin.aligner is not given.aligner
    assert twin.get_metadata_routing().fit.requests["target"] is True


def test_report_reads_as_a_table():
    fitted = classifier().fit(X, y, parallel=PAIRS)
    frame = fitted.report_.to_frame()
    assert frame["view"].tolist() == names(fitted)
    assert frame["ko"].tolist() == ["ridge", "ridge"]
    text = str(fitted.report_)
    assert "mean of the views, held out: accuracy" in text
    assert "not adapted: there was no unlabelled text" in text


def test_encoder_that_tells_no_text_from_another():
    class Constant:
        def encode(self, texts):
            return np.full((len(texts), 4), 0.3, dtype=np.float32)

    alone = CrossLingualAligner("ko", encoder=Constant(), corpus=None)
    with pytest.raises(ValueError, match=r"same row for all \d+ texts.*rows depend on the text"):
        classifier(alone).fit(X, y)
    bridged = CrossLingualAligner(
        "ko", encoder=ToyEncoder(), english_encoder=Constant(), corpus=None, random_state=0
    )
    with pytest.raises(
        ValueError, match=r"encoder Constant returns the same row for all \d+ texts"
    ):
        classifier(bridged).fit(X, y)
