"""Answers row by row: a bad row has an error of its own, and the others are answered."""

from __future__ import annotations

import json
import logging
import time
from types import SimpleNamespace

import numpy as np
import pytest

from langalign_sk.service import ServiceLimits, _answers, _requests, answer
from tests.service.toy import Greeter

LIMITS = ServiceLimits(max_letters=20)


def test_every_row_has_an_entry_in_each_list():
    out = answer(Greeter(), ["one", "odd", " \u200b"], review_below=0.6)
    assert out == {
        "labels": ["of 3", None, None],
        "quality": [0.5, 0.0, 0.0],
        "review": [True, True, True],
        "errors": [None, None, "texts[2] is empty."],
    }
    assert answer(Greeter(), ["one"], review_below=0.5)["review"] == [False]
    assert answer(Greeter(), ["one", ""], review_below=0.0)["review"] == [False, True]


def test_a_single_text_is_not_a_list_of_letters():
    with pytest.raises(TypeError, match="texts is a str, 'hello'; pass a list"):
        answer(Greeter(), "hello")


@pytest.mark.parametrize("n", [1, 2, 7, 64])
def test_a_row_that_the_model_fails_on_costs_no_other_row_its_answer(n):
    for bad in range(n):
        texts = [f"row {i:03}" for i in range(n)]
        texts[bad] = "poison"
        model = Greeter(fails_on="poison")
        out = answer(model, texts)
        assert [label is None for label in out["labels"]] == [i == bad for i in range(n)]
        assert [e for e in out["errors"] if e] == [
            f"texts[{bad}] could not be answered: the model failed on it."
        ]
        assert out["quality"][bad] == 0
        assert out["review"][bad] is True
        # Halving: two calls per level of the tree at most, and the first.
        assert len(model.batches) <= 2 * np.ceil(np.log2(n)) + 1


@pytest.mark.parametrize("error", [UnicodeEncodeError, MemoryError, RecursionError, KeyError])
def test_any_exception_of_a_model_is_an_error_of_the_row(error):
    class Fails(Greeter):
        def predict(self, texts):
            if "poison" in texts:
                raise error(*(["utf-8", "a", 0, 1, "bad"] if error is UnicodeEncodeError else []))
            return super().predict(texts)

    assert answer(Fails(), ["fine", "poison"])["labels"] == ["of 4", None]


def test_no_text_of_a_client_stands_in_an_error_or_a_log(caplog):
    with caplog.at_level(logging.INFO):
        out = answer(Greeter(fails_on="secret"), ["my secret 1234"])
    assert "1234" not in str(out) + caplog.text
    assert "ValueError" in caplog.text


@pytest.mark.parametrize("text", ["카드를 \ud83d 잃어버렸어요", "\udc00", "a\ud800"])
def test_half_a_surrogate_pair_is_answered(text):
    model = Greeter()
    out = answer(model, ["fine", text])
    assert out["errors"] == [None, None]
    assert model.batches[0][1] == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def test_two_halves_are_one_character():
    model = Greeter()
    answer(model, ["\ud83d\ude00"])
    assert model.batches == [["\U0001f600"]]


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("가" * 20, True),
        ("가" * 21, False),
        ("x" * 20, True),
        ("x" * 21, False),
        # Three characters a letter as macOS writes them.
        ("\u1100\u1161\u11a8" * 20, True),
        ("\u1100\u1161\u11a8" * 21, False),
        ("\ufdfa", True),  # 18 letters in NFKC
        ("\ufdfa" * 2, False),
        ("a" + "\u0301" * 60, False),
        ("x" * 10_000, False),
    ],
)
def test_letters_are_counted_in_the_normal_form(text, fits):
    model = Greeter()
    out = answer(model, ["fine", text], limits=LIMITS)
    assert (out["errors"][1] is None) is fits
    if not fits:
        assert out["errors"][1] == "texts[1] has over 20 letters."
        assert model.batches == [["fine"]]


@pytest.mark.parametrize("n", [2_000, 8_000])
def test_counting_letters_that_become_many_ends_at_the_limit(n, monkeypatch):
    made, real = [], _requests.normalize

    def normalized(form, text):
        made.append(len(out := real(form, text)))
        return out

    monkeypatch.setattr(_requests, "normalize", normalized)
    text = "\ufdfa" * n
    assert answer(Greeter(), [text])["errors"] == ["texts[0] has over 2000 letters."]
    assert sum(made) < 3 * ServiceLimits().max_letters < 18 * n


def test_a_long_run_of_marks_is_cut_before_it_is_sorted(monkeypatch):
    """Sorting it takes quadratic time."""
    runs, real = [], _requests.normalize

    def normalized(form, text):
        runs.append(text.count("\u0316"))
        return real(form, text)

    monkeypatch.setattr(_requests, "normalize", normalized)
    answer(Greeter(), ["a" + "\u0301\u0316" * 900])
    assert max(runs, default=0) <= 15


def test_labels_are_text_or_none():
    class Numbers(Greeter):
        def predict(self, texts):
            return np.array([1, 2.5, np.nan, None, "né"], dtype=object)

    labels = answer(Numbers(), ["a", "b", "c", "d", "e"])["labels"]
    assert labels == ["1", "2.5", "nan", None, "né"]


def test_a_model_of_several_labels_per_row_is_told():
    class Several(Greeter):
        def predict(self, texts):
            return np.zeros((len(texts), 2))

    with pytest.raises(ValueError, match="array of 2 dimensions; serve a model with one label"):
        _answers.predicted(Several(), ["one"])
    assert answer(Several(), ["one"])["labels"] == [None]


def test_a_threshold_of_numpy_makes_values_of_json():
    out = answer(Greeter(), ["one"], review_below=np.float64(0.7))
    assert json.loads(json.dumps(out))["review"] == [True]


def test_a_request_writes_a_line_for_each_kind_of_failure(caplog):
    with caplog.at_level(logging.INFO):
        answer(Greeter(fails_on="x"), ["x", "x", "a", "x"])
    assert caplog.messages == ["The model failed on 3 of 4 rows: ValueError"]


def test_rows_are_not_begun_after_the_deadline():
    model = Greeter()
    out = answer(model, ["one", ""], deadline=time.monotonic() - 1)
    assert out["errors"] == ["texts[0] was not answered in time.", "texts[1] is empty."]
    assert model.batches == []


@pytest.mark.parametrize("quality", [np.nan, np.inf])
def test_a_quality_that_is_no_number_is_an_error(quality):
    class Odd(Greeter):
        def quality_score(self, texts):
            return np.full(len(texts), quality)

    assert answer(Odd(), ["one"])["errors"][0].startswith("texts[0] could not be answered")


def test_too_few_answers_are_no_answers():
    class Short(Greeter):
        def predict(self, texts):
            return super().predict(texts)[:-1]

    assert answer(Short(), ["one", "two"])["labels"] == [None, None]


def test_the_quality_is_that_of_the_first_step():
    first, head = Greeter(), Greeter()
    pipe = SimpleNamespace(steps=[("aligner", first), ("head", head)], predict=head.predict)
    assert answer(pipe, ["four", "odd"])["labels"] == ["of 4", None]
    assert (first.batches, head.batches) == ([], [["four"]])


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"max_rows": 0}, "max_rows must be a positive int, got 0"),
        ({"max_waiting": -1}, "max_waiting must be a non-negative int, got -1"),
        ({"max_body_bytes": 1e6}, "max_body_bytes must be a positive int"),
        ({"max_seconds": float("nan")}, "max_seconds must be seconds in"),
        ({"max_concurrent": True}, "max_concurrent must be a positive int, got True"),
    ],
)
def test_limits_are_checked(limits, message):
    with pytest.raises(ValueError, match=message):
        ServiceLimits(**limits)
