"""Tests of the translation pairs of a fit: languages, scripts and files."""

import warnings

import pytest

from langalign_sk import CrossLingualAligner, ParallelCorpus
from langalign_sk.aligner._pairs import notes_on_scripts, pairs_of_corpus
from langalign_sk.datasets import load_starter_corpus
from tests.toy import ToyEncoder

# The toy encoder does not know what the starter corpus says.
pytestmark = pytest.mark.filterwarnings("ignore:The language map of")

SIMPLIFIED = ["请问网络在哪里", "谢谢您的帮助", "这个问题很难", "我们买东西"]
TRADITIONAL = ["請問網路在哪裡", "謝謝您的幫助", "這個問題很難", "我們買東西"]
ENGLISH = ["Where is the network?", "Thank you for your help", "This is hard", "We buy things"]


def toy(language, **parameters):
    return CrossLingualAligner(
        language, encoder=ToyEncoder(), method="ridge", alpha=1.0, **parameters
    )


@pytest.mark.parametrize(
    ("language", "texts", "words"),
    [
        ("zh-TW", SIMPLIFIED, "Simplified Chinese, not in Traditional Chinese"),
        ("zh-Hant", SIMPLIFIED, "Simplified Chinese, not in Traditional Chinese"),
        ("zho_Hant", SIMPLIFIED, "Simplified Chinese, not in Traditional Chinese"),
        ("zh_HK", SIMPLIFIED, "Simplified Chinese, not in Traditional Chinese"),
        ("zh-CN", TRADITIONAL, "Traditional Chinese, not in Simplified Chinese"),
        ("zh-SG", TRADITIONAL, "Traditional Chinese, not in Simplified Chinese"),
    ],
)
def test_pairs_in_the_other_script(language, texts, words):
    (note,) = notes_on_scripts({language: (texts, ENGLISH)})
    assert words in note
    assert repr(language) in note


@pytest.mark.parametrize(
    ("language", "texts"),
    [
        ("zh", SIMPLIFIED),
        ("zh", TRADITIONAL),
        ("zh-TW", TRADITIONAL),
        ("zh-CN", SIMPLIFIED),
        ("zh-TW", ["你好", "大人", "日本", "中文"]),  # in both scripts
        ("zh-TW", SIMPLIFIED[:2]),
        ("yue", TRADITIONAL),
        ("ko", ["안녕"]),
    ],
)
def test_pairs_that_say_nothing_else(language, texts):
    assert notes_on_scripts({language: (texts, ENGLISH)}) == ()


@pytest.mark.parametrize("language", ["zh-TW", "zh-Hant", "zh_HK", "zh-MO"])
def test_the_starter_corpus_is_simplified(language):
    aligner = toy(language)
    with pytest.warns(UserWarning, match="are in Simplified Chinese, not in Traditional Chinese"):
        aligner.fit(["Hello", "Good bye"] * 20)
    assert any("Simplified" in warning for warning in aligner.alignment_report_.warnings)


@pytest.mark.parametrize("language", ["zh", "zh-CN", "cmn", "zho_Hans"])
def test_the_starter_corpus_suits_simplified_chinese(language):
    aligner = toy(language)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*Chinese")
        aligner.fit(["Hello", "Good bye"] * 20)


ROWS = list(zip(SIMPLIFIED, ENGLISH, strict=True))
TASK = ["Hello", "Good bye"] * 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"X": TASK, "parallel": ParallelCorpus(SIMPLIFIED, ENGLISH, target_lang="zh")},
        {"X": TASK, "parallel": (SIMPLIFIED, ENGLISH)},
        {"X": TASK, "parallel": {"zh-TW": (SIMPLIFIED, ENGLISH)}},
        {"X": ROWS},
    ],
    ids=["corpus", "tuple", "dict", "rows"],
)
def test_pairs_of_every_form_are_looked_at(arguments):
    with pytest.warns(UserWarning, match="are in Simplified Chinese, not in Traditional Chinese"):
        toy("zh-TW").fit(**arguments)


def test_pairs_of_a_file_are_looked_at(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("".join(f"{english}\t{chinese}\n" for chinese, english in ROWS), "utf-8")
    with pytest.warns(UserWarning, match="are in Simplified Chinese, not in Traditional Chinese"):
        toy("zh-TW", corpus=str(path)).fit(TASK)


@pytest.mark.parametrize("language", ["ko", "kor", "ko-KR", "kor_Hang"])
def test_languages_of_the_starter_corpus(language):
    (sides,) = pairs_of_corpus("starter", [language]).values()
    assert sides[0] == list(load_starter_corpus("ko").target)


def test_a_file_of_one_language_gives_no_pairs_of_another(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("id,English,Korean\n1,Hi,안녕\n2,Bye,잘 가\n", "utf-8")
    found = pairs_of_corpus(str(path), ["kor", "ja"])
    assert found == {"kor": (["안녕", "잘 가"], ["Hi", "Bye"])}
