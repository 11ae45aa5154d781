"""Tests of ParallelCorpus.clean."""

import pytest

from langalign_sk.corpus import ParallelCorpus
from tests.corpus.toy import KO, make

REASONS = {"kept", "empty", "duplicate", "wrong_script", "untranslated", "length_mismatch"}


def fate(target, source, lang="ko"):
    """What becomes of one pair, among three ordinary ones of the length ratio 1."""
    letters = {"ko": "가나다", "ja": "あいう", "zh": "一二三", "de": "äöü"}[lang]
    corpus = make([*(c * 2 for c in letters), target], ["go", "do", "be", source], lang)
    report = corpus.clean().cleaning_report
    assert sum(report.values()) == 4
    assert set(report) == REASONS
    if report["kept"] == 4:
        return "kept"
    assert report["kept"] == 3
    return next(reason for reason in REASONS - {"kept"} if report[reason])


@pytest.mark.parametrize(
    ("target", "source", "lang", "expected"),
    [
        ("좋은 하루", "Good day", "ko", "kept"),
        ("", "Good day", "ko", "empty"),
        ("좋은", " \t\u3000\n", "ko", "empty"),
        ("", "", "ko", "empty"),
        ("Firefox", "Firefox", "ko", "untranslated"),
        ("ＦＩＲＥＦＯＸ 2!", "firefox-2", "ko", "untranslated"),
        ("좋은", "좋은", "ko", "untranslated"),  # equal sides come before the script
        ("?!", "...", "ko", "untranslated"),
        ("Good evening", "Good day", "ko", "untranslated"),
        ("Guten Tag", "Good day", "de", "kept"),
        ("Good day!", "good day", "de", "untranslated"),
        ("おはよう", "Good day", "ko", "wrong_script"),
        ("2026", "twenty", "ko", "wrong_script"),
        ("좋은 하루", "좋은 아침", "ko", "wrong_script"),
        ("좋은 하루", "今日", "ko", "wrong_script"),
        ("今日", "today", "ja", "kept"),
        ("今日は", "today", "ja", "kept"),
        ("오늘", "today", "ja", "wrong_script"),
        ("今日", "today", "zh", "kept"),
        ("きょう", "today", "zh", "wrong_script"),
        ("доброе", "Good day", "de", "kept"),  # not tested for languages in Latin script
        ("Alpha beta gamma 가", "Good day", "ko", "wrong_script"),  # Latin 14 to 1
        ("가" * 19, "a", "ko", "kept"),  # short pairs are not judged by length
        ("가" * 20, "abcd", "ko", "length_mismatch"),
        ("가" * 20, "abcde", "ko", "kept"),
        ("가가가가", "a" * 20, "ko", "length_mismatch"),
        ("가가가가가", "a" * 20, "ko", "kept"),
        ("가 가", "GO!", "ko", "duplicate"),
    ],
)
def test_fate_of_a_pair(target, source, lang, expected):
    assert fate(target, source, lang) == expected


def test_duplicates_need_both_sides():
    corpus = make(["가 나", "가나!", "가나", "다"], ["Go", "go.", "do", "go"]).clean()
    assert corpus.target == ("가 나", "가나", "다")
    assert corpus.source == ("Go", "do", "go")
    assert corpus.cleaning_report["duplicate"] == 1


def test_a_dropped_pair_makes_no_duplicate():
    long = ("가" * 40, "a")
    corpus = make([*KO, long[0], long[0]], [*"abc", long[1], long[1]]).clean()
    assert corpus.cleaning_report["length_mismatch"] == 2
    assert corpus.cleaning_report["duplicate"] == 0


def test_length_is_judged_relative_to_the_corpus():
    # English is ten times longer all over this corpus; only the pair of equal lengths differs.
    target = [*(c * 3 for c in "가나다라"), "마" * 30]
    source = [*(c * 30 for c in "abcd"), "e" * 30]
    cleaned = make(target, source).clean()
    assert cleaned.source == tuple(source[:4])
    assert cleaned.cleaning_report["length_mismatch"] == 1
    assert make(target, source).clean(max_length_ratio=10).n_pairs == 5
    assert make(target, source).clean(max_length_ratio=9.9).n_pairs == 4


def test_cleaning_strips_and_keeps_the_rest():
    corpus = make([" 하나\n", "", "\u3000둘"], ["one ", "x", "two"], name="x")
    cleaned = corpus.clean()
    assert cleaned.target == ("하나", "둘")
    assert cleaned.source == ("one", "two")
    assert (cleaned.name, cleaned.target_lang) == ("x", "ko")
    assert corpus.n_pairs == 3
    assert corpus.cleaning_report is None
    again = cleaned.clean()
    assert again == cleaned
    assert again.cleaning_report["kept"] == again.n_pairs == 2


def test_cleaning_leaves_nothing_of_nothing():
    assert make([], []).clean().cleaning_report == dict.fromkeys(REASONS, 0)
    cleaned = make(["", " "], ["a", ""]).clean()
    assert cleaned.n_pairs == 0
    assert cleaned.cleaning_report["empty"] == 2


def test_cleaning_report_is_read_only():
    report = make().clean().cleaning_report
    with pytest.raises(TypeError, match="does not support item assignment"):
        report["kept"] = 5


@pytest.mark.parametrize("ratio", [1, 0.5, -3, float("nan"), "4", None])
def test_max_length_ratio_is_checked(ratio):
    with pytest.raises(ValueError, match="max_length_ratio must be a number greater than 1, got"):
        make().clean(max_length_ratio=ratio)


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("Tom &amp; Jerry say &quot;hi&quot;", 'Tom & Jerry say "hi"'),
        ("Tom &amp;amp; Jerry say &amp;quot;hi&amp;quot;", 'Tom & Jerry say "hi"'),
        ("It&#39;s &lt;3", "It's <3"),
        ("&#x27;Voil&agrave;&#x27;", "'Voilà'"),
        ("A&nbsp;B", "A\xa0B"),
        ("&nbsp;A&nbsp;", "A"),
        ("AT&T, R&D", "AT&T, R&D"),
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("plain", "plain"),
    ],
)
def test_character_references(escaped, plain):
    corpus = make([f"가나다라마바사 {escaped}", "나"], [escaped, "b"])
    cleaned = corpus.clean(unescape=True)
    assert cleaned.source[0] == plain
    assert cleaned.target[0] in (f"가나다라마바사 {plain}", f"가나다라마바사 \xa0{plain}")
    assert cleaned.cleaning_report["unescaped"] == int(escaped != plain)
    assert cleaned.cleaning_report["kept"] == 2
    assert corpus.clean().source[0] == escaped
    assert set(corpus.clean().cleaning_report) == REASONS


def test_references_are_read_before_the_rest_of_cleaning():
    corpus = make(["가 &amp; 나", "가 & 나", "&nbsp;"], ["a &amp; b", "a & b", "&#32;"])
    report = corpus.clean(unescape=True).cleaning_report
    assert (report["kept"], report["duplicate"], report["empty"]) == (1, 1, 1)
    assert report["unescaped"] == 2


@pytest.mark.parametrize("blank", ["\u200b", "\u3164", "\xa0", "\x00"])
def test_what_cannot_be_seen_is_empty(blank):
    assert fate(blank, "Good day") == "empty"


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_unescape_is_checked(value):
    with pytest.raises(ValueError, match="unescape must be one of"):
        make().clean(unescape=value)


@pytest.mark.data
def test_real_corpus(data_folder):
    corpus = ParallelCorpus.read(data_folder / "parallel" / "ko" / "xpersona.tsv", "ko")
    assert corpus.n_pairs == 5446
    assert corpus.target[0] == "나는 두 마리의 개를 가지고 있어."
    assert corpus.source[0] == "i have two dogs."
    cleaned = corpus.clean()
    assert sum(cleaned.cleaning_report.values()) == 5446
    assert cleaned.cleaning_report["kept"] == cleaned.n_pairs
