"""Tests of tables of pairs: .tsv, .txt and .csv."""

import ast
import gzip
import re
import warnings

import numpy as np
import pytest

from langalign_sk.corpus import ParallelCorpus
from tests.corpus.toy import EN, KO, make, write


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("suffix", [".tsv", ".txt", ".csv", ".tsv.gz", ".csv.gz", ".TSV"])
def test_tables(tmp_path, suffix, header, order, bom, end):
    rows = [("ko", "en")] * header + list(zip(KO, EN, strict=True))
    cell = "," if ".csv" in suffix else "\t"
    text = bom + "".join(cell.join(row[:: -1 if order else 1]) + end for row in rows)
    corpus = ParallelCorpus.read(write(tmp_path / f"mine{suffix}", text), "ko")
    assert corpus == make()
    assert corpus.name == "mine"


def test_table_without_last_line_end(tmp_path):
    assert ParallelCorpus.read(write(tmp_path / "x.tsv", "one\t하나\ntwo\t둘"), "ko").n_pairs == 2


def test_path_as_str(tmp_path):
    path = write(tmp_path / "x.tsv", "one\t하나\n")
    assert ParallelCorpus.read(str(path), "ko").n_pairs == 1


@pytest.mark.parametrize("head", ["ID\tEn\tKO-kr", " id \t en\tko "])
def test_header_in_other_spellings_and_more_columns(tmp_path, head):
    path = write(tmp_path / "x.tsv", f"{head}\n1\tone\t하나\n")
    corpus = ParallelCorpus.read(path, "ko-KR")
    assert (corpus.target, corpus.source) == (("하나",), ("one",))


def test_columns_name_a_headerless_table(tmp_path):
    path = write(tmp_path / "x.tsv", "1\tHaus\thouse\n")
    corpus = ParallelCorpus.read(path, "de", columns=("id", "de", "en"))
    assert (corpus.target, corpus.source) == (("Haus",), ("house",))


def test_columns_may_repeat_the_header(tmp_path):
    path = write(tmp_path / "x.tsv", "en\tko\none\t하나\n")
    assert ParallelCorpus.read(path, "ko", columns=["en", "ko"]).source == ("one",)


def test_columns_overrule_the_script(tmp_path):
    path = write(tmp_path / "x.tsv", "one\t하나\n")
    assert ParallelCorpus.read(path, "ko", columns=("ko", "en")).target == ("one",)


@pytest.mark.parametrize("text", ["NA", "null", "1", "nan", "None", "1e5", "True"])
@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_words_that_look_like_values_stay_text(tmp_path, suffix, text):
    cell = "," if suffix == ".csv" else "\t"
    path = write(tmp_path / f"x{suffix}", f"en{cell}ko\n{text}{cell}{text}\n")
    corpus = ParallelCorpus.read(path, "ko")
    assert (corpus.target, corpus.source) == ((text,), (text,))


def test_quotes_in_tsv_are_text(tmp_path):
    path = write(tmp_path / "x.tsv", '"Hi," she said\t"안녕"\n5" disk\t5" 디스크\n')
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ('"Hi," she said', '5" disk')
    assert corpus.target == ('"안녕"', '5" 디스크')


def test_quotes_in_csv_are_quotes(tmp_path):
    path = write(tmp_path / "x.csv", 'en,ko\n"Hi, ""you""\nthere","안녕, 너"\n')
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ('Hi, "you"\nthere',)
    assert corpus.target == ("안녕, 너",)


@pytest.mark.parametrize("separator", ["\u2028", "\x85", "\x0b", "\x1e"])
@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_only_line_feeds_end_a_row(tmp_path, suffix, separator):
    cell = "," if suffix == ".csv" else "\t"
    path = write(tmp_path / f"x{suffix}", f"a{separator}b{cell}하나\n")
    assert ParallelCorpus.read(path, "ko").source == (f"a{separator}b",)


def test_blank_lines_are_skipped_and_empty_cells_kept(tmp_path):
    path = write(tmp_path / "x.tsv", "one\t하나\n\n\t\ntwo\t\n")
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus.source == ("one", "", "two")
    assert corpus.target == ("하나", "", "")


def test_other_encodings(tmp_path):
    for encoding in ("cp949", "utf-16", "UTF_8"):
        path = write(tmp_path / "x.tsv", "one\t하나\n", encoding)
        assert ParallelCorpus.read(path, "ko", encoding=encoding).target == ("하나",)


@pytest.mark.parametrize(
    ("target_lang", "target", "other"),
    [
        ("ja", "東京", "Tokyo"),
        ("ja", "ひらがな", "kana"),
        ("zh-TW", "你好", "hi"),
        ("ru", "да", "yes"),
    ],
)
def test_script_decides_in_other_languages(tmp_path, target_lang, target, other):
    path = write(tmp_path / "x.tsv", f"{other}\t{target}\n")
    assert ParallelCorpus.read(path, target_lang).target == (target,)


def test_majority_of_rows_decides(tmp_path):
    rows = ["Firefox\tFirefox", "하나 (one)\tone", "하나\ttwo", "하나\t'하나' is one"]
    corpus = ParallelCorpus.read(write(tmp_path / "x.tsv", "\n".join(rows)), "ko")
    assert corpus.target[1] == "하나 (one)"


REMEDY = r'Pass columns=\("en", "ko"\)'


@pytest.mark.parametrize(
    ("name", "text", "params", "match"),
    [
        ("x.tsv", "a\tb\n", {}, f"neither of its columns are in the script of 'ko'.* {REMEDY}"),
        ("x.tsv", "하나\t둘\n", {}, f"both of its columns are in the script of 'ko'.* {REMEDY}"),
        (
            "x.tsv",
            "a\tb\t하나\n",
            {},
            r"no header and 2 of its 3 columns may be English, .* Pass columns=\(\"en\", \"column_2\", "
            r"\"ko\"\)",
        ),
        ("x.tsv", "하나\n", {}, "has 1 column and no header"),
        ("x.tsv", "a\t하나\n\nb\n", {}, "line 3: 1 cell where 2 are expected"),
        ("x.tsv", "en\tko\na\tb\tc\n", {}, "line 2: 3 cells where 2 are expected. Repair"),
        ("x.csv", 'en,ko\n"a\nb",c\nd\n', {}, "line 4: 1 cell where 2 are expected"),
        ("x.csv", 'a,하나\nb,"둘\nc,셋\n', {}, "row that begins in line 2: unexpected end of data"),
        (
            "x.tsv",
            "a\tb\n",
            {"columns": ("id", "en", "ko")},
            "line 1: 2 cells where 3 are expected",
        ),
        ("x.tsv", "a\tb\n", {"columns": ("en", "de")}, r"columns= has the columns \['en', 'de'\]"),
        (
            "x.tsv",
            "en\tko\n",
            {"columns": ("ko", "en")},
            r"header \['en', 'ko'\], which .*contradict",
        ),
        ("x.tsv", "", {}, "holds no pairs"),
        ("x.tsv", "en\tko\n", {}, "holds no pairs"),
        (
            "x.doc",
            "{}",
            {},
            r"no known suffix. Known suffixes are \.tsv, \.txt, \.csv, .*\.tmx .*\.parquet",
        ),
        ("x.gz", "", {}, "no known suffix"),
        ("x.parquet.gz", "", {}, "no known suffix"),
        ("x", "", {}, "no known suffix"),
        ("x.jsonl", "{}", {"columns": ("en", "ko")}, "columns= is for .*jsonl names its own"),
    ],
)
def test_table_errors(tmp_path, name, text, params, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / name, text), "ko", **params)


def test_latin_languages_need_columns(tmp_path):
    path = write(tmp_path / "x.tsv", "Haus\thouse\n")
    match = r"'de' cannot be told apart from English by its script.*columns=\(\"en\", \"de\"\)"
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(path, "de")


def test_columns_as_one_str(tmp_path):
    with pytest.raises(TypeError, match=r"columns must be a sequence of names .*'en,ko'"):
        ParallelCorpus.read(write(tmp_path / "x.tsv", "a\tb\n"), "ko", columns="en,ko")


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.tsv"):
        ParallelCorpus.read(tmp_path / "nowhere.tsv", "ko")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.ko"):
        ParallelCorpus.read_moses(tmp_path / "nowhere.ko", tmp_path / "nowhere.en", "ko")


@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl"])
def test_undecodable_bytes(tmp_path, suffix):
    path = write(tmp_path / f"x{suffix}", "one\ttwo\none\t하나\n", "cp949")
    with pytest.raises(
        ValueError, match=r"line 2: the bytes are not 'utf-8' text\. Pass encoding="
    ):
        ParallelCorpus.read(path, "ko")


@pytest.mark.parametrize("data", [b"one\two", gzip.compress(b"one\two" * 99)[:-9]])
def test_broken_gzip(tmp_path, data):
    path = tmp_path / "x.tsv.gz"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"x\.tsv\.gz' is not a complete gzip file"):
        ParallelCorpus.read(path, "ko")


HELLO = [("Hi", "안녕"), ("Bye", "잘 가"), ("Thanks", "고마워")]


def table(*rows, cell="\t", end="\n"):
    return "".join(cell.join(row) + end for row in rows)


def is_read(corpus):
    return (corpus.source, corpus.target) == tuple(zip(*HELLO, strict=True))


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
@pytest.mark.parametrize(
    "head",
    [
        ("en-US", "ko-KR"),
        ("English", "Korean"),
        ("ENGLISH", "KOREAN"),
        ("eng", "kor"),
        ("eng_Latn", "kor_Hang"),
        ("en_XX", "ko_KR"),
        ("영어", "한국어"),
        ("英语", "韩语"),
        ("Englisch", "Koreanisch"),
        ("English (US)", "한국어 (대한민국)"),
        ("sentence_en", "sentence_ko"),
        ("ENGLISH_TEXT", "KOREAN_TEXT"),
        ("enText", "koText"),
        ("translation.en", "translation.ko"),
        ("English sentence", "Korean translation"),
        ("US", "KR"),
        ("en", "kr"),
        (" en", "ko "),
    ],
    ids=" ".join,
)
def test_header_in_other_words_is_no_pair(tmp_path, head, suffix):
    path = write(
        tmp_path / f"x{suffix}", table(head, *HELLO, cell="\t" if suffix == ".tsv" else ",")
    )
    assert is_read(ParallelCorpus.read(path, "ko"))
    assert ParallelCorpus.read(path, "ko", header=False).n_pairs == 4


@pytest.mark.parametrize(
    "head",
    [
        ("source", "target"),
        ("src", "tgt"),
        ("원문", "번역문"),
        ("text", "translation"),
        ("English", "Translation"),
        ("question", "answer"),
    ],
    ids=" ".join,
)
def test_header_of_usual_words(tmp_path, head):
    path = write(tmp_path / "x.tsv", table(head, *HELLO))
    with pytest.warns(
        UserWarning, match="the first row, .* is taken for a header. Pass header=False"
    ):
        corpus = ParallelCorpus.read(path, "ko")
    assert is_read(corpus)
    assert ParallelCorpus.read(path, "ko", header=False).n_pairs == 4
    assert is_read(ParallelCorpus.read(path, "ko", header=True))


@pytest.mark.parametrize(
    "head",
    [
        ("Col1", "Col2"),
        ("예문", "해석"),
        ("A", "B"),
        ("Sprich", "Deutung"),
        ("English", "Koreański"),
    ],
    ids=" ".join,
)
def test_header_that_is_not_understood(tmp_path, head):
    path = write(tmp_path / "x.tsv", table(head, *HELLO))
    match = "the first row, .* looks like a header .* Pass header=True .*header=False"
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(path, "ko")
    assert is_read(ParallelCorpus.read(path, "ko", header=True))
    assert ParallelCorpus.read(path, "ko", header=False).n_pairs == 4


@pytest.mark.parametrize(
    "first",
    [
        ("Firefox", "Firefox"),
        ("English", "영어"),
        ("Korean", "한국어"),
        ("us", "우리"),
        ("source", "출처"),
        ("Source code", "소스 코드"),
        ("Wi-Fi is down.", "Wi-Fi down."),
        ("42", "42"),
        ("404", "403"),
        ("1", "하나"),
        ("Open the new file menu", "File menu"),
        ("", "안녕"),
    ],
    ids=" ".join,
)
def test_first_pair_that_is_no_header(tmp_path, first):
    path = write(tmp_path / "x.tsv", table(first, *HELLO))
    assert ParallelCorpus.read(path, "ko").source[0] == first[0]


@pytest.mark.parametrize(
    ("text", "target_lang", "params"),
    [
        ("source\ttarget\nhouse\tHaus\n", "de", {"columns": {"source": "en", "target": "de"}}),
        ("source\ttarget\nhouse\tHaus\n", "de", {"columns": ("en", "de")}),
        ("house\tHaus\n", "de", {"columns": {1: "de", 0: "en"}}),
        ("Text\tSatz\nhouse\tHaus\n", "de", {"columns": ("en", "de"), "header": True}),
        ("Englisch\tDeutsch\nhouse\tHaus\n", "de", {}),
        ("english\ttranslation\nhouse\tHaus\n", "de", {}),
        ("id\ten\ttext\n1\thouse\tHaus\n", "de", {}),
        ("id\ten\tid\tde\n1\thouse\t2\tHaus\n", "de", {}),
        ("is\tes\nhouse\tHaus\n", "es", {"columns": ("en", "es"), "header": True}),
        ("no\tid\ten\n1\tHaus\thouse\n2\tHaus\thouse\n", "id", {}),
    ],
    ids=range(10),
)
@pytest.mark.filterwarnings("ignore:.*is taken for a header")
def test_headers_of_latin_languages(tmp_path, text, target_lang, params):
    corpus = ParallelCorpus.read(write(tmp_path / "x.tsv", text), target_lang, **params)
    assert (set(corpus.source), set(corpus.target)) == ({"house"}, {"Haus"})


@pytest.mark.parametrize(
    ("first", "target_lang"), [("is\tes", "es"), ("of\tde", "de"), ("it\tid", "id")], ids=str
)
def test_words_that_are_codes_are_pairs(tmp_path, first, target_lang):
    path = write(tmp_path / "x.tsv", f"{first}\nhouse\tcasa\n")
    assert ParallelCorpus.read(path, target_lang, columns=("en", target_lang)).n_pairs == 2


HANGUL_HEAD = "SID,말,뜻\n1,안녕,Hi\n2,잘 가,Bye\n3,고마워,Thanks\n"


@pytest.mark.parametrize(
    "params",
    [
        {"header": True},
        {"columns": {"말": "ko", "뜻": "en"}},
        {"columns": {"말 ": "kor", "뜻": "eng"}},
        {"columns": {1: "ko", 2: "en"}, "header": True},
        {"columns": ("id", "ko", "en"), "header": True},
        {"columns": ["SID", "Korean", "English"], "header": True},
        {"columns": np.array(["id", "ko", "en"]), "header": True},
    ],
    ids=str,
)
def test_ways_to_name_the_columns_of_a_header(tmp_path, params):
    path = write(tmp_path / "x.csv", HANGUL_HEAD)
    assert is_read(ParallelCorpus.read(path, "ko", **params))


@pytest.mark.parametrize(
    "params", [{}, {"columns": ("id", "ko", "en")}, {"columns": {1: "ko", 2: "en"}}], ids=str
)
def test_a_header_of_unknown_words_in_any_number_of_columns(tmp_path, params):
    path = write(tmp_path / "x.csv", HANGUL_HEAD)
    with pytest.raises(ValueError, match="Pass header=True"):
        ParallelCorpus.read(path, "ko", **params)


@pytest.mark.parametrize("params", [{}, {"columns": ("id", "ko", "en")}], ids=str)
def test_header_in_korean(tmp_path, params):
    path = write(tmp_path / "x.csv", HANGUL_HEAD.replace("말", "한국어").replace("뜻", "영어"))
    assert is_read(ParallelCorpus.read(path, "ko", **params))


def test_one_column_of_the_header_is_renamed(tmp_path):
    path = write(tmp_path / "x.csv", "en,ko,ko_checked\nHi,안뇽,안녕\n")
    corpus = ParallelCorpus.read(path, "ko", columns={"ko_checked": "ko"})
    assert corpus.target == ("안녕",)


@pytest.mark.parametrize(
    ("text", "params", "kind", "match"),
    [
        ("en\tko\n", {"header": "yes"}, ValueError, "header must be one of"),
        ("en\tko\n", {"header": 0}, ValueError, "header must be one of"),
        ("en\tko\n", {"delimiter": ""}, ValueError, "delimiter must be a str"),
        ("en\tko\n", {"delimiter": 5}, ValueError, "delimiter must be a str"),
        (
            "a\tb\n",
            {"columns": {"x": "ko", "a": "en"}},
            ValueError,
            r"no column 'x': its first row",
        ),
        ("a\tb\n", {"columns": {5: "ko", 0: "en"}}, ValueError, "has the positions 0 to 1"),
        ("a\tb\n", {"columns": {"a": "en"}}, ValueError, "columns= has the columns"),
        ("a\tb\n", {"columns": {1.5: "en"}}, TypeError, "keys of columns must be names"),
        ("a\tb\n", {"columns": {"a": "en", 1: "ko"}}, TypeError, "keys of columns must be names"),
        ("a\tb\n", {"columns": {"a": 5}}, TypeError, "values of columns must be codes"),
        (
            "a\tb\n",
            {"columns": {"a": "en"}, "header": False},
            ValueError,
            "Pass positions, such as",
        ),
        ("en\ten\tko\na\tb\t하나\n", {}, ValueError, "two columns named 'en'"),
        ("en\tja\na\tひ\n", {}, ValueError, r"columns \['en', 'ja'\]; needed are 'en' and 'ko'"),
        ("en\tmax\na\t하나\nb\t둘\n", {}, ValueError, "looks like a header"),
    ],
)
def test_errors_of_headers_and_columns(tmp_path, text, params, kind, match):
    with pytest.raises(kind, match=match):
        ParallelCorpus.read(write(tmp_path / "x.tsv", text), "ko", **params)


@pytest.mark.parametrize(
    ("head", "asked", "expected"),
    [
        ("en\tzh-CN\tzh-TW", "zh-Hant", "網路"),
        ("en\tzh-CN\tzh-HK", "zh-TW", "網路"),
        ("en\tzh-CN\tzh-TW", "zh", "网络"),
        ("en\t简体中文\t繁體中文", "zh-TW", "網路"),
        ("en\tChinese (Simplified)\tChinese (Traditional)", "zh_CN", "网络"),
        ("en\tzho_Hans\tzho_Hant", "zh-MO", "網路"),
        ("en\tcn\ttw", "zh-TW", "網路"),
        ("en\tzh\tzh-TW", "zh", "网络"),
    ],
)
def test_scripts_of_chinese_columns(tmp_path, head, asked, expected):
    path = write(tmp_path / "x.tsv", f"{head}\nNetwork\t网络\t網路\n")
    assert ParallelCorpus.read(path, asked).target == (expected,)


def test_simplified_columns_are_not_traditional_ones(tmp_path):
    path = write(tmp_path / "x.tsv", "en\tzh-CN\nNetwork\t网络\n")
    with pytest.raises(
        ValueError, match=r"columns \['en', 'zh-CN'\]; needed are 'en' and 'zh-Hant'"
    ):
        ParallelCorpus.read(path, "zh-Hant")


CREDIT = "CC-BY 2.0 (France) Attribution: example.org #1 (someone)"


@pytest.mark.parametrize(
    ("rows", "target_lang", "name"),
    [
        ([("Go.", "가.", CREDIT), ("Hi.", "안녕.", CREDIT)], "ko", "kor.txt"),
        ([("Go.", "Geh.", CREDIT), ("Hi.", "Hallo.", CREDIT)], "de", "deu.txt"),
        ([("Go.", "去。", CREDIT)], "zh", "cmn.txt"),
        ([("1", "Go.", "7", "가.")], "ko", "links.tsv"),
        ([("k-1", "가.", "Go.")], "ko", "x.tsv"),
        ([("https://example.org/1", "Go.", "가.")], "ko", "x.tsv"),
        (
            [("가.", "Go.", "news")] * 2 + [("하나", "one", "news"), ("둘", "two", "talk")],
            "ko",
            "x.tsv",
        ),
    ],
    ids=["korean", "german", "chinese", "numbers", "identifiers", "addresses", "labels"],
)
def test_other_columns_are_told_by_their_contents(tmp_path, rows, target_lang, name):
    corpus = ParallelCorpus.read(write(tmp_path / name, table(*rows)), target_lang)
    assert corpus.source[0] == "Go."
    assert corpus.target[0] in ("가.", "Geh.", "去。")


@pytest.mark.parametrize(
    ("text", "target_lang", "params"),
    [
        ("Go.\t가.\tCC-BY x\nHi.\t안녕.\tCC-BY y\n", "ko", {"columns": ("en", "ko")}),
        ("Go there.\tAlso this.\t가.\n", "ko", {}),
        ("house\tHaus\tnice\n", "de", {}),
        ("house\tHaus\n", "de", {}),
    ],
    ids=["two names", "two columns in Latin", "three in Latin", "two in Latin"],
)
def test_the_remedy_for_columns_works_as_it_stands(tmp_path, text, target_lang, params):
    path = write(tmp_path / "x.tsv", text)
    with pytest.raises(ValueError, match="columns=") as raised:
        ParallelCorpus.read(path, target_lang, **params)
    advised = re.search(r"columns=(\(.*?\))(?!.*columns=)", str(raised.value))[1]
    corpus = ParallelCorpus.read(path, target_lang, columns=ast.literal_eval(advised))
    assert corpus.source[0] == text.split("\t")[0]


@pytest.mark.parametrize(
    ("text", "target_lang"),
    [("source\ttarget\nhouse\tHaus\n", "de"), ("key\ttext\tnotes\nx\thouse\tHaus\n", "de")],
)
@pytest.mark.filterwarnings("ignore:.*is taken for a header")
def test_the_remedy_for_headers_works_as_it_stands(tmp_path, text, target_lang):
    path = write(tmp_path / "x.tsv", text)
    with pytest.raises(ValueError, match="columns=") as raised:
        ParallelCorpus.read(path, target_lang)
    advised = re.search(r"columns=(\{.*?\})", str(raised.value))[1]
    assert ParallelCorpus.read(path, target_lang, columns=ast.literal_eval(advised)).n_pairs == 1


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.csv", "en;ko\nHi;안녕\nBye;잘 가\nThanks;고마워\n"),
        ("x.csv", "Hi;안녕\nBye;잘 가\nThanks;고마워\n"),
        ("x.csv", '"Hi";"안녕"\r\n"Bye";"잘 가"\r\n"Thanks";"고마워"\r\n'),
        ("x.csv", "sep=;\r\nHi;안녕\r\nBye;잘 가\r\nThanks;고마워\r\n"),
        ("x.csv", "en\tko\nHi\t안녕\nBye\t잘 가\nThanks\t고마워\n"),
        ("x.csv", "en|ko\nHi|안녕\nBye|잘 가\nThanks|고마워\n"),
        ("x.tsv", "en|ko\nHi|안녕\nBye|잘 가\nThanks|고마워\n"),
        ("x.txt", "Hi ||| 안녕\nBye ||| 잘 가\nThanks ||| 고마워\n"),
        ("x.txt", "Hi;안녕\nBye;잘 가\nThanks;고마워\n"),
        ("x.tsv", "en,ko\nHi,안녕\nBye,잘 가\nThanks,고마워\n"),
    ],
)
def test_delimiters_are_found(tmp_path, name, text):
    assert is_read(ParallelCorpus.read(write(tmp_path / name, text), "ko"))


@pytest.mark.parametrize(
    ("name", "text", "source"),
    [
        ("x.csv", "Hi, you;안녕\nBye, all;잘 가\n", "Hi, you"),
        ("x.csv", "Hi, you;안녕\nBye;잘, 가\n", "Hi, you"),
        ("x.csv", '"Hi; you",안녕\n"Bye",잘 가\n', "Hi; you"),
        ("x.csv", '"Hi;\nyou";"안녕, 너"\n"Bye";잘 가\n', "Hi;\nyou"),
        ("x.csv", "Hi, you\t안녕\n", "Hi, you"),
        ("x.tsv", "Hi, you; all|\t안녕\nBye\t잘, 가\n", "Hi, you; all|"),
    ],
)
def test_delimiters_inside_cells(tmp_path, name, text, source):
    assert ParallelCorpus.read(write(tmp_path / name, text), "ko").source[0] == source


@pytest.mark.parametrize(
    ("name", "text", "delimiter"),
    [("x.csv", "Hi#안녕\n", "#"), ("x.txt", "Hi => 안녕\n", " => "), ("x.csv", "Hi=>안녕\n", "=>")],
)
def test_delimiter_is_named(tmp_path, name, text, delimiter):
    path = write(tmp_path / name, text)
    with pytest.raises(ValueError, match=r"1 column and no header .* pass delimiter="):
        ParallelCorpus.read(path, "ko")
    assert ParallelCorpus.read(path, "ko", delimiter=delimiter).source == ("Hi",)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.tsv", "Hi\t안녕\n  \nBye\t잘 가\n\u3000\nThanks\t고마워\n\n"),
        ("x.tsv", "Hi\t안녕\t\nBye\t잘 가\t\nThanks\t고마워\t\n"),
        ("x.tsv", "en\tko\t\t\nHi\t안녕\t\t\nBye\t잘 가\nThanks\t고마워\t\n"),
        ("x.tsv", "en\tko\nHi\t안녕\t \nBye\t잘 가\nThanks\t고마워\n"),
        ("x.csv", "Hi,안녕,\nBye,잘 가,\nThanks,고마워,\n"),
        ("x.csv", "en,ko,,\nHi,안녕,,\n \nBye,잘 가,,\nThanks,고마워,,\n"),
        ("x.tsv", "Hi\t안녕\rBye\t잘 가\rThanks\t고마워\r"),
        ("x.csv", "Hi,안녕\rBye,잘 가\rThanks,고마워\r"),
        ("x.tsv", "Hi\t안녕\r\nBye\t잘 가\r\nThanks\t고마워\r\n\x1a"),
        ("x.tsv", "Hi\t안녕\n\ufeffBye\t잘 가\nThanks\t고마워\n"),
    ],
)
def test_blank_lines_empty_columns_and_ends_of_lines(tmp_path, name, text):
    assert is_read(ParallelCorpus.read(write(tmp_path / name, text), "ko"))


def test_headers_inside_joined_files(tmp_path):
    text = table(("en", "ko"), HELLO[0], ("en", "ko"), *HELLO[1:])
    assert is_read(ParallelCorpus.read(write(tmp_path / "x.tsv", text), "ko"))


def test_a_title_above_the_table(tmp_path):
    path = write(tmp_path / "x.tsv", "My glossary\n" + table(("en", "ko"), *HELLO))
    with pytest.raises(ValueError, match=r"line 1: 1 cell where 2 are expected\. Repair or remove"):
        ParallelCorpus.read(path, "ko")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "cell",
    [
        "\"{'en': 'Hi', 'ko': '안녕'}\"",
        '"{""en"": ""Hi"", ""ko"": ""안녕""}"',
        "\"{'eng': 'Hi', 'kor': '안녕', 'jpn': None}\"",
    ],
)
@pytest.mark.parametrize("head", ["translation", "id,translation"])
def test_objects_in_the_cells_of_a_table(tmp_path, head, cell, end):
    row = cell if head == "translation" else f"1,{cell}"
    path = write(tmp_path / "x.csv", end.join([head, row, row, ""]))
    corpus = ParallelCorpus.read(path, "ko")
    assert (corpus.source, corpus.target) == (("Hi", "Hi"), ("안녕", "안녕"))


@pytest.mark.parametrize("text", ["{name}\t{이름}\n{n} files\t파일 {n}개\n", "a\t{가}\nb\t{나}\n"])
def test_braces_are_text(tmp_path, text):
    assert ParallelCorpus.read(write(tmp_path / "x.tsv", text), "ko").n_pairs == 2


SENTENCES = "The house is old\tDas Haus ist alt\nWe are here\tWir sind da\nGo away\tGeh weg\n"


def test_labels_above_sentences_of_a_latin_language(tmp_path):
    path = write(tmp_path / "x.tsv", "premise\thypothesis\n" + SENTENCES)
    with pytest.warns(
        UserWarning, match=r"may be a header, and is read as a pair\. Pass header=True"
    ):
        assert ParallelCorpus.read(path, "de", columns=("en", "de")).n_pairs == 4
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for header, n_pairs in ((True, 3), (False, 4)):
            corpus = ParallelCorpus.read(path, "de", columns=("en", "de"), header=header)
            assert corpus.n_pairs == n_pairs


@pytest.mark.parametrize("first", ["Hello.\tHallo.", "Go on\tWeiter", "Computer\tComputer"])
def test_short_first_pairs_of_a_latin_language(tmp_path, first):
    path = write(tmp_path / "x.tsv", f"{first}\n{SENTENCES}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ParallelCorpus.read(path, "de", columns=("en", "de")).n_pairs == 4


@pytest.mark.parametrize(
    "text",
    [
        "1\tkor\t하나.\t10\teng\tOne.\n2\tkor\t둘.\t11\teng\tTwo.\n",
        '"ko"\t"en"\n"하나."\t"One."\n"둘."\t"Two."\n',
        "sep=\t\nko\ten\n하나.\tOne.\n둘.\tTwo.\n",
        "SEP=;\nko;en\n하나.;One.\n둘.;Two.\n",
        "ko_id\tko_text\ten_id\ten_text\ten_score\nk1\t하나.\te1\tOne.\t.5\nk2\t둘.\te2\tTwo.\t.7\n",
        "국문\t영문\n하나.\tOne.\n둘.\tTwo.\n",
    ],
)
def test_exports_of_other_programs(tmp_path, text):
    corpus = ParallelCorpus.read(write(tmp_path / "x.tsv", text), "ko")
    assert (corpus.target, corpus.source) == (("하나.", "둘."), ("One.", "Two."))


def test_quoted_header_of_cells_with_line_ends(tmp_path):
    path = write(tmp_path / "x.tsv", '"한국어"\t"English"\n"하나\n둘"\t"one ""x"""\n')
    corpus = ParallelCorpus.read(path, "ko")
    assert (corpus.target, corpus.source) == (("하나\n둘",), ('one "x"',))


def test_blanks_after_commas(tmp_path):
    path = write(tmp_path / "x.csv", 'ko, en\n"하나, 둘", "one, two"\n셋, "a, b"\n')
    corpus = ParallelCorpus.read(path, "ko")
    assert (corpus.target, corpus.source) == (("하나, 둘", "셋"), ("one, two", "a, b"))


def test_rule_below_the_header_of_markdown(tmp_path):
    path = write(tmp_path / "x.txt", "| ko | en |\n|:---|---|\n| 하나 | one |\n")
    assert [text.strip() for text in ParallelCorpus.read(path, "ko").target] == ["하나"]


@pytest.mark.parametrize("second", ["한국어\t영어", "ko\ten", "Korean text\tEnglish text"])
def test_second_header(tmp_path, second):
    path = write(tmp_path / "x.tsv", f"KO\tEN\n{second}\n하나\tone\n")
    with pytest.warns(UserWarning, match="line 2: .* is a second header"):
        assert ParallelCorpus.read(path, "ko").target == ("하나",)


def test_a_pair_of_names_is_no_second_header(tmp_path):
    path = write(tmp_path / "x.tsv", "ko\ten\n한국어\tKorean\n영어\tEnglish\n")
    assert ParallelCorpus.read(path, "ko").n_pairs == 2


def test_numbered_header(tmp_path):
    path = write(tmp_path / "x.csv", ",0,1\n0,하나,one\n1,둘,two\n")
    with pytest.warns(UserWarning, match="taken for a header"):
        assert ParallelCorpus.read(path, "ko").source == ("one", "two")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ('{"ko": "하나", "en": "one"}\n{"ko": "둘", "en": "two"}\n', "holds JSON: add .jsonl"),
        ("1\tkor\t하나\n2\tkor\t둘\n3\teng\tOne.\n", "language of each row in column 2"),
        ("<!DOCTYPE html>\n<p>404</p>\n", "web page"),
        ("version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("PAR1PAR1", "name it .parquet"),
    ],
)
def test_other_files_that_are_named_as_tables(tmp_path, text, match):
    with pytest.raises(ValueError, match=match):
        ParallelCorpus.read(write(tmp_path / "x.tsv", text), "ko")


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ([("one", "하나"), ("two", "둘"), ("three", "셋")], "columns are swapped"),
        ([("+1ViwmA-", "one"), ("+tFg-", "two"), ("+wUs-", "three")], "encoding"),
    ],
)
@pytest.mark.parametrize("name", ["x.tsv", "x.jsonl"])
def test_sentences_under_the_wrong_name(tmp_path, name, rows, match):
    if name == "x.tsv":
        text = "ko\ten\n" + "".join("\t".join(row) + "\n" for row in rows)
    else:
        text = "".join(f'{{"ko": "{a}", "en": "{b}"}}\n' for a, b in rows)
    with pytest.warns(UserWarning, match=match):
        ParallelCorpus.read(write(tmp_path / name, text), "ko")


def test_the_remedy_for_swapped_columns(tmp_path):
    path = write(tmp_path / "x.tsv", "ko\ten\none\t하나\ntwo\t둘\nthree\t셋\n")
    corpus = ParallelCorpus.read(path, "ko", columns=("en", "ko"), header=True)
    assert corpus.target == ("하나", "둘", "셋")


def test_the_remedy_for_korean_in_hanja_keeps_the_order(tmp_path):
    path = write(tmp_path / "x.tsv", "大韓民國\tRepublic of Korea\n民主\tdemocracy\n")
    with pytest.raises(ValueError, match=re.escape('columns=("ko", "en")')):
        ParallelCorpus.read(path, "ko")


def test_quotes_that_are_text_below_a_quoted_header(tmp_path):
    path = write(tmp_path / "x.tsv", '"ko"\t"en"\n하나\t"x" is one\n')
    assert ParallelCorpus.read(path, "ko").source == ('"x" is one',)


@pytest.mark.parametrize("ids", [("1", "2"), ("A-1", "A-2")])
def test_identifiers_are_not_indonesian(tmp_path, ids):
    rows = f"{ids[0]}\tsatu dua\tone two\n{ids[1]}\ttiga\tthree\n"
    path = write(tmp_path / "x.tsv", "ID\tIndonesian\tEnglish\n" + rows)
    assert ParallelCorpus.read(path, "id").target == ("satu dua", "tiga")
