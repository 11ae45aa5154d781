"""Tests of codes and names of languages."""

import re

import pytest

from langalign_sk import CrossLingualAligner
from langalign_sk.datasets import load_starter_corpus
from langalign_sk.languages import LanguageRouter, scripts_of_language
from langalign_sk.languages._names import COUNTRY_CODES, MODIFIERS, NAMES, TWO_LETTER
from langalign_sk.languages.chinese import chinese_script
from langalign_sk.languages.codes import (
    LanguageTag,
    base_code,
    declared_language,
    did_you_mean,
    languages_of,
    match_rank,
    named_language,
    parse_code,
)


@pytest.mark.parametrize(
    ("code", "language", "script", "region"),
    [
        ("ko", "ko", None, None),
        ("KOR", "ko", None, None),
        (" jpn ", "ja", None, None),
        ("zho", "zh", None, None),
        ("chi", "zh", None, None),  # ISO 639-2/B
        ("cmn", "zh", None, None),
        ("ger", "de", None, None),
        ("deu", "de", None, None),
        ("arb", "ar", None, None),
        ("iw", "he", None, None),  # withdrawn
        ("yue", "yue", None, None),
        ("zh-yue", "yue", None, None),
        ("zh-cmn-Hant-TW", "zh", "Hant", "TW"),
        ("zh_TW", "zh", None, "TW"),
        ("zh-hant-tw", "zh", "Hant", "TW"),
        ("sr-Latn", "sr", "Latn", None),
        ("sr_RS@latin", "sr", "Latn", "RS"),
        ("pt-BR", "pt", None, "BR"),
        ("es-419", "es", None, "419"),
        ("de-DE-1996", "de", None, "DE"),
        ("en-US-u-ca-gregory", "en", None, "US"),
        ("ko_KR.UTF-8", "ko", None, "KR"),
        ("kor_Hang", "ko", "Hang", None),
        ("zho_Hant", "zh", "Hant", None),
        ("en_XX", "en", None, None),
        ("CHS", "zh", "Hans", None),
        ("zh-CHT", "zh", "Hant", None),
        ("ceb_Latn", "ceb", "Latn", None),
    ],
)
def test_codes_of_every_standard(code, language, script, region):
    assert parse_code(code) == LanguageTag(language, script, region)
    assert base_code(code) == language


@pytest.mark.parametrize(
    "code", ["", "jp", "k", "hello", "ko-en", "en_text", "sentence", "Korean", "한국어", "12", "xx"]
)
def test_what_is_not_a_code(code):
    assert parse_code(code) is None


@pytest.mark.parametrize(
    ("name", "tag", "doubt"),
    [
        ("Korean", LanguageTag("ko"), 1),
        ("  ENGLISH ", LanguageTag("en"), 1),
        ("한국어", LanguageTag("ko"), 1),
        ("영어", LanguageTag("en"), 1),
        ("日本語", LanguageTag("ja"), 1),
        ("英語", LanguageTag("en"), 1),
        ("英文", LanguageTag("en"), 1),
        ("Anglais", LanguageTag("en"), 1),
        ("简体中文", LanguageTag("zh", "Hans"), 1),
        ("繁體中文", LanguageTag("zh", "Hant"), 1),
        ("中文(繁體)", LanguageTag("zh", "Hant"), 1),
        ("Chinese (Simplified)", LanguageTag("zh", "Hans"), 1),
        ("Traditional Chinese", LanguageTag("zh", "Hant"), 1),
        ("Chinese (Taiwan)", LanguageTag("zh", None, "TW"), 1),
        ("English (US)", LanguageTag("en", None, "US"), 1),
        ("한국어 (대한민국)", LanguageTag("ko", None, "KR"), 1),
        ("한국어(KR)", LanguageTag("ko", None, "KR"), 1),
        ("Korean (ko-KR)", LanguageTag("ko", None, "KR"), 1),
        ("Brazilian Portuguese", LanguageTag("pt", None, "BR"), 1),
        ("Serbian (Latin)", LanguageTag("sr", "Latn"), 1),
        ("ภาษาไทย", LanguageTag("th"), 1),
        ("हिन्दी", LanguageTag("hi"), 1),
        ("sentence_en", LanguageTag("en"), 2),
        ("textKo", LanguageTag("ko"), 2),
        ("translation.zh-TW", LanguageTag("zh", None, "TW"), 2),
        ("KOREAN_TEXT", LanguageTag("ko"), 2),
        ("영어 번역문", LanguageTag("en"), 2),
        ("英文原文", LanguageTag("en"), 2),
    ],
)
def test_names_of_languages(name, tag, doubt):
    assert named_language(name) == (tag, doubt)


@pytest.mark.parametrize(
    "name",
    ["source", "text", "id number", "is it", "Good morning", "안녕", "ko_romanized", "score_en"],
)
def test_what_names_no_language(name):
    assert named_language(name) is None


def test_tables_hold_known_codes():
    assert all(re.fullmatch("[a-z]{2,3}", code) for code in TWO_LETTER)
    assert len({code for code in TWO_LETTER if len(code) == 2}) >= 183
    for name, code in NAMES.items():
        assert parse_code(code) is not None, name
        assert named_language(name) is not None, name
    assert all(parse_code(code) is not None for code in COUNTRY_CODES.values())
    assert {len(code) for code in MODIFIERS.values()} == {2, 4}


def best(asked, names):
    ranks = [(rank, name) for name in names if (rank := match_rank(asked, name)) is not None]
    return min(ranks)[1] if ranks else None


@pytest.mark.parametrize(
    ("asked", "names", "expected"),
    [
        ("zh-Hant", ["zh-CN", "zh-TW"], "zh-TW"),
        ("zh-Hant", ["zh", "zh-HK"], "zh-HK"),
        ("zh-Hant", ["zh-HK", "zh-TW"], "zh-TW"),
        ("zh-Hant", ["zh-CN", "zh"], "zh"),
        ("zh-Hant", ["zh-CN", "zh-SG"], None),
        ("zh-TW", ["zh-Hans", "zho_Hant"], "zho_Hant"),
        ("zh-TW", ["zh-MO", "zh-CN"], "zh-MO"),
        ("zh-CN", ["繁體中文", "简体中文"], "简体中文"),
        ("zh-Hans", ["zh-TW", "zh-MY"], "zh-MY"),
        ("zh", ["zh-TW", "zh-CN"], "zh-CN"),
        ("zh", ["zh-CN", "zh"], "zh"),
        ("zh", ["zh-TW"], "zh-TW"),
        ("zh", ["yue"], None),
        ("sr-Latn", ["sr-Cyrl", "sr-Latn"], "sr-Latn"),
        ("sr-Cyrl", ["sr-Latn"], None),
        ("sr", ["sr-Latn", "sr-Cyrl"], "sr-Cyrl"),
        ("sr", ["sr-Latn"], "sr-Latn"),
        ("ko", ["ko-Latn"], None),
        ("ko", ["kor_Hang"], "kor_Hang"),
        ("kor", ["ko-KR"], "ko-KR"),
        ("pt-BR", ["pt-PT", "pt"], "pt"),
        ("pt-BR", ["pt-PT"], "pt-PT"),
        ("en", ["en-GB", "English"], "English"),
        ("en", ["eng_Latn"], "eng_Latn"),
        ("ja", ["JP"], "JP"),
        ("ko", ["kr", "kor"], "kor"),
        ("ko", ["kr"], "kr"),
        ("kr", ["kr"], "kr"),
        ("zh-TW", ["cn", "tw"], "tw"),
        ("xx", ["xx-YY"], "xx-YY"),
    ],
    ids=str,
)
def test_best_name_of_a_language(asked, names, expected):
    assert best(asked, names) == expected
    assert best(asked, names[::-1]) == expected


@pytest.mark.parametrize(
    ("code", "languages", "expected"),
    [
        ("ko", ["ko", "ja"], "ko"),
        ("ko-KR", ["ko", "ja"], "ko"),
        ("ko", ["ja", "kor"], "kor"),
        ("zh-Hant", ["zh-CN", "zh-TW"], "zh-TW"),
        ("zh-HK", ["zh-TW", "zh-CN"], "zh-TW"),
        ("zh-CN", ["zh-TW"], "zh-TW"),  # the fit warns
        ("zh", ["zh-TW"], "zh-TW"),
        ("kr", ["ko"], "ko"),
        ("de", ["ko", "ja"], None),
    ],
)
def test_declared_language_that_a_code_means(code, languages, expected):
    assert declared_language(code, languages) == expected


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("jp", "ja"),
        ("JP", "ja"),
        ("kr", "ko"),
        ("cn", "zh-CN"),
        ("tw", "zh-TW"),
        ("ua", "uk"),
        ("gr", "el"),
        ("Korean", "ko"),
        ("日本語", "ja"),
        ("Traditional Chinese", "zh-Hant"),
        ("china", "zh"),
    ],
)
def test_slips_are_asked_about(slip, meant):
    assert did_you_mean(slip) == f" Did you mean {meant!r}?"


@pytest.mark.parametrize("code", ["ko", "kor", "zh-Hant", "de", "qqq", "nonsense"])
def test_codes_are_not_asked_about(code):
    assert did_you_mean(code) == ""


@pytest.mark.parametrize("slip", ["jp", "kr", "cn", "Korean"])
def test_slips_as_target_lang(slip):
    for call in (lambda: LanguageRouter([slip]), lambda: CrossLingualAligner(slip).fit(["Hello"])):
        with pytest.raises(
            ValueError, match=rf"'{slip}' is not the code .* Did you mean"
        ) as raised:
            call()
        assert "detect=" not in str(raised.value)
    LanguageRouter([slip], detect=lambda texts: [slip for _ in texts])  # somebody's own codes


@pytest.mark.parametrize("code", ["kor", "jpn", "cmn", "zho", "kor_Hang", "ko_KR"])
def test_codes_of_three_letters_as_target_lang(code):
    assert languages_of(code) == (code,)
    assert LanguageRouter([code]).languages == (code,)
    assert load_starter_corpus(code).n_pairs == 640


def test_the_starter_corpus_asks_about_slips():
    with pytest.raises(ValueError, match=r"got 'jp'\. Did you mean 'ja'"):
        load_starter_corpus("jp")


@pytest.mark.parametrize("names", [("ko", "kor"), ("zh-TW", "zh_tw"), ("ja", "JA")])
def test_two_codes_of_one_language(names):
    with pytest.raises(ValueError, match="names a language twice"):
        languages_of(names)


@pytest.mark.parametrize("english", ["en", "eng", "en_XX", "eng_Latn", "English", "영어"])
def test_english_is_no_target_language(english):
    with pytest.raises(ValueError, match="names English"):
        languages_of(["ko", english])


@pytest.mark.parametrize(
    ("code", "scripts"),
    [
        ("kor", ("Hangul",)),
        ("zho_Hant", ("Han", "Bopomofo")),
        ("yue", ("Han", "Bopomofo")),
        ("sr-Cyrl", ("Cyrillic",)),
        ("sr-Latn", ()),
        ("sr", ()),
        ("uz-Cyrl", ("Cyrillic",)),
        ("kk-Latn", ()),
        ("kas_Deva", ("Devanagari",)),
        ("ko-Latn", ()),
        ("ja-Jpan", ("Kana", "Han")),
        ("mn-Mong", ("Cyrillic", "Mongolian")),
    ],
)
def test_scripts_of_codes(code, scripts):
    assert scripts_of_language(code) == scripts


SIMPLIFIED = ["请问网络在哪里", "谢谢您的帮助", "这个问题很难", "我们买东西", "你好"]
TRADITIONAL = ["請問網路在哪裡", "謝謝您的幫助", "這個問題很難", "我們買東西", "你好"]


@pytest.mark.parametrize(
    ("texts", "script"),
    [
        (SIMPLIFIED, "Hans"),
        (TRADITIONAL, "Hant"),
        ([], None),
        (["你好", "大人", "日本"], None),  # the same in both
        (SIMPLIFIED[:2], None),  # too few
        (SIMPLIFIED[:3] + TRADITIONAL[:3], None),
        (TRADITIONAL * 4 + SIMPLIFIED[:3], "Hant"),
        (TRADITIONAL[:4] + ["你好"] * 60, None),  # less than a tenth
        (["おはよう", "안녕", "Hello"], None),
    ],
    ids=str,
)
def test_script_of_chinese(texts, script):
    assert chinese_script(texts) == script


def test_script_of_the_starter_corpus():
    assert chinese_script(load_starter_corpus("zh").target) == "Hans"


@pytest.mark.parametrize(
    "name",
    ["en_score", "english_score", "en_tokens", "en_id", "english length", "score_en", "en_len"],
)
def test_measures_of_a_column_are_not_the_column(name):
    assert match_rank("en", name) is None


@pytest.mark.parametrize("name", ["en_clean", "en_raw", "English text (normalized)", "en-simple"])
def test_names_of_processed_text(name):
    assert match_rank("en", name) is not None


def test_locales_of_indonesia_are_codes():
    assert parse_code("id_id") == parse_code("id-ID")
    assert parse_code("en-ID").region == "ID"
    assert parse_code("ko_KR.UTF-8").region == "KR"
    assert parse_code("No.") is None


@pytest.mark.parametrize(
    ("name", "code"),
    [
        *(("영문", "en"), ("중문", "zh"), ("일문", "ja"), ("和文", "ja"), ("South Korean", "ko")),
        *(("Javanese", "jv"), ("Haitian Creole", "ht"), ("Scottish Gaelic", "gd"), ("Māori", "mi")),
        *(("Cebuano", "ceb"), ("Tigrinya", "ti"), ("Sorani", "ckb"), ("Flemish", "nl")),
    ],
)
def test_names_of_further_languages(name, code):
    assert named_language(name)[0].language == code
