"""Tests of files of pairs: compression, encodings, and what else a path may be."""

import bz2
import codecs
import gzip
import io
import lzma
import random
import re
import tracemalloc
import zipfile
import zlib
from pathlib import Path

import pytest

from langalign_sk.corpus import ParallelCorpus, _files
from tests.corpus.toy import make, write

TABLE = "en\tko\none\t하나\ntwo\t둘\nthree\t셋\n"
MARKS = {
    "utf-8": codecs.BOM_UTF8,
    "utf-16-le": codecs.BOM_UTF16_LE,
    "utf-16-be": codecs.BOM_UTF16_BE,
    "utf-32-le": codecs.BOM_UTF32_LE,
    "utf-32-be": codecs.BOM_UTF32_BE,
}


def archive(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        for name, text in members.items():
            opened.writestr(name.replace("__", "."), text)
    return file.getvalue()


@pytest.mark.parametrize("named", ["utf-8", "utf-16-le", "utf-16", "cp949", "latin-1"])
@pytest.mark.parametrize("codec", MARKS)
@pytest.mark.parametrize("suffix", [".tsv", ".csv", ".jsonl"])
def test_a_byte_order_mark_overrules_the_encoding(tmp_path, suffix, codec, named):
    text = {
        ".tsv": TABLE,
        ".csv": TABLE.replace("\t", ","),
        ".jsonl": '{"en": "one", "ko": "하나"}\n{"en": "two", "ko": "둘"}\n{"en": "three", "ko": "셋"}',
    }[suffix]
    path = tmp_path / f"x{suffix}"
    path.write_bytes(MARKS[codec] + text.encode(codec))
    assert ParallelCorpus.read(path, "ko", encoding=named) == make()


@pytest.mark.parametrize("codec", MARKS)
def test_marks_of_moses_files(tmp_path, codec):
    (tmp_path / "x.ko").write_bytes(MARKS[codec] + "하나\n둘\n셋\n".encode(codec))
    write(tmp_path / "x.en", "one\ntwo\nthree\n")
    assert ParallelCorpus.read_moses(tmp_path / "x.ko", tmp_path / "x.en", "ko") == make()


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("target", ["하나", "하나 둘 셋 넷 다섯", "ascii"])
def test_utf_16_without_a_mark(tmp_path, codec, target):
    path = write(tmp_path / "x.tsv", f"en\tko\nThis one is long enough\t{target}\n", codec)
    with pytest.raises(ValueError, match="UTF-16 without a byte order mark") as raised:
        ParallelCorpus.read(path, "ko")
    advised = re.search('encoding="(.*?)"', str(raised.value))[1]
    assert ParallelCorpus.read(path, "ko", encoding=advised).target == (target,)


@pytest.mark.parametrize(
    ("target_lang", "target", "codec"),
    [
        ("ko", "안녕하세요 여러분", "cp949"),
        ("kor_Hang", "똠방각하", "cp949"),
        ("ja", "こんにちは世界", "cp932"),
        ("ja", "こんにちは世界の人々", "euc_jp"),
        ("zh", "你好世界我们", "gb18030"),
        ("zh-TW", "你好世界我們", "big5"),
        ("ru", "Привет, мир", "cp1251"),
        ("ru", "Привет, мир", "koi8-r"),
        ("de", "schöne Grüße", "cp1252"),
        ("pl", "zażółć gęślą", "cp1250"),
        ("th", "สวัสดีครับ", "cp874"),
        ("el", "καλημέρα", "cp1253"),
    ],
)
def test_the_encoding_of_the_message_is_the_right_one(tmp_path, target_lang, target, codec):
    path = write(tmp_path / "x.tsv", f"en\t{target_lang}\nHello\t{target}\n", codec)
    match = "line 2: the bytes are not 'utf-8' text. Pass encoding=.*this line reads"
    with pytest.raises(ValueError, match=match) as raised:
        ParallelCorpus.read(path, target_lang)
    advised = re.search('encoding="(.*?)"', str(raised.value))[1]
    assert ParallelCorpus.read(path, target_lang, encoding=advised).target == (target,)


def test_bytes_of_no_known_encoding(tmp_path):
    path = tmp_path / "x.tsv"
    path.write_bytes(b"en\tko\na\t\xff\xff\xff\n")
    with pytest.raises(ValueError, match=r'line 2: .*"cp949" \(Korean\), "cp932".*"gb18030"'):
        ParallelCorpus.read(path, "ko")


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".XZ", lzma.compress),
    ],
)
def test_compressed_files(tmp_path, suffix, pack):
    path = tmp_path / f"mine.tsv{suffix}"
    path.write_bytes(pack(TABLE.encode()))
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus == make()
    assert corpus.name == "mine"
    path.write_bytes(b"no such thing")
    with pytest.raises(ValueError, match=r"mine\.tsv.* is not a complete .* file"):
        ParallelCorpus.read(path, "ko")


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_compressed_files_without_the_suffix(tmp_path, suffix, pack):
    path = tmp_path / "mine.tsv"
    path.write_bytes(pack(TABLE.encode()))
    with pytest.raises(ValueError, match=f"is compressed: add {suffix} to its name"):
        ParallelCorpus.read(path, "ko")
    assert ParallelCorpus.read(path.rename(tmp_path / f"mine.tsv{suffix}"), "ko") == make()


def test_archives(tmp_path):
    path = tmp_path / "kor-eng.zip"
    path.write_bytes(
        archive(kor__txt=TABLE, _about__txt="About this file.", README__txt="Read me.")
    )
    corpus = ParallelCorpus.read(path, "ko")
    assert corpus == make()
    assert corpus.name == "kor"
    path.write_bytes(archive(a__tsv=TABLE, b__tsv=TABLE))
    with pytest.raises(ValueError, match=r"holds 2 files of pairs: unpack it .*a\.tsv, b\.tsv"):
        ParallelCorpus.read(path, "ko")
    path.write_bytes(archive(picture__png="x"))
    with pytest.raises(ValueError, match="holds no files of pairs"):
        ParallelCorpus.read(path, "ko")
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="cannot be unpacked"):
        ParallelCorpus.read(path, "ko")


def test_file_objects(tmp_path):
    path = write(tmp_path / "mine.tsv", TABLE)
    with path.open("rb") as file:
        assert ParallelCorpus.read(file, "ko") == make()
    with path.open(encoding="utf-8") as file:
        corpus = ParallelCorpus.read(file, "ko", encoding="cp949")  # text is decoded already
    assert corpus == make()
    assert corpus.name == "mine"
    upload = io.BytesIO(TABLE.encode())
    with pytest.raises(ValueError, match=r"BytesIO has no name .* Set one, such as") as raised:
        ParallelCorpus.read(upload, "ko")
    upload.name = re.search('file.name = "(.*?)"', str(raised.value))[1]
    assert ParallelCorpus.read(upload, "ko") == make()


def test_what_is_not_a_file(tmp_path):
    write(tmp_path / "mine.tsv", TABLE)
    with pytest.raises(
        IsADirectoryError, match=r"is a folder. Pass a file in it, such as mine\.tsv"
    ):
        ParallelCorpus.read(tmp_path, "ko")
    with pytest.raises(TypeError, match="got int"):
        ParallelCorpus.read(5, "ko")
    with pytest.raises(TypeError, match=r"got tuple\. Two files .*: read_moses\("):
        ParallelCorpus.read((tmp_path / "x.ko", tmp_path / "x.en"), "ko")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("x.xliff", "export TMX"),
        ("x.sdlxliff", "export TMX"),
        ("x.po", "export TMX"),
        ("x.xlsx", r"from_frame\(pandas\.read_excel\(path\), target_lang\), or save as \.csv"),
        ("x.ko", "read_moses"),
    ],
)
def test_other_formats(tmp_path, name, remedy):
    with pytest.raises(ValueError, match=f"no known suffix.*{remedy}"):
        ParallelCorpus.read(write(tmp_path / name, TABLE), "ko")


def test_paths_of_every_type(tmp_path):
    path = write(tmp_path / "mine.tsv", TABLE)
    for given in (path, str(path), Path(path).as_posix()):
        assert ParallelCorpus.read(given, "ko") == make()


@pytest.mark.parametrize("encoding", ["ansi", "utf8mb4", "", None])
def test_encodings_that_do_not_exist(tmp_path, encoding):
    with pytest.raises(ValueError, match="encoding must be the name of a codec"):
        ParallelCorpus.read(write(tmp_path / "x.tsv", TABLE), "ko", encoding=encoding)


ZEROS = b"\0" * (1 << 20)


def streamed(compressor, n):
    return b"".join([*(compressor.compress(ZEROS) for _ in range(n)), compressor.flush()])


def zipped(method, n):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as opened, opened.open("a.tsv", "w") as member:
        for _ in range(n):
            member.write(ZEROS)
    return file.getvalue()


BOMBS = {
    "x.tsv.gz": lambda n: streamed(zlib.compressobj(wbits=31), n),
    "x.tsv.bz2": lambda n: streamed(bz2.BZ2Compressor(), n),
    "x.tsv.xz": lambda n: streamed(lzma.LZMACompressor(preset=0), n),
    "x.tsv.lzma": lambda n: streamed(lzma.LZMACompressor(lzma.FORMAT_ALONE, preset=0), n),
    "deflated.zip": lambda n: zipped(zipfile.ZIP_DEFLATED, n),
    "bzip2.zip": lambda n: zipped(zipfile.ZIP_BZIP2, n),
    "lzma.zip": lambda n: zipped(zipfile.ZIP_LZMA, n),
}


@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.parametrize("reads", ["read", "read_moses"])
def test_a_file_that_unpacks_to_much_more_is_refused(tmp_path, monkeypatch, name, reads):
    monkeypatch.setattr(_files, "_UNPACKED", 1 << 21)
    path = tmp_path / name
    path.write_bytes(BOMBS[name](24))
    arguments = (path, "ko") if reads == "read" else (path, path, "ko")
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"unpacks to more than 2 MiB.* unpack it, as gunzip"):
            getattr(ParallelCorpus, reads)(*arguments)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20  # of 24 MiB: little more than the limit and what the codecs hold


def test_a_file_in_an_archive_has_the_limit_of_the_archive(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "_UNPACKED", 1 << 21)
    inner = BOMBS["x.tsv.gz"](24)
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr("a.tsv.gz", inner)
    with pytest.raises(ValueError, match=r"'a\.tsv\.gz' unpacks to more than 2 MiB"):
        ParallelCorpus.read(tmp_path / "x.zip", "ko")
    content = b"en\tko\n"
    for _ in range(20):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as opened:
            opened.writestr("a.tsv.zip" if content[:2] == b"PK" else "a.tsv", content)
        content = file.getvalue()
    (tmp_path / "y.zip").write_bytes(content)
    with pytest.raises(ValueError, match="an archive in many others: unpack it"):
        ParallelCorpus.read(tmp_path / "y.zip", "ko")


def test_a_large_file_that_packs_well_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(_files, "_UNPACKED", 1)
    rng = random.Random(0)
    rows = [f"{rng.randrange(10**9)} one and two\t하나와 둘\n" for _ in range(500)]
    path = tmp_path / "x.tsv.xz"
    path.write_bytes(lzma.compress("".join(["en\tko\n", *rows]).encode()))
    assert len(ParallelCorpus.read(path, "ko").source) == 500
