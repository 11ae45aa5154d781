"""Faults of pairs that their text gives away."""

from __future__ import annotations

import pytest

from langalign_sk._quality import faults_of_sides
from langalign_sk.datasets import load_starter_corpus

N = 60


def sides(language):
    corpus = load_starter_corpus(language)
    return list(corpus.target[:N]), list(corpus.source[:N])


@pytest.mark.parametrize("language", ["ko", "ja", "zh"])
def test_sound_pairs_have_no_faults(language):
    corpus = load_starter_corpus(language)
    assert faults_of_sides(corpus.target, corpus.source, language) == []


@pytest.mark.parametrize(
    ("written", "declared"),
    [("ja", "zh"), ("zh", "ja"), ("ja", "ko"), ("ko", "zh"), ("zh", "ko"), ("ko", "ja")],
    ids="{0[0]}".format,
)
def test_pairs_of_another_language(written, declared):
    target, english = sides(written)
    (fault,) = faults_of_sides(target, english, declared)
    assert f"the script of '{declared}'" in fault
    assert "100% of the target sentences" in fault


def test_third_of_the_pairs_in_another_language():
    (ko, english), (ja, _) = sides("ko"), sides("ja")
    (fault,) = faults_of_sides([*ja[:20], *ko[20:]], english, "ko")
    assert "33% of the target sentences" in fault
    assert "most of them in Kana" in fault


def test_english_on_both_sides():
    _, english = sides("ko")
    script, copies = faults_of_sides(english, english, "ko")
    assert "most of them in Latin" in script
    assert "100% of the pairs of 'ko' hold the same text" in copies


def test_copies_where_the_script_says_nothing():
    # German is written in Latin letters, as English is.
    _, english = sides("ko")
    (copies,) = faults_of_sides([text.upper() for text in english], english, "de")
    assert "same text on both sides" in copies


def test_third_of_the_pairs_swapped():
    target, english = sides("ko")
    mixed = [*english[:20], *target[20:]], [*target[:20], *english[20:]]
    of_target, of_english = faults_of_sides(*mixed, "ko")
    assert "33% of the target sentences" in of_target
    assert "33% of the English sentences" in of_english
    assert "[target, English], in this order" in of_english


@pytest.mark.parametrize("side", ["target", "English"])
def test_sentences_that_a_program_cut(side):
    target, english = sides("ko")
    length = 14
    if side == "target":
        target = [text[:length] for text in target]
    else:
        english = [text[:length] for text in english]
    (fault,) = faults_of_sides(target, english, "ko")
    assert f"The {side} side" in fault
    assert "have 14 letters, and none is longer" in fault


@pytest.mark.parametrize(
    "english",
    [
        [f"item {i:05d}" for i in range(N)],
        [f"{i:04d} " + "a" * (20 + i % 7) for i in range(N)],
        [f"sentence number {i}" for i in range(N)],
    ],
    ids=["short names of one length", "a few lengths alike", "numbers"],
)
def test_lengths_that_are_alike_by_nature(english):
    target, _ = sides("ko")
    assert faults_of_sides(target, english, "ko") == []


def test_few_pairs_say_nothing():
    assert faults_of_sides(["one"] * 9, ["one"] * 9, "ko") == []


def test_some_english_names_in_the_target_text_are_sound():
    target, english = sides("ko")
    target[:10] = [f"Docker {i}" for i in range(10)]
    assert faults_of_sides(target, english, "ko") == []
