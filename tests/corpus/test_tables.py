"""Tests of tables of pairs: .tsv, .txt and .csv."""

import gzip

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
            r"no known suffix. Known are \.tsv, \.txt, \.csv, .*\.tmx .*\.parquet",
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
    match = r"'de' cannot be told from English by its script.*columns=\(\"en\", \"de\"\)"
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
