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
    with pytest.warns(UserWarning, match="1 of 2 units has no 'zh-TW'"):
        corpus = ParallelCorpus.read(write(tmp_path / "x.tmx", text), "zh-TW")
    assert corpus.target == ("繁", "只")
    assert corpus.source == ("color", "only")


def test_tmx_variant_without_segment(tmp_path):
    text = tmx(PAIR).replace("<seg>하나</seg>", "")
    assert ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko").target == ("",)


EVIL = "<!DOCTYPE tmx [{}]><tmx><body><tu>{}</tu></body></tmx>"
TUV = '<tuv lang="en"><seg>&e;</seg></tuv><tuv lang="ko"><seg>하나</seg></tuv>'
LAUGHS = "".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdzyxwv", "bcdzyxwve", strict=True)
)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize(
    "entities",
    [
        '<!ENTITY e SYSTEM "{secret}">',
        '<!ENTITY % e SYSTEM "{secret}"> %e;',
        '<!ENTITY e PUBLIC "a" "{secret}">',
        f'<!ENTITY a "aaaaaaaaaa">{LAUGHS}',
        # Below what expat takes for an attack: as much again for every reference.
        f'<!ENTITY e "{"a" * 50_000}">',
        '<!-- a comment --><!ENTITY e "harmless">',
    ],
)
def test_tmx_entities_are_refused(tmp_path, entities, encoding):
    secret = write(tmp_path / "secret.txt", "secret")
    path = tmp_path / "x.tmx"
    write(path, EVIL.format(entities.format(secret=secret.as_uri()), TUV), encoding)
    with pytest.raises(ValueError, match=r"x\.tmx' declares the entity '[ae]'\. .* delete"):
        ParallelCorpus.read(path, "ko")


def test_tmx_entities_that_a_dtd_elsewhere_declares(tmp_path):
    dtd = write(tmp_path / "tmx14.dtd", '<!ENTITY e "secret">')
    text = f'<!DOCTYPE tmx SYSTEM "{dtd.as_uri()}"><tmx><body><tu>{TUV}</tu></body></tmx>'
    with pytest.raises(ValueError, match=r"broken XML .*undefined entity"):
        ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko")


MANY = 100_000


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("a" + "\n" * MANY + "b", "a" + "\n" * MANY + "b"),
        ("a" + " " * MANY + "b", "a" + " " * MANY + "b"),
        ("a" + "\n  " * MANY + "b", "a b"),
        (f"a<ph>{chr(10) * MANY}x</ph>b", "ab"),
        (f"a{'<hi>' * MANY}b{'</hi>' * MANY}", "ab"),
        (f"a&nbsp;{'<hi>' * 10_000}b{'</hi>' * 10_000}", "a\xa0b"),
        (f"a&#{'9' * MANY};b", "ab"),
        (f"a&nbsp;{'<!--' * MANY}-->b", "a\xa0b"),
    ],
    ids=["lines", "spaces", "indented", "markup", "nested", "mended", "digits", "comment"],
)
@pytest.mark.filterwarnings("ignore:.* is not well-formed")
def test_tmx_of_a_stranger_takes_neither_time_nor_depth(tmp_path, segment, expected):
    path = write(tmp_path / "x.tmx", tmx([("en", segment), ("ko", "안녕")]))
    assert ParallelCorpus.read(path, "ko").source == (expected,)


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


@pytest.mark.parametrize(
    ("asked", "variants", "expected"),
    [
        ("zh-Hant", [("zh-CN", "网络"), ("zh-TW", "網路")], "網路"),
        ("zh-Hant", [("zh-CN", "网络"), ("zh-HK", "網絡")], "網絡"),
        ("zh-TW", [("zh-Hans", "网络"), ("ZH-hant", "網路")], "網路"),
        ("zh-Hans", [("zh-TW", "網路"), ("zh-SG", "网络")], "网络"),
        ("zh", [("zh-TW", "網路"), ("zh-CN", "网络")], "网络"),
        ("zh", [("zh-TW", "網路")], "網路"),
        ("zh", [("cmn", "网络")], "网络"),
        ("sr-Cyrl", [("sr-Latn", "Zdravo"), ("sr-Cyrl", "Здраво")], "Здраво"),
        ("pt-BR", [("pt-PT", "ecrã"), ("pt-BR", "tela")], "tela"),
        ("ko", [("kor", "안녕")], "안녕"),
        ("ja", [("JP", "やあ")], "やあ"),
        ("ko", [("KO_kr", "안녕")], "안녕"),
        ("de", [("ger", "Netz")], "Netz"),
    ],
)
def test_tmx_variants_of_a_language(tmp_path, asked, variants, expected):
    for order in (variants, variants[::-1]):
        text = tmx([("eng", "Network"), *order])
        corpus = ParallelCorpus.read(write(tmp_path / "x.tmx", text), asked)
        assert (corpus.target, corpus.source) == ((expected,), ("Network",))


def test_tmx_of_the_other_script_warns(tmp_path):
    path = write(tmp_path / "x.tmx", tmx([("en", "Network"), ("zh-CN", "网络")]))
    with pytest.warns(UserWarning, match="1 of 1 units has no 'zh-Hant', so 'zh-CN' was taken"):
        assert ParallelCorpus.read(path, "zh-Hant").target == ("网络",)


def test_tmx_asks_about_slips(tmp_path):
    path = write(tmp_path / "x.tmx", tmx([("en", "Hi"), ("ja", "やあ")]))
    with pytest.raises(ValueError, match=r"languages are: en, ja\. Did you mean 'ja'"):
        ParallelCorpus.read(path, "jp")


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("\n\t\t\tHello\n\t\t", "Hello"),
        ("\r\n    Hello\r\n  ", "Hello"),
        ("\n  Hello\n  there", "Hello there"),
        ("Hello\n      there", "Hello there"),
        (" Hello ", " Hello "),  # no line ends: as it is
        ("Hello\nthere", "Hello\nthere"),  # not indented: a line break of the text
        ('\n  <hi type="b">Hello</hi>\n  <ph x="1"/>there\n', "Hello there"),
        ('Hello<ph type="lb"/>there', "Hello there"),
        ('Hello<ph x="1">&lt;br/&gt;</ph>there', "Hello there"),
        ('Hel<bpt i="1">&lt;b&gt;<sub>not this</sub></bpt>lo<ept i="1">&lt;/b&gt;</ept>', "Hello"),
        ("<![CDATA[R&D <now>]]>", "R&D <now>"),
        ("Hello<!-- a comment --> there", "Hello there"),
    ],
)
def test_tmx_white_space_and_markup(tmp_path, segment, expected):
    path = write(tmp_path / "x.tmx", tmx([("en", segment), ("ko", "안녕")]))
    assert ParallelCorpus.read(path, "ko").source == (expected,)


@pytest.mark.parametrize("element", ["tu", 'tuv xml:lang="en"', "seg"])
def test_tmx_white_space_that_is_to_be_kept(tmp_path, element):
    text = tmx([("en", "\n  Hello\n"), ("ko", "안녕")])
    text = text.replace(f"<{element}>", f'<{element} xml:space="preserve">')
    assert ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko").source == ("\n  Hello\n",)


GOOD = [("en", "Hi"), ("ko", "안녕")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("A\x1fB", "AB"),
        ("A\x0bB", "A B"),
        ("A\x00B", "AB"),
        ("A\ufffeB", "AB"),
        ("A&#x1F;B", "AB"),
        ("A&#11;B", "A B"),
        ("A&#xD800;B", "AB"),
        ("R&D", "R&D"),
        ("AT & T &lt;3", "AT & T <3"),
        ("A&nbsp;B&hellip;", "A\xa0B…"),
        ("?a=1&b=2", "?a=1&b=2"),
    ],
)
def test_tmx_characters_that_xml_does_not_allow(tmp_path, segment, expected, encoding):
    name = encoding.removesuffix("-sig")
    text = tmx(
        GOOD,
        [("en", segment), ("ko", "가")],
        declaration=f'<?xml version="1.0" encoding="{name}"?>',
    )
    path = write(tmp_path / "x.tmx", text, encoding)
    with pytest.warns(UserWarning, match=r"is not well-formed .* replaced in 1 unit \(line 5\)"):
        corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ("Hi", expected)
    assert corpus.target == ("안녕", "가")


@pytest.mark.parametrize("segment", ["A&unheard;B", "<b>A", "A</seg>", "a < b", 'A<ph x="1>'])
def test_tmx_broken_units_are_left_out(tmp_path, segment):
    text = tmx(GOOD, [("en", segment), ("ko", "가")], GOOD, [("en", segment), ("ko", "가")], GOOD)
    path = write(tmp_path / "x.tmx", text)
    with pytest.warns(UserWarning, match=r"broken XML, left out: 2 units \(lines 5, 7\)"):
        corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ("Hi", "Hi", "Hi")


def test_tmx_unit_without_its_end(tmp_path):
    text = tmx(GOOD, [("en", "lost"), ("ko", "가")], GOOD).replace("</tu>", "", 2)
    path = write(tmp_path / "x.tmx", text)
    with pytest.warns(UserWarning, match=r"left out: 2 units \(lines 4, 5\)"):
        assert ParallelCorpus.read(path, "ko").source == ("Hi",)


def test_tmx_warning_lists_the_first_lines(tmp_path):
    path = write(tmp_path / "x.tmx", tmx(GOOD, *[[("en", "\x02"), ("ko", "가")]] * 9))
    with pytest.warns(UserWarning, match=r"in 9 units \(lines 5, 6, 7, 8, 9, \.\.\.\)"):
        assert ParallelCorpus.read(path, "ko").n_pairs == 10


def test_tmx_bytes_that_are_not_text(tmp_path):
    path = tmp_path / "x.tmx"
    path.write_bytes(tmx(GOOD, [("en", "X"), ("ko", "가")]).encode().replace(b"X", b"\xff"))
    with pytest.warns(UserWarning, match=r"left out: 1 unit \(line 5\)"):
        assert ParallelCorpus.read(path, "ko").source == ("Hi",)


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [
        ("utf-16", "utf-16-le"),
        ("utf-16", "utf-16-be"),
        ("utf-16", "utf-8"),
        ("UTF-16", "utf-8-sig"),
        ("euc-kr", "euc_kr"),
        ("ks_c_5601-1987", "cp949"),
        ("gb18030", "gb18030"),
    ],
)
def test_tmx_in_other_encodings(tmp_path, declared, encoding):
    text = tmx(GOOD, declaration=f'<?xml version="1.0" encoding="{declared}"?>')
    assert ParallelCorpus.read(write(tmp_path / "x.tmx", text, encoding), "ko").target == ("안녕",)


def test_tmx_commented_units_are_not_read(tmp_path):
    text = tmx(GOOD, [("en", "\x01"), ("ko", "가")]).replace("<body>", "<body><!-- <tu>no</tu> -->")
    with pytest.warns(UserWarning, match="in 1 unit"):
        assert ParallelCorpus.read(write(tmp_path / "x.tmx", text), "ko").n_pairs == 2
