"""Tests of script detection and of the routing of rows to languages."""

import pytest

from langalign_sk.languages import LanguageRouter, script_of, scripts_of_language
from langalign_sk.languages.codes import base_code, languages_of
from langalign_sk.languages.scripts import is_latin_only

KO, JA, ZH, EN = "서울은 크다", "東京はとても大きい", "北京很大", "London is big"


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("", "Latin"),
        (" \t\n", "Latin"),
        ("Good day", "Latin"),
        ("Ceci n'est pas une pipe, ça va de soi", "Latin"),
        ("2026-01-31 10:45", "Latin"),
        ("１２３", "Latin"),
        ("①②③", "Latin"),
        ("😀🎉", "Latin"),
        ("OK 👍", "Latin"),
        ("ＨＥＬＬＯ　ＷＯＲＬＤ", "Latin"),
        ("「…」、。", "Latin"),
        ("안녕하세요", "Hangul"),
        ("ㅋㅋㅋ", "Hangul"),
        ("안녕", "Hangul"),  # conjoining letters, as macOS writes file names
        ("ﾡﾤ", "Hangul"),  # half-width
        ("㈜", "Hangul"),  # NFKC: (주)
        ("大韓民國 정부", "Hangul"),
        ("헌법(憲法) 제1조(第一條)", "Hangul"),
        ("ひらがな", "Kana"),
        ("カタカナ", "Kana"),
        ("ｺﾝﾆﾁﾊ", "Kana"),  # half-width
        (JA, "Kana"),
        ("한류ドラマを見る", "Kana"),
        (ZH, "Han"),
        ("㍿", "Han"),  # NFKC: 株式会社
        ("𠀋", "Han"),  # outside the basic plane
        ("人々", "Han"),
        ("這是我最喜歡的飲料品牌の之一", "Han"),  # one kana in Chinese
        ("ㄅㄆㄇ", "Bopomofo"),
        ("Привет, мир", "Cyrillic"),
        ("Καλημέρα", "Greek"),
        ("مرحبا", "Arabic"),
        ("ﻣﺮﺣﺒﺎ", "Arabic"),  # presentation forms
        ("שלום", "Hebrew"),
        ("नमस्ते", "Devanagari"),
        ("สวัสดี", "Thai"),
    ],
)
def test_script_of(text, script):
    assert script_of(text) == script


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("iPhone 15 Pro 케이스 추천", "Hangul"),
        ("abcdefghi가", "Hangul"),  # nine to one: not outnumbered
        ("abcdefghij가", "Latin"),  # ten to one
        ("ａｂｃｄｅｆｇｈｉｊ가", "Latin"),  # full-width letters count as letters
        ("0123456789 !? 가", "Hangul"),  # digits and signs do not count
        ("The Korean word for hello is 안녕", "Latin"),
        ("DVDを見る", "Kana"),
        ("我用 iPhone", "Han"),
    ],
)
def test_script_of_text_mixed_with_latin(text, script):
    assert script_of(text) == script


@pytest.mark.parametrize(
    ("language", "scripts"),
    [
        ("ko", ("Hangul",)),
        ("ja", ("Kana", "Han")),
        ("zh", ("Han", "Bopomofo")),
        ("zh-TW", ("Han", "Bopomofo")),
        ("ZH_hans", ("Han", "Bopomofo")),
        (" ko ", ("Hangul",)),
        ("uk", ("Cyrillic",)),
        ("en", ()),
        ("xx", ()),
    ],
)
def test_scripts_of_language(language, scripts):
    assert scripts_of_language(language) == scripts


@pytest.mark.parametrize("languages", [("ko", "ja", "zh"), ("zh", "ja", "ko"), ("ja", "ko", "zh")])
def test_three_languages_in_one_batch(languages):
    router = LanguageRouter(languages)
    assert router([KO, JA, ZH, EN, "OK 2026", ""]) == ["ko", "ja", "zh", "en", "en", "en"]
    assert router([]) == []


@pytest.mark.parametrize(
    ("languages", "text", "language"),
    [
        (("ko",), KO, "ko"),
        (("ja",), JA, "ja"),
        (("ja",), "東京大学", "ja"),  # Han alone, and only Japanese uses it here
        (("ja", "ko"), "東京大学", "ja"),
        (("zh",), ZH, "zh"),
        (("zh",), "ㄅㄆㄇ", "zh"),
        (("zh",), "東京大学", "zh"),
        (("ja", "zh"), "東京大学", "ja"),  # Simplified has no 東, Traditional no 学
        (("zh", "ja"), "東京大学", "ja"),
        (("zh", "ja"), "中山大学", "zh"),
        (("zh-TW",), ZH, "zh-TW"),
        (("ja-JP", "zh_CN"), "北京大学", "zh_CN"),
        (("ko-KR", "ru"), "Привет", "ru"),
        (("mn",), "ᠮᠣᠩᠭᠣᠯ", "mn"),
        (("ko", "ko"), KO, "ko"),
    ],
)
def test_language_of_a_row(languages, text, language):
    assert LanguageRouter(languages)([text]) == [language]


@pytest.mark.parametrize(
    ("languages", "text", "script"),
    [(("ko",), ZH, "Han"), (("ko",), JA, "Kana"), (("zh",), JA, "Kana"), (("ja",), KO, "Hangul")],
)
def test_undeclared_language_names_row_and_script(languages, text, script):
    with pytest.raises(ValueError, match=rf"Row 2 .*{script} script.*'{languages[0]}'.*{text}"):
        LanguageRouter(languages, on_unknown="raise")([EN, "", text])


def test_long_rows_are_quoted_short():
    with pytest.raises(ValueError, match=r"'(北京很大){9}北\.\.\.'"):
        LanguageRouter(["ko"], on_unknown="raise")([ZH * 50])


@pytest.mark.parametrize("language", ["de", "en", "vi", "pt-BR", "xx"])
def test_languages_of_latin_script_need_detect(language):
    with pytest.raises(ValueError, match=rf"'{language}'.*Pass detect="):
        LanguageRouter(["ko", language])


@pytest.mark.parametrize(
    ("languages", "script"),
    [
        (("ru", "uk"), "Cyrillic"),
        (("ko", "hi", "ne"), "Devanagari"),
        (("zh-CN", "zh-TW"), "Han"),
        (("ja", "ja-JP"), "Kana"),
        (("mn", "ru"), "Cyrillic"),
    ],
)
def test_two_languages_of_one_script_need_detect(languages, script):
    with pytest.raises(ValueError, match=rf"{script} script. Pass detect="):
        LanguageRouter(languages)


def test_detect_decides_alone():
    codes = {"Guten Tag": "de", "Hello": "en", KO: "de"}
    router = LanguageRouter(["de"], detect=lambda texts: [codes[t] for t in texts])
    assert router(["Hello", "Guten Tag", KO]) == ["en", "de", "de"]


def test_detect_takes_a_list_and_may_return_any_iterable():
    seen = []
    router = LanguageRouter(["de"], detect=lambda texts: seen.append(texts) or iter(["de", "en"]))
    assert router(("Guten Tag", "Hello")) == ["de", "en"]
    assert seen == [["Guten Tag", "Hello"]]


def test_detect_of_wrong_length():
    with pytest.raises(ValueError, match="detect returned 1 codes for 2 texts"):
        LanguageRouter(["de"], detect=lambda texts: ["de"])(["Hello", "Guten Tag"])


def test_detect_of_undeclared_language():
    def detect(texts):
        return ["en", "fr"]

    texts = ["Hello", "Bonjour"]
    with pytest.raises(ValueError, match=r"Row 1 is in 'fr'.*'de', 'ko'.*'Bonjour'"):
        LanguageRouter(["de", "ko"], detect, on_unknown="raise")(texts)
    with pytest.warns(UserWarning, match=r"1 of 2 .*guess, 'en': row 1\. Row 1 is in 'fr'"):
        assert LanguageRouter(["de", "ko"], detect)(texts) == ["en", "en"]


@pytest.mark.parametrize("text", ["5 µm", "5 kΩ", "ΔT", "π ≈ 3.14", "(´･ω･`)", "lol Д", "٣", "٣٤"])
def test_symbols_are_not_a_language(text):
    assert LanguageRouter(["ko"])([text]) == ["en"]


@pytest.mark.parametrize("code", ["zh", "zh-TW", "zh_tw", " ZH ", "Zh-Hant-TW"])
def test_base_code(code):
    assert base_code(code) == "zh"


@pytest.mark.parametrize(
    ("text", "scripts", "expected"),
    [
        ("Firefox", ("Hangul",), True),
        ("Firefox 열기", ("Hangul",), False),
        ("Ｆｉｒｅｆｏｘ", ("Hangul",), True),  # full width
        ("123", ("Hangul",), False),
        ("Firefox", (), False),
        ("東京 Tokyo", ("Kana", "Han"), False),
    ],
)
def test_text_in_latin_letters_only(text, scripts, expected):
    assert is_latin_only(text, scripts) is expected


@pytest.mark.parametrize(
    ("given", "expected"),
    [("ko", ("ko",)), (["ko", "ja"], ("ko", "ja")), (("zh-TW",), ("zh-TW",))],
)
def test_declared_languages(given, expected):
    assert languages_of(given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "must be a language code or a sequence of them"),
        ("", "must be a language code"),
        (["ko", 3], "must be a language code"),
        (["ko", "ko"], "names a language twice"),
        (["ko", "en-US"], "names English"),
    ],
)
def test_declared_languages_that_are_wrong(given, message):
    with pytest.raises(ValueError, match=message):
        languages_of(given)


def test_a_router_of_an_earlier_release_by_its_state():
    router = LanguageRouter.__new__(LanguageRouter)
    by_script = {"Hangul": "ko", "Kana": "ja", "Han": "zh", "Bopomofo": "zh"}
    state = {"languages": ("ko", "ja", "zh"), "detect": None, "_by_script": by_script}
    router.__setstate__(state)
    assert router(["안녕", "おはよう", "你好", "Hello"]) == ["ko", "ja", "zh", "en"]
    with pytest.raises(ValueError, match="Row 0 is written in the Thai script"):
        router(["สวัสดี"])
