"""Tests of the normalisation of text."""

import random
import sys
import unicodedata

import pytest

from langalign_sk._utils.normalization import (
    FORMS,
    is_blank,
    joined_surrogates,
    normalize_text,
    normalize_texts,
    unescape,
)

FORMED = [form for form in FORMS if form is not None]
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})
BLANKS = [
    *("", " ", "\n", "\t \r\n", "\x00", "\x07\x1b", "\x1c", "\x85", "\u00a0", "\u00ad", "\u034f"),
    *(
        "\u061c",
        "\u115f",
        "\u1160",
        "\u1680",
        "\u17b4",
        "\u180e",
        "\u2003",
        "\u200b",
        "\u200c",
        "\u200d",
    ),
    *("\u200e", "\u2028", "\u202a\u202c", "\u202f", "\u2060", "\u2066\u2069", "\u2800", "\u3000"),
    *(
        "\u3164",
        "\ufe0f",
        "\ufeff",
        "\uffa0",
        "\ufff9",
        "\U000e0041",
        "\U000e0101",
        " \u200b\u3164\x00",
    ),
]


@pytest.mark.parametrize("form", FORMED)
@pytest.mark.parametrize("text", BLANKS, ids=ascii)
def test_what_cannot_be_seen_is_blank(text, form):
    assert is_blank(text)
    assert normalize_text(text, form) == ""


@pytest.mark.parametrize(
    "text",
    ["a", ".", "\u200ba", "가", "\ufffd", "\U0001f600", "\u0301", "\ue000"],
    ids=ascii,
)
def test_what_can_be_seen_is_not_blank(text):
    assert not is_blank(text)
    assert all(normalize_text(text, form) for form in FORMS)


def test_no_form_leaves_text_alone():
    odd = ["a\u00adb", "\ud83d", " ", "\uff21", "&amp;", "e\u0301"]
    assert normalize_texts(odd, None) == odd


@pytest.mark.parametrize(
    "text",
    [
        "Good morning.\r\n\tIt's 5 o'clock \u2013 \u201cgo\u201d\u2026 café, \u00bd, \u2122",
        "오늘은 날씨가 좋아요! ㅋㅋㅋ ㅠㅠ",
        "こんにちは、世界！「東京」は1つ",
        "你好，世界！（测试）：《书》；？",
        "㎏ ℃ ① ½ ㈱ ²",
        "می\u200cخواهم",
        "क्\u200dष क्\u200cष क्\u200d",
        "สวัสดีครับ",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\u200d\U0001f525",
        "\U0001f469\U0001f3fd\u200d\U0001f692",
        "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
        "AT&T, ?a=1&copy=2 & so on",
    ],
    ids=ascii,
)
def test_ordinary_text_stays(text):
    assert normalize_text(text) == text
    assert normalize_text(text, "html") == text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("co\u00adoperate", "cooperate"),
        ("커피\u200b숍", "커피숍"),
        ("커\u2060피\ufeff숍", "커피숍"),
        ("a\u00a0b\u2009c\u202fd\u3000e", "a b c d e"),
        ("one\u2028two\u2029three\x85four\x0bfive\x0csix", "one\ntwo\nthree\nfour\nfive\nsix"),
        ("a\x00b\x1b[0m\x07\x7f\x9f", "ab[0m"),
        ("a\x1eb", "a b"),
        ("\u202eabc\u202c \u200fאבג\u200e", "abc אבג"),
        ("\u2764\ufe0f", "\u2764"),
        ("葛\U000e0100城", "葛城"),
        ("a\U000e0041\U000e0042b", "ab"),
        ("카드\ud83d", "카드\ufffd"),
        ("\ude00카드", "\ufffd카드"),
        ("\ud83d\ude00!", "\U0001f600!"),
        ("a\u200cb", "ab"),
        ("커\u200d피", "커피"),
        ("می\u200c\u200dخواهم", "می\u200cخواهم"),
        ("می\u200c", "می"),
        ("\U0001f469\u200d", "\U0001f469"),
        ("\U0001f469\u200da", "\U0001f469a"),
        ("cafe\u0301", "café"),
        ("\u1112\u1161\u11ab\u1100\u1173\u11af", "한글"),
        ("\uf9e1", "\u674e"),
    ],
    ids=ascii,
)
def test_every_form(text, read):
    for form in FORMED:
        assert normalize_text(text, form) == read


@pytest.mark.parametrize(
    ("text", "auto", "nfkc"),
    [
        ("ＡＢＣ　ｘ１！", "ABC x1!", "ABC x1!"),
        ("你好，世界！ＡＢＣ１", "你好，世界！ABC1", "你好,世界!ABC1"),
        ("ﾊﾞﾅﾅｶﾞ", "バナナガ", "バナナガ"),
        ("ﾡￂ", "ㄱㅏ", "가"),
        ("ﬁnd oﬃce", "find office", "find office"),
        ("𝐇𝑒𝓁𝔩𝕠 𝟙ℎ", "Hello 1h", "Hello 1h"),
        ("ﻣﺮﺣﺒﺎ", "مرحبا", "مرحبا"),
        ("⼀⼈⻳", "一人龟", "一人龟"),
        ("㎏½①²ℓℹ", "㎏½①²ℓℹ", "kg1⁄212li"),
        ("ﷺ", "ﷺ", "صلى الله عليه وسلم"),
        ("￥100￦", "¥100₩", "¥100₩"),
    ],
)
def test_other_pictures_of_letters(text, auto, nfkc):
    assert normalize_text(text) == auto
    assert normalize_text(text, "NFKC") == nfkc
    assert normalize_text(text, "NFC") == text.replace("　", " ")


def test_full_width_english_is_plain_english():
    plain = "Where is my parcel (no. 17)? I paid $30 & waited 2 weeks; it's late!"
    assert normalize_text(plain.translate(WIDE)) == plain
    assert normalize_text(plain.translate(WIDE).replace(" ", "\u3000")) == plain


def test_ascii_is_what_it_was():
    for code in range(0x20, 0x7F):
        assert normalize_text(f"a{chr(code)}b") == f"a{chr(code)}b"


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_normal_forms_are_those_of_unicode(form):
    text = "".join(map(chr, range(0xC0, 0x180))) + "\uac00\u1100\u1161\u3042\u3099\u2460\u2126"
    assert normalize_text(text, form) == unicodedata.normalize(form, text)


@pytest.mark.parametrize("form", FORMED)
@pytest.mark.parametrize("n", [1, 30_000])
def test_joiners_whose_letter_another_order_of_marks_moves(form, n):
    text = "a" + "\U0001d165\u094d\u200d" * n  # in normal form, U+094D comes first
    once = normalize_text(text, form)
    assert normalize_text(once, form) == once
    assert "\u200d" not in once


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMED)
def test_normalising_again_changes_nothing(form):
    for code in range(sys.maxunicode + 1):
        # Code points that are not assigned, or private, are all alike: every 61st is tried.
        if code % 61 and unicodedata.category(chr(code)) in ("Cn", "Co"):
            continue
        for text in (chr(code), f"a{chr(code)}b"):
            once = normalize_text(text, form)
            assert normalize_text(once, form) == once, ascii(text)
            assert len(once) <= max(4, 18 * (form == "NFKC")) * len(text)
            assert (not once) == is_blank(text)


@pytest.mark.parametrize("form", FORMED)
def test_normalising_mixtures_again_changes_nothing(form):
    pieces = [
        *BLANKS,
        *"abç한글日ｶﾞＡ！,&;#",
        "&amp;",
        "amp;",
        "&#38;",
        "&lt;",
        "\ud83d",
        "\ude00",
        "\ufdfa",
    ]
    pieces += [
        "\u0301",
        "\u0327",
        "\u1100",
        "\u1161",
        "\u11a8",
        "\u3099",
        "\u0628",
        "\u094d",
        "\U0001f469",
    ]
    draw = random.Random(0)
    for _ in range(3000):
        text = "".join(draw.choices(pieces, k=draw.randint(1, 9)))
        once = normalize_text(text, form)
        assert normalize_text(once, form) == once, ascii(text)


def test_a_run_of_marks_ends():
    zalgo = "a" + "\u0316\u0300" * 50_000 + "b"
    for form in FORMED:
        assert len(normalize_text(zalgo, form)) < 40


def test_surrogates():
    assert joined_surrogates("plain 가") == "plain 가"
    assert (
        joined_surrogates("a\ud83d\ude00b\ude00\ud83dc\ud83d") == "a\U0001f600b\ufffd\ufffdc\ufffd"
    )


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("톰 &amp; 제리가 &quot;안녕&quot;", '톰 & 제리가 "안녕"'),
        ("&amp;amp;amp;lt;b&amp;gt;", "<b>"),
        ("it&#39;s &#x2019; &#8217;&nbsp;&eacute;", "it's \u2019 \u2019 é"),
        ("a&shy;b&zwnj;&#8203;c", "abc"),
        ("&#55357;&#56832; &#55357;", "\U0001f600 \ufffd"),
        ("＆ａｍｐ；", "&"),
        ("&unknown; &amp &#; &;", "&unknown; &amp &#; &;"),
    ],
)
def test_character_references(text, read):
    assert normalize_text(text, "html") == read
    if "&" in text:
        assert normalize_text(text) == text


def test_references_are_read_without_normalising():
    assert unescape("a&nbsp;b") == "a\u00a0b"
    assert unescape("no reference") == "no reference"
