"""Text of files of pairs: compression, encoding and lines."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from .._utils.validation import shorten
from ..languages import scripts_of_language
from ..languages.codes import base_code

__all__ = [
    "JSON",
    "SUFFIXES",
    "TABLES",
    "PairFile",
    "open_file",
    "read_lines",
    "split_lines",
    "stem_of",
]


TABLES = (".tsv", ".txt", ".csv")
JSON = (".jsonl", ".ndjson", ".json")
SUFFIXES = (*TABLES, *JSON, ".tmx")
_OPEN: dict[str, Callable[[IO[bytes]], Any]] = {
    ".gz": lambda file: gzip.GzipFile(fileobj=file),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".lzma": lzma.LZMAFile,
}
_PACKED = (*_OPEN, ".zip")
# Bytes that a file may unpack to: this many, or so many times its own size. Pairs of sentences
# shrink to a fifth, and the most repetitive ones to a twentieth.
_UNPACKED, _TIMES = 1 << 26, 40
_PIECE = 1 << 12  # bytes; zipfile unpacks as many packed ones of bzip2 at once, whatever they hold
_MOST_PACKINGS = 8  # one in the other
_MAGIC = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ": ".xz", b"PK\x03\x04": ".zip"}
_EXCEL = (
    "a workbook of Excel: pass ParallelCorpus.from_frame(pandas.read_excel(path), target_lang), or "
    "save it as .csv"
)
_OTHERS = {
    b"\xd0\xcf\x11\xe0": _EXCEL,
    b"PAR1": "a parquet file: name it .parquet",
    b"ARROW1": "an Arrow file: pass ParallelCorpus.from_frame(pyarrow.feather.read_table(path), ...)",
    b"%PDF": "a PDF document: save its text",
    b"SQLite format 3": "a database: pass ParallelCorpus.from_frame(pandas.read_sql(...), target_lang)",
    b"version https://git-lfs": "a pointer of Git LFS to the file: run git lfs pull",
    b"<!DOCTYPE html": "a web page, perhaps an error of the server: download the file again",
    b"<!doctype html": "a web page, perhaps an error of the server: download the file again",
    b"<html": "a web page, perhaps an error of the server: download the file again",
}
# UTF-32 comes first, since its mark begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
_OLD_ENCODINGS = {
    "ko": ("cp949",),
    "ja": ("cp932", "euc_jp"),
    "zh": ("gb18030", "big5"),
    "yue": ("big5hkscs", "gb18030"),
    "th": ("cp874",),
    "el": ("cp1253",),
    "he": ("cp1255",),
    **dict.fromkeys(("ar", "fa", "ur"), ("cp1256",)),
    **dict.fromkeys(("ru", "uk", "bg", "be", "mk", "sr"), ("cp1251", "koi8-r")),
    **dict.fromkeys(("pl", "cs", "sk", "hu", "sl", "hr", "ro", "bs"), ("cp1250",)),
}
_JUDGED_CHARACTERS = 2000


@dataclass(frozen=True)
class PairFile:
    """Contents of a file, unpacked.

    Attributes
    ----------
    label : str
        Its name in messages, quoted.
    stem : str
        Its name without suffixes.
    suffix : str
        The suffix that says its format, in lower case.
    data : bytes
        Its contents.
    """

    label: str
    stem: str
    suffix: str
    data: bytes

    def text(self, encoding: str, target_lang: str | None = None) -> str:
        """Contents as text; a byte order mark overrules `encoding`.

        Parameters
        ----------
        encoding : str
            Name of a codec of Python.
        target_lang : str or None, default=None
            Language whose encodings the error suggests.

        Raises
        ------
        ValueError
            If the contents are in another encoding.
        """
        other = next((kind for magic, kind in _OTHERS.items() if self.data.startswith(magic)), None)
        if other is not None or (self.data.startswith(b"PK\x03\x04") and b"xl/" in self.data):
            raise ValueError(f"{self.label} is {other or _EXCEL}.")
        packed = next((kind for magic, kind in _MAGIC.items() if self.data.startswith(magic)), None)
        if packed is not None:
            raise ValueError(f"{self.label} is compressed: add {packed} to its name.")
        try:
            codec = codecs.lookup(encoding).name
        except (LookupError, TypeError) as error:
            raise ValueError(
                f'encoding must be the name of a codec of Python, such as "utf-8" or "cp949", got '
                f"{encoding!r}."
            ) from error
        marked = self.data.startswith(tuple(_BYTE_ORDER_MARKS))
        if not marked and codec == "utf-8" and 10 * self.data.count(0) > len(self.data):
            little = self.data[1::2].count(0) >= self.data[::2].count(0)
            raise ValueError(
                f"{self.label} looks like UTF-16 without a byte order mark. Pass "
                f'encoding="utf-16-{"le" if little else "be"}".'
            )
        for mark, named in _BYTE_ORDER_MARKS.items():
            if self.data.startswith(mark):
                codec = encoding = named
                break
        try:
            text = self.data.decode(codec)
        except UnicodeDecodeError as error:
            raise self._undecodable(error, encoding, target_lang) from error
        # Files that were joined have a mark inside, too.
        return text.lstrip("\ufeff").replace("\n\ufeff", "\n")

    def _undecodable(
        self, error: UnicodeDecodeError, encoding: str, target_lang: str | None
    ) -> ValueError:
        start = error.start
        line = self.data.count(b"\n", 0, start) + 1
        guess = _guessed_encoding(self.data, target_lang or "")
        remedy = (
            'encoding=, for instance encoding="cp949" (Korean), "cp932" (Japanese), "gb18030" '
            '(Chinese), "cp1252" (Western European) or "utf-16"'
        )
        if guess is not None:
            first = self.data.rfind(b"\n", 0, start) + 1
            seen = self.data[first:].decode(guess).splitlines()[0]
            remedy = f'encoding="{guess}", in which this line reads {shorten(seen)!r}'
        return ValueError(
            f"{self.label}, line {line}: the bytes are not {encoding!r} text. Pass {remedy}."
        )


def open_file(path: Any) -> PairFile:
    """Read and unpack a file.

    Parameters
    ----------
    path : str, path-like or file object
        A file object needs a `name`, whose suffix says the format.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no file of this name.
    ValueError
        If a compressed file is broken, or an archive holds several files of pairs.
    """
    if hasattr(path, "read") and not isinstance(path, os.PathLike):
        name, data = _read_object(path)
    else:
        path = as_path(path)
        name, data = str(path), path.read_bytes()
    return _unpacked(name, data, max(_UNPACKED, _TIMES * len(data)))


def as_path(path: Any) -> Path:
    """Path of an existing file."""
    if not isinstance(path, str | os.PathLike):
        hint = ""
        if isinstance(path, list | tuple):
            hint = (
                " Two files with one sentence per line: read_moses(target_path, source_path, ...)."
            )
        raise TypeError(f"path must be a path or a file object, got {type(path).__name__}.{hint}")
    path = Path(os.fsdecode(path)).expanduser()
    if path.is_dir():
        known = sorted(
            p.name for p in path.iterdir() if suffix_of(p.name)[1] in (*SUFFIXES, ".parquet")
        )
        listed = f", such as {shorten(', '.join(known), 100)}" if known else ""
        raise IsADirectoryError(f"{str(path)!r} is a folder. Pass a file in it{listed}.")
    if not path.exists():
        raise FileNotFoundError(f"There is no file {str(path)!r}.")
    return path


def _read_object(file: Any) -> tuple[str, bytes]:
    name = getattr(file, "name", None)
    if not isinstance(name, str):
        raise ValueError(
            f"The {type(file).__name__} has no name that says its format. Set one, such as "
            'file.name = "pairs.tsv".'
        )
    data = file.read()
    # Text is decoded already: the mark says that what follows is UTF-8, whatever `encoding` is.
    return name, codecs.BOM_UTF8 + data.encode("utf-8") if isinstance(data, str) else bytes(data)


def _unpacked(name: str, data: bytes, most: int, packings: int = 0) -> PairFile:
    """Contents of a file, which may be at most so many bytes."""
    packed, suffix = suffix_of(name)
    label = repr(name)
    if packed == ".zip":
        if packings == _MOST_PACKINGS:
            raise ValueError(f"{label} is an archive in many others: unpack it, and pass its file.")
        return _from_archive(name, data, most, packings + 1)
    if packed:
        try:
            with _OPEN[packed](io.BytesIO(data)) as file:
                data = _read_at_most(file, most, label)
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            kind = {".gz": "gzip"}.get(packed, packed[1:])
            raise ValueError(f"{label} is not a complete {kind} file: {error}.") from error
    return PairFile(label, stem_of(Path(name)), suffix, data)


def _read_at_most(file: IO[bytes], most: int, label: str) -> bytes:
    """Unpacked bytes of a file, piece by piece, so that no more than the limit are in memory."""
    pieces, size = [], 0
    while piece := file.read(_PIECE):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise _too_large(label, most)
    return b"".join(pieces)


def _too_large(label: str, most: int) -> ValueError:
    return ValueError(
        f"{label} unpacks to more than {most >> 20:,} MiB, over {_TIMES} times its size, as files do "
        "that are made to fill the memory. If you trust it, unpack it, as gunzip, bunzip2, unxz or "
        "unzip do, and pass the file that this makes."
    )


# What zipfile raises for an archive that is cut, changed or (RuntimeError) encrypted.
_DAMAGED = (
    zipfile.BadZipFile,
    RuntimeError,
    NotImplementedError,
    EOFError,
    OSError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
)


def _from_archive(name: str, data: bytes, most: int, packings: int) -> PairFile:
    """The one file of pairs in a .zip archive; texts about it do not count."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [
                member
                for member in archive.namelist()
                if suffix_of(member)[1] in SUFFIXES
                and not member.startswith("__MACOSX")
                and not Path(member).name.lower().startswith(("_", ".", "readme", "license"))
            ]
            if len(members) != 1:
                listed = shorten(", ".join(members or archive.namelist()), 200)
                raise ValueError(
                    f"{name!r} holds {len(members) or 'no'} files of pairs: unpack it and pass one "
                    f"of its files ({listed})."
                )
            if archive.getinfo(members[0]).file_size > most:
                raise _too_large(repr(name), most)
            with archive.open(members[0]) as member:
                packed = _read_at_most(member, most, repr(name))
            inner = _unpacked(members[0], packed, most, packings)
    except _DAMAGED as error:
        reason = str(error) or "it ends too early"
        raise ValueError(f"{name!r} cannot be unpacked: {reason}.") from error
    return PairFile(repr(f"{name}/{members[0]}"), inner.stem, inner.suffix, inner.data)


def suffix_of(name: str) -> tuple[str, str]:
    """Suffix of the compression, or "", and the suffix of the format."""
    path = Path(name)
    packed = path.suffix.lower()
    if packed not in _PACKED:
        return "", packed
    inner = Path(path.stem).suffix.lower()
    return packed, inner if inner in SUFFIXES else packed


def stem_of(path: Path) -> str:
    """File name without its suffix and that of a compression."""
    return Path(path.stem).stem if path.suffix.lower() in _PACKED else path.stem


def read_lines(path: Any, encoding: str, target_lang: str | None = None) -> list[str]:
    """Lines of a text file without their ends; a compressed file is unpacked."""
    return split_lines(open_file(path).text(encoding, target_lang))


def split_lines(text: str) -> list[str]:
    """Lines without their ends."""
    # str.splitlines would also split at U+2028, U+0085 and more, which belong to a sentence. A
    # carriage return ends lines where no line feed does (old files of the Macintosh).
    lines = text.split("\n" if "\n" in text else "\r")
    if not lines[-1]:
        del lines[-1]
    return [line.removesuffix("\r") for line in lines]


def _guessed_encoding(data: bytes, target_lang: str) -> str | None:
    """Old encoding in which a file reads like text of the language; None if there is none."""
    language = base_code(target_lang)
    scripts = scripts_of_language(target_lang)
    best, most = None, 0.5
    for codec in _OLD_ENCODINGS.get(language, () if scripts or not language else ("cp1252",)):
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        letters = [c for c in text if c > "\x7f" and c.isalpha()][:_JUDGED_CHARACTERS]
        usual = sum(_is_usual(letter, language, scripts) for letter in letters)
        if letters and usual / len(letters) > most:
            best, most = codec, usual / len(letters)
    return best


def _is_usual(letter: str, language: str, scripts: tuple[str, ...]) -> bool:
    """Whether a letter is frequent in the language, and not what a wrong decoding yields."""
    if language in ("zh", "yue"):
        # Level 1 of both character sets holds the frequent ones.
        simplified, traditional = (letter.encode(c, "replace") for c in ("gb2312", "big5"))
        return b"\xb0" <= simplified[:1] <= b"\xd7" or b"\xa4" <= traditional[:1] <= b"\xc6"
    name = unicodedata.name(letter, "UNKNOWN").split()
    if not scripts:
        return name[:2] == ["LATIN", "SMALL"]
    script = {"HIRAGANA": "Kana", "KATAKANA": "Kana", "CJK": "Han"}.get(name[0], name[0].title())
    # Half-width kana have another first word, and text in a wrong Cyrillic encoding is mostly capitals.
    return script in scripts and letter == letter.lower()
