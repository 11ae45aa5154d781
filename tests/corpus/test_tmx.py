"""Tests of translation memories."""

import pytest

from langalign_sk.corpus import ParallelCorpus
from tests.corpus.toy import write


def tmx(*units, declaration='<?xml version="1.0"?>', attribute="xml:lang", namespace=""):
    body = "".join(
        "<tu>"
        + "".join(f'<tuv {attribute}="{lang}"><seg>{seg}</seg></tuv>' for lang, seg in unit)
        + "</tu>\n"
        for unit in units
    )
    return (
        f'{declaration}\n<!DOCTYPE tmx SYSTEM "tmx14.dtd">\n<tmx version="1.4"{namespace}>'
        f'<header srclang="en"/><body>\n{body}</body></tmx>'
    )


PAIR = [("EN-US", "one"), ("ko-KR", "하나")]


@pytest.mark.parametrize("suffix", [".tmx", ".tmx.gz"])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"attribute": "lang"},
        {"namespace": ' xmlns="http://www.lisa.org/tmx14"'},
        {"declaration": ""},
        {"declaration": "\ufeff"},
    ],
)
def test_tmx(tmp_path, suffix, params):
    text = tmx(PAIR, [("KO", "둘 &amp; 셋"), ("en", "two")], **params).lstrip("\n")
    corpus = ParallelCorpus.read(write(tmp_path / f"x{suffix}", text), "ko")
    assert corpus.target == ("하나", "둘 & 셋")
    assert corpus.source == ("one", "two")
    assert corpus.name == "x"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig"])
def test_tmx_declares_its_own_encoding(tmp_path, encoding):
    name = encoding.removesuffix("-sig")
    text = tmx(PAIR, declaration=f'<?xml version="1.0" encoding="{name}"?>')
    assert ParallelCorpus.read(write(tmp_path / "x.tmx", text, encoding), "ko").target == ("하나",)


def test_tmx_inline_markup(tmp_path):
    marked = (
        'Press <bpt i="1">&lt;b&gt;</bpt>the <hi type="x">red <hi>hot</hi></hi> key<ept i="1">'
        "&lt;/b&gt;</ept> now<ph/>."
    )
    path = write(tmp_path / "x.tmx", tmx([("en", marked), ("ko", "<hi>하나</hi>")]))
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ("Press the red hot key now.",)
    assert corpus.target == ("하나",)


def test_tmx_units_with_missing_or_several_languages(tmp_path):
    text = tmx(
        [("en", "alone")],
        [("en", "one"), ("en-GB", "one, old chap"), ("ja", "一"), ("ko", "하나"), ("ko", "일")],
        [("ko", "혼자")],
        [],
        [("en", ""), ("ko", "빈")],
    )
    corpus = ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko")
    assert corpus.source == ("one", "")
    assert corpus.target == ("하나", "빈")


def test_tmx_prefers_the_very_code(tmp_path):
    text = tmx(
        [("zh-CN", "简"), ("zh-tw", "繁"), ("en-GB", "colour"), ("en", "color")],
        [("zh-CN", "只"), ("en-GB", "only")],
    )
    corpus = ParallelCorpus.read(write(tmp_path / "x.tmx", text), "zh-TW")
    assert corpus.target == ("繁", "只")
    assert corpus.source == ("color", "only")


def test_tmx_variant_without_segment(tmp_path):
    text = tmx(PAIR).replace("<seg>하나</seg>", "")
    assert ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko").target == ("",)


EVIL = '<!DOCTYPE tmx [<!ENTITY e SYSTEM "{}">]><tmx><body><tu>{}</tu></body></tmx>'


def test_tmx_expands_no_external_entity(tmp_path):
    secret = write(tmp_path / "secret.txt", "secret")
    tuv = '<tuv lang="en"><seg>&e;</seg></tuv><tuv lang="ko"><seg>하나</seg></tuv>'
    path = write(tmp_path / "x.tmx", EVIL.format(secret.as_uri(), tuv))
    with pytest.raises(ValueError, match=r"broken XML .*undefined entity"):
        ParallelCorpus.read(path, "ko")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (tmx(PAIR)[:-13], r"x\.tmx', line 5: broken XML"),
        (tmx(PAIR).replace("</seg></tuv>", "</tuv>", 1), r"x\.tmx', line 4: broken XML"),
        ("", "line 1: broken XML"),
        (
            tmx([("en", "a"), ("ja", "一"), ("fr-FR", "b")]),
            "no pair .*languages are: en, ja, fr-FR",
        ),
        (tmx(), r"no pair of 'en' and 'ko'\. Its languages are: none"),
        (tmx(PAIR, declaration='<?xml version="1.0" encoding="euc-kr"?>'), "Convert .* to UTF-8"),
        (tmx(PAIR, declaration='<?xml version="1.0" encoding="none-such"?>'), "to UTF-8"),
    ],
)
def test_tmx_errors(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko")
