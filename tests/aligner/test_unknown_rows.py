"""Tests of rows in no declared language: in a fit, in a transform, and in what is built on them."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone

from langalign_sk import CrossLingualAligner, CrossLingualRetriever, load, save
from langalign_sk.aligner._route import router_of
from tests.toy import ENGLISH, KOREAN, PAIRS, ToyEncoder

THAI, RUSSIAN = "สวัสดี", "Где моя посылка?"


def aligner(**parameters):
    defaults = {"encoder": ToyEncoder(), "method": "ridge", "alpha": 1.0, "random_state": 0}
    return CrossLingualAligner("ko", **defaults | parameters)


def messages(caught):
    return [str(w.message) for w in caught if "no declared language" in str(w.message)]


def test_a_batch_is_not_stopped_and_its_rows_are_named_once():
    fitted = aligner().fit(PAIRS)
    batch = [*KOREAN[:7], THAI, *ENGLISH[:3], RUSSIAN]
    with pytest.warns(
        UserWarning, match=r"2 of 12 rows .* rows 7, 11\. Row 7 is .* Thai"
    ) as caught:
        out = fitted.transform(batch)
    assert len(messages(caught)) == 1
    assert out.shape == (12, fitted.transform(KOREAN[:1]).shape[1])
    assert_array_equal(out[:7], fitted.transform(KOREAN[:7]))
    # English rows pass unmoved, and so do those that are taken for English.
    assert_array_equal(out[[7, 11]], fitted.encoder.encode([THAI, RUSSIAN]))


def test_english_is_served_without_a_warning():
    fitted = aligner(on_unknown="english").fit(PAIRS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = fitted.transform([THAI])
    assert_array_equal(out, fitted.encoder.encode([THAI]))


def test_an_error_names_the_row_of_the_whole_input():
    with pytest.raises(ValueError, match="Row 40 is written in the Thai script"):
        aligner(on_unknown="raise").fit([*ENGLISH[:40], THAI], parallel=PAIRS)


@pytest.mark.parametrize("value", ["ignore", None])
def test_another_value_is_refused_before_long_work(value):
    with pytest.raises(ValueError, match="on_unknown must be one of"):
        aligner(on_unknown=value).fit(PAIRS)


def test_a_fit_and_a_search_report_once():
    rows = [*ENGLISH[:40], THAI]
    with pytest.warns(UserWarning, match="1 of 41 rows") as caught:
        aligner().fit_transform(rows, parallel=PAIRS)
    assert len(messages(caught)) == 1
    retriever = CrossLingualRetriever([aligner(), aligner(alpha=2.0)])
    with pytest.warns(UserWarning, match="1 of 41 rows") as caught:
        retriever.fit(rows, parallel=PAIRS)
    assert len(messages(caught)) == 1
    with pytest.warns(UserWarning, match="1 of 2 rows") as caught:
        retriever.search([KOREAN[0], RUSSIAN])
    assert len(messages(caught)) == 1


def test_kaomoji_and_hanja_are_served_as_what_they_are():
    fitted = aligner().fit(PAIRS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted.transform(
            ["lol ¯\\_(ツ)_/¯", "大韓民國은 民主共和國이다", "The word is ありがとう, I think"]
        )


def test_codes_of_detect_with_regions_pass():
    fitted = aligner(detect=lambda texts: ["ko-KR" if t > "~" else "eng" for t in texts]).fit(PAIRS)
    assert router_of(fitted)([KOREAN[0], ENGLISH[0]]) == ["ko", "en"]


def test_the_parameter_is_kept_by_clones_pickles_and_folders(tmp_path):
    fitted = aligner(encoder="use-multilingual", corpus=None, on_unknown="english")
    assert clone(fitted).on_unknown == "english"
    assert pickle.loads(pickle.dumps(fitted)).on_unknown == "english"
    folder = save(fitted.fit(ENGLISH[:30]), tmp_path / "model")
    assert load(tmp_path / "model").on_unknown == "english", folder


def test_states_of_earlier_releases_refuse_such_rows_as_they_did():
    state = aligner().__getstate__()
    del state["on_unknown"]
    earlier = CrossLingualAligner()
    earlier.__setstate__(state)
    assert earlier.on_unknown == "raise"


def test_quality_of_such_rows_is_zero_whatever_is_served():
    fitted = aligner(on_unknown="english").fit(PAIRS)
    assert_array_equal(fitted.quality_score([THAI, RUSSIAN]), np.zeros(2))
